"""How far are two clouds of points apart? A critic's estimate, the exact value, and what sampling does to both.

.venv/bin/python examples/two_clouds.py
"""

# %% [markdown]
# Two Gaussians in eight dimensions, one of them moved by 1: W1 of the distributions is exactly 1. Let it be unknown.

# %%
import torch

from wgan_lip.distributions import Gaussians
from wgan_lip.evaluation import evaluate_estimator
from wgan_lip.training import W1Estimator, plain_fit
from wgan_lip.transport import noise_floor, population_bracket, wasserstein1

pair = Gaussians(8, shift=1.0)
generator = torch.Generator().manual_seed(0)

# %% [markdown]
# The exact W1 of samples shrinks as they grow, and so does the noise floor: what two samples of the *same* distribution
# are apart. It is still well above 1 at the end.

# %%
print("  n   exact W1   noise floor")
for n in (62, 125, 250, 500):
    x, y = pair.sample(n, generator)
    both, _ = pair.sample(2 * n, generator)
    floor = noise_floor(both, generator=generator)  # over 5 splits into n and n
    print(f"{n:3}   {wasserstein1(x, y).value:8.3f}   {floor.mean:.3f} ± {floor.std:.3f}")

# %% [markdown]
# What do five hundred points say of the distributions? One half finds a 1-Lipschitz function, the other judges it.

# %%
bracket = population_bracket(x, y, sigma=1.0, generator=generator)
print(f"from 500 points each: {bracket.lower:.3f} ≤ W1(P, Q) ≤ {bracket.upper:.3f} ({bracket.confidence:.0%})")

# %% [markdown]
# A certified critic that may draw as many samples as it likes comes near the truth from below. Its error is that of its
# held-out samples, and that of not being the best critic.

# %%
estimator = W1Estimator(pair, steps=150, batch_size=256)
plain_fit(estimator)
estimate = evaluate_estimator(estimator.final_critic(), pair, n=8192, exact_n=500)
print(f"critic: W1(P, Q) ≥ {estimate.critic:.3f} ± {estimate.standard_error:.3f}, and with 97.5 % confidence")
print(f"        W1(P, Q) ≥ {estimate.population_lower:.3f}; the truth is {estimate.truth:.3f}")
