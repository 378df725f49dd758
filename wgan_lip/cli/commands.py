"""The commands there are, and a line for each."""

DESCRIPTION = (
    "Train Wasserstein GANs and estimators of the Wasserstein-1 distance with certified 1-Lipschitz critics, set "
    "against its exact value; and classifiers whose robustness is proven."
)
TRAINING_COMMANDS = {
    "fit": "Train a GAN, a critic on one pair, or a classifier: wgan-lip fit -c configs/gan/digits.yaml",
    "validate": "Evaluate a checkpoint on held-out samples: a critic's estimate against the exact W1.",
    "test": "The same as validate: nothing was chosen on the held-out samples.",
}
COMMANDS = {
    **TRAINING_COMMANDS,
    "compare": "Critics on pairs with known W1: wgan-lip compare -c configs/compare/absolute_value.yaml",
    "report": "One HTML page of what there is to see of runs: wgan-lip report runs/digits/RUN",
    "certify": "What is proven of a classifier, and attacks on it: wgan-lip certify runs/fashion_mnist_linf/RUN",
    "diagnose": "Where critics lose gradient norm, layer by layer: wgan-lip diagnose last.ckpt -o gradients.png",
    "export": "A trained network as ordinary layers: wgan-lip export last.ckpt -o critic.pt2",
    "sample": "Draw samples from a checkpoint's generator: wgan-lip sample last.ckpt -n 10000 -o samples.npz",
    "submit": "Train as a job of Slurm: wgan-lip submit -c configs/gan/digits.yaml --nodes 2 --time 30",
    "w1": "Exact W1 between two sample sets: wgan-lip w1 real.npy fake.npy",
}
