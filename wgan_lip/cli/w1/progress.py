"""The progress of ``wgan-lip w1`` on a terminal."""

from types import TracebackType

from rich.progress import Progress, SpinnerColumn, TextColumn, TimeElapsedColumn

from wgan_lip.console import Console
from wgan_lip.transport import Progress as SolverProgress


class Display:
    """A line of progress, which disappears at the end; nothing without a terminal.

    Args:
        console: where it is shown.
        quiet: never show anything.
    """

    def __init__(self, console: Console, quiet: bool = False) -> None:
        self._progress: Progress | None = None
        self._stage = ""
        self._proven = ""
        if console.is_terminal and not quiet:
            self._progress = Progress(
                SpinnerColumn(),
                TimeElapsedColumn(),
                TextColumn("{task.description}", markup=False),
                console=console,
                transient=True,
                refresh_per_second=4,
            )
            self._task = self._progress.add_task("", total=None)

    def __enter__(self) -> "Display":
        if self._progress is not None:
            self._progress.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._progress is not None:
            self._progress.stop()

    def stage(self, name: str) -> None:
        """Show the current stage.

        Args:
            name: of the stage.
        """
        self._stage = name
        self._show(name)

    def solver(self, state: SolverProgress) -> None:
        """Show the state of a solver; for its ``progress`` argument.

        Args:
            state: bounds, round and size of the problem.
        """
        self._proven = f"{state.lower:.5g} ≤ W1 ≤ {state.upper:.5g}"
        n, m = state.points
        # Short enough for a terminal of eighty columns.
        self._show(f"{self._stage} ({n}x{m}): round {state.round}, {state.arcs:,} arcs, {self._proven}")

    def proven(self) -> str:
        """Return in words what the solver has proven so far; empty if nothing."""
        return self._proven and f"{self._proven} between the samples is proven"

    def _show(self, text: str) -> None:
        if self._progress is not None:
            self._progress.update(self._task, description=text)
