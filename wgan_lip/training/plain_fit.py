"""Training without a run folder: for comparisons, benchmarks and scripts."""

from lightning_fabric.plugins.environments.lightning import LightningEnvironment
from pytorch_lightning import LightningDataModule, Trainer

from wgan_lip.training.stepped import SteppedModule


def plain_fit(module: SteppedModule, data: LightningDataModule | None = None) -> None:
    """Train to the end on the CPU, in this process alone, and write and show nothing.

    It is the same within a job of Slurm or a process of torchrun, each of which trains a module of its own.

    Args:
        module: it is trained in place.
        data: what it trains on, for those that do not draw their own samples.
    """
    trainer = Trainer(
        accelerator="cpu",
        devices=1,
        # Otherwise Lightning takes a job of Slurm for a part of one run, and minds its signals.
        plugins=[LightningEnvironment()],
        max_epochs=-1,
        logger=False,
        enable_checkpointing=False,
        enable_progress_bar=False,
        enable_model_summary=False,
    )
    trainer.fit(module, datamodule=data)
