"""The certificate of a run's last checkpoint, layer by layer."""

from dataclasses import dataclass

from wgan_lip.lipschitz import LipschitzCertificate


@dataclass(frozen=True)
class CheckpointCertificate:
    """What is proven of the network of a checkpoint, or why nothing is.

    Attributes:
        step: at which the checkpoint was saved; None if it could not be read.
        certificate: None where there is none.
        reason: why there is none; "" where there is one.
    """

    step: int | None
    certificate: LipschitzCertificate | None
    reason: str
