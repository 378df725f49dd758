"""Rich's console, for output in any encoding, and its progress bar."""

from typing import Any

from rich import console as rich_console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn, TimeRemainingColumn
from rich.text import Text

from wgan_lip.plain_text import HANDLER, printable


class Console(rich_console.Console):
    """Rich's console, which replaces characters that its encoding lacks before it measures widths.

    Text may come from a file, such as the name of a layer: its escape sequences do not reach the terminal.
    """

    def print_plain(self, *lines: str) -> None:
        """Print lines as they are, without markup, highlighting or line breaks of Rich's.

        Args:
            lines: without their ends.
        """
        for line in lines:
            self.print(line, soft_wrap=True, highlight=False, markup=False)

    def render_str(self, text: str, **how: Any) -> Text:
        return super().render_str(self._shown(printable(text, kept="\n\t")), **how)

    def _shown(self, text: str) -> str:
        try:
            text.encode(self.encoding)
        except UnicodeEncodeError:
            return text.encode(self.encoding, HANDLER).decode(self.encoding)
        return text


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
