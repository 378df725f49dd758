"""The arguments of the training commands beside Lightning's, and those of Weights & Biases."""

from pytorch_lightning.cli import LightningArgumentParser

from wgan_lip.kinds import COMMON, KINDS
from wgan_lip.runs.wandb_mode import WandbMode


def add_fit_arguments(parser: LightningArgumentParser) -> None:
    """Add what names a run, W&B's, and those of all callbacks.

    Args:
        parser: of a training command.
    """
    parser.add_argument("--name", type=str, default="run", help="Name of the experiment, and of its folder.")
    parser.add_argument("--runs_dir", type=str, default="runs", help="Runs go to RUNS_DIR/NAME/RUN/.")
    parser.add_argument(
        "--run",
        type=str | None,
        default=None,
        help="Name of the run's folder: if there is a checkpoint in it, the run goes on from there, so the same "
        "command can be run again until it is done. Without it the folder is named by the job or the time.",
    )
    add_wandb_arguments(parser)
    parser.add_argument(
        "--wandb.artifacts",
        type=bool,
        default=True,
        help="Keep checkpoint, pictures and report in W&B, where online.",
    )
    for callbacks in (*(kind.callbacks for kind in KINDS), COMMON):
        for key, callback in callbacks.items():
            parser.add_class_arguments(callback, key)
    for part in ("model", "data"):
        parser.link_arguments("seed_everything", f"{part}.init_args.seed")


def add_wandb_arguments(parser: LightningArgumentParser) -> None:
    """Add ``--wandb.mode``, ``project``, ``entity`` and ``group``.

    Args:
        parser: of a command.
    """
    parser.add_argument(
        "--wandb.mode",
        type=WandbMode,
        default="auto",
        help="online, offline, disabled, or auto: online where there is an API key, else offline; it never asks.",
    )
    parser.add_argument("--wandb.project", type=str, default="wgan-lip", help="Project in W&B.")
    parser.add_argument("--wandb.entity", type=str | None, default=None, help="User or team in W&B.")
    parser.add_argument("--wandb.group", type=str | None, default=None, help="Group of runs in W&B.")
