"""Training without a run folder: for comparisons, benchmarks and scripts."""

from pytorch_lightning import LightningDataModule, Trainer

from wgan_lip.training.stepped import SteppedModule


def plain_fit(module: SteppedModule, data: LightningDataModule | None = None) -> None:
    """Train to the end on the CPU, and write and show nothing.

    Args:
        module: it is trained in place.
        data: what it trains on, for those that do not draw their own samples.
    """
    trainer = Trainer(
        accelerator="cpu",
        max_epochs=-1,
        logger=False,
        enable_checkpointing=False,
        enable_progress_bar=False,
        enable_model_summary=False,
    )
    trainer.fit(module, datamodule=data)
