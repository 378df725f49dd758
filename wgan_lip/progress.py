"""How far a long job is, on a terminal."""

from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn, TimeRemainingColumn

from wgan_lip.console import Console

# Seconds over which the speed is estimated: a cell of a comparison takes minutes.
_MEMORY = 3600.0


def progress_bar(console: Console | None = None, quiet: bool = False) -> Progress:
    """A bar with what was done, what there is to do, the time that passed and the time that is left.

    It disappears at the end. Where there is no terminal nothing is shown.

    Args:
        console: where it is shown; standard error if None.
        quiet: never show anything.
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
