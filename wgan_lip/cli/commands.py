"""The commands there are, and a line for each."""

DESCRIPTION = (
    "Train Wasserstein GANs with a certified 1-Lipschitz critic, set against the exact Wasserstein-1 distance."
)
TRAINING_COMMANDS = {
    "fit": "Train: wgan-lip fit -c configs/gan/digits.yaml",
    "validate": "Set a checkpoint's critic against the exact W1 of held-out samples.",
    "test": "The same as validate: nothing was chosen on the held-out samples.",
}
COMMANDS = {
    **TRAINING_COMMANDS,
    "compare": "Critics on pairs with known W1: wgan-lip compare -c configs/compare/absolute_value.yaml",
    "w1": "Exact W1 between two sample sets: wgan-lip w1 real.npy fake.npy",
}
