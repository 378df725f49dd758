"""Training without a run folder, for comparisons, benchmarks and scripts."""

from lightning_fabric.plugins.environments.lightning import LightningEnvironment
from pytorch_lightning import LightningDataModule, Trainer

from wgan_lip.training.stepped import SteppedModule


def plain_fit(module: SteppedModule, data: LightningDataModule | None = None) -> None:
    """Train a module on the CPU in this process, without files or output.

    Within a job of Slurm or torchrun, each process trains a module of its own.

    Args:
        module: trained in place.
        data: its training data; None for modules that draw their own samples.
    """
    trainer = Trainer(
        accelerator="cpu",
        devices=1,
        # Otherwise Lightning would take the processes of a Slurm job for ranks of one run, and handle its signals.
        plugins=[LightningEnvironment()],
        max_epochs=-1,
        logger=False,
        enable_checkpointing=False,
        enable_progress_bar=False,
        enable_model_summary=False,
    )
    trainer.fit(module, datamodule=data)
