"""Training without a run folder: for comparisons, benchmarks and scripts."""

from pytorch_lightning import Trainer

from wgan_lip.training.stepped import SteppedModule


def plain_fit(module: SteppedModule) -> None:
    """Train to the end on the CPU, and write and show nothing.

    Args:
        module: it is trained in place.
    """
    trainer = Trainer(
        accelerator="cpu",
        max_epochs=-1,
        logger=False,
        enable_checkpointing=False,
        enable_progress_bar=False,
        enable_model_summary=False,
    )
    trainer.fit(module)
