"""Rich's console, for output in any encoding."""

from typing import Any

from rich import console as rich_console
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
