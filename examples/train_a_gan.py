"""Train a small GAN on the digits from Python, and set its critic's estimate against the exact W1.

.venv/bin/python examples/train_a_gan.py
"""

# %%
import torch
from pytorch_lightning import Callback, Trainer

from wgan_lip.data import Digits
from wgan_lip.networks import MLPCritic, MLPGenerator
from wgan_lip.optim import StiefelMuon
from wgan_lip.training import ExactW1, WassersteinGAN

torch.manual_seed(0)
gan = WassersteinGAN(
    critic=MLPCritic([1, 8, 8], width=64),
    generator=MLPGenerator([1, 8, 8], noise_dim=16, width=128),
    critic_optimizer=StiefelMuon,
    n_critic=3,
    generator_steps=300,
)

# %% [markdown]
# `ExactW1` compares 500 generated with 500 held-out digits, the same ones each time. On the same samples the critic can
# never say more than the exact value: that is a theorem, and an error if it were ever otherwise.

# %%
exact_w1 = ExactW1(every=100, n=500)


class Table(Callback):
    """Prints each evaluation as it comes."""

    shown = -1

    def on_train_batch_end(self, trainer, pl_module, *_) -> None:
        if exact_w1.last_step > self.shown:
            self.shown, found = exact_w1.last_step, exact_w1.last.raw
            print(
                f"{self.shown:4}   {found.critic:8.3f} ≤ {found.exact:.3f} ± {found.exact_standard_error:.3f}   "
                f"{found.noise_floor:.3f} ± {found.noise_floor_standard_error:.3f}   "
                f"{found.population_lower:6.3f} to {found.population_upper:.3f}"
            )


print("step     critic ≤ exact ± error   floor ± error   the distributions, 95 %")
trainer = Trainer(
    accelerator="cpu",
    max_epochs=-1,
    callbacks=[exact_w1, Table()],
    logger=False,
    enable_checkpointing=False,
    enable_progress_bar=False,
    enable_model_summary=False,
)
trainer.fit(gan, datamodule=Digits(batch_size=64))

# %% [markdown]
# Is the generator good? Its exact W1 over the floor says how far it still is from what real digits would score.

# %%
last = exact_w1.last.raw
print(f"exact W1 is {last.exact / last.noise_floor:.2f} times what 500 real digits and 500 others are apart")
