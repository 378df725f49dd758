"""A classifier of digits whose class provably cannot change within a radius, and attacks that try all the same.

.venv/bin/python examples/robust_digits.py
"""

# %%
import torch

from wgan_lip.data import Digits
from wgan_lip.networks import MLPClassifier
from wgan_lip.robustness import MarginCrossEntropy, measure_robustness
from wgan_lip.training import RobustClassifier, draw_images, plain_fit

# %% [markdown]
# Orthogonal layers and sorting activations: the network is 1-Lipschitz, so a margin between two logits is a distance
# that no perturbation shorter than it (over the square root of 2) can bridge. Training is for margins.

# %%
data = Digits(batch_size=128, labels=True)
torch.manual_seed(0)
classifier = RobustClassifier(
    MLPClassifier([1, 8, 8], hidden=[64, 64]), loss=MarginCrossEntropy(margin=1.0, temperature=0.25), steps=300
)
plain_fit(classifier, data)

# %% [markdown]
# Certified is proven of each image; PGD and FGSM are what withstood those attacks. They can find more than the proof
# allows only if the proof is wrong, and then this ends with an error. Intervals are for the share among *all* digits
# (Clopper-Pearson, 95 %): 300 images do not know it better.

# %%
images, classes = draw_images(data, n=300, seed=0)
found = measure_robustness(classifier.network, images, classes, norm="l2", eps=[0.25, 0.5, 1.0])
print(
    f"clean {found.clean.value:.1%} [{found.clean.low:.1%}, {found.clean.high:.1%}] of {found.clean.n} held-out digits"
)
print(" eps   certified                 PGD     FGSM")
for row in found.at:
    proven = row.certified
    print(
        f"{row.eps:4}   {proven.value:.1%} [{proven.low:.1%}, {proven.high:.1%}]   "
        f"{row.pgd.value:.1%}   {row.fgsm.value:.1%}"
    )
print(f"{found.within} of {found.attacked} attacks stayed within their image's certified radius; none changed a class")
