"""What is trained, and on how many processes."""

from dataclasses import dataclass

GAN = "configs/gan"


@dataclass(frozen=True)
class Case:
    """A config, its batch, and how many cycles are timed."""

    name: str
    configs: tuple[str, ...]
    batch: int
    cycles: int


MEASURED = (
    Case("digits, MLP", (f"{GAN}/digits.yaml",), 64, 60),
    Case("Fashion-MNIST, MLP", (f"{GAN}/fashion_mnist.yaml",), 128, 15),
    Case("Fashion-MNIST, convolutional", (f"{GAN}/fashion_mnist.yaml", f"{GAN}/family/convolutional.yaml"), 128, 8),
)
COUNTED = (*MEASURED, Case("Fashion-MNIST, fashion_mnist_gpu.yaml", (f"{GAN}/fashion_mnist_gpu.yaml",), 256, 2))
# How a case is run: processes, threads of each, and batches of the config in one step.
SETUPS = {"one core": (1, 1, 1), "two processes": (2, 1, 2), "two threads": (1, 2, 2)}
