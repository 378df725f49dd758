"""A progress bar on a terminal."""

from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn, TimeRemainingColumn

from wgan_lip.console import Console

# Seconds over which the speed is estimated, because one cell of a comparison takes minutes.
_MEMORY = 3600.0


def progress_bar(console: Console | None = None, quiet: bool = False) -> Progress:
    """Make a bar that shows completed and total steps, the elapsed time and the remaining time.

    It disappears at the end, and is shown on terminals only.

    Args:
        console: the console that shows it; standard error if None.
        quiet: whether to show nothing.
    """
    console = console or Console(stderr=True)
    return Progress(
        TextColumn("{task.description}", markup=False),
        BarColumn(bar_width=20),
        MofNCompleteColumn(),
        TimeElapsedColumn(),
        TextColumn("<"),
        TimeRemainingColumn(),
        console=console,
        transient=True,
        disable=quiet or not console.is_terminal,
        refresh_per_second=4,
        speed_estimate_period=_MEMORY,
    )
