"""README.md and docs/*.md, taken apart: fenced blocks, commands within the text, tables."""

import re
import shlex
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

ROOT = Path(__file__).parents[2]
# What a block may need that no machine of ours offers; its commands are parsed, not run.
NEEDS = ("GPU", "cluster", "network")
# A table of explanations.
NOTHING_MEASURED = "<!-- nothing measured -->"

_BLOCK = re.compile(
    r"(?:^<!-- needs: (?P<needs>.*?) -->\n)?^```(?P<language>[^\n]*)\n(?P<text>.*?)^```\n", re.DOTALL | re.MULTILINE
)
_TABLE = re.compile(r"(?P<above>[^\n]*\n)(?P<text>\|[^\n]*\n\|[ :|-]+\n(?:\|[^\n]*\n)*)")
_COMMAND = re.compile(r"(?:\.venv/bin/|python |scripts/|wgan-lip\b|make |pytest\b)")
_PRINTED = re.compile(r"(?:Printed|Made) by\s+(?:the cells of\s+)?`([^`]+)`", re.DOTALL)


@dataclass(frozen=True)
class Block:
    """A fenced block.

    Attributes:
        page: the name of its file.
        language: as it is marked; empty if it is not.
        text: what is between the fences.
        needs: what the comment above it says that it needs.
    """

    page: str
    language: str
    text: str
    needs: str | None

    @property
    def commands(self) -> list[str]:
        """The lines of a shell's block, as one types them: continued ones whole, without comments."""
        if self.language != "sh":
            return []
        lines = self.text.replace("\\\n", " ").splitlines()
        return [shlex.join(words) for line in lines if (words := shlex.split(line, comments=True))]


@dataclass(frozen=True)
class Table:
    """A table.

    Attributes:
        page: the name of its file.
        text: its lines.
        explains: whether it says of itself that it holds nothing that was measured.
        printed_by: the commands that are said to have printed it.
    """

    page: str
    text: str
    explains: bool
    printed_by: tuple[str, ...]

    @property
    def cells(self) -> list[str]:
        lines = self.text.splitlines()
        return [cell.strip() for line in (lines[0], *lines[2:]) for cell in line.strip("|").split("|")]


@dataclass(frozen=True)
class Page:
    """A page of the documentation."""

    path: Path

    @property
    def name(self) -> str:
        return str(self.path.relative_to(ROOT))

    @cached_property
    def text(self) -> str:
        return self.path.read_text()

    @cached_property
    def blocks(self) -> list[Block]:
        found = [Block(self.name, m["language"], m["text"], m["needs"]) for m in _BLOCK.finditer(self.text)]
        # Nothing that looks like a fence was overlooked.
        assert len(re.findall(r"^ *(?:```|~~~)", self.text, re.MULTILINE)) == 2 * len(found)
        # Directives are the site's own: ``{toctree}`` and the like.
        return [block for block in found if not block.language.startswith("{")]

    @property
    def prose(self) -> str:
        """The text without its blocks."""
        return _BLOCK.sub("\n", self.text)

    @cached_property
    def mentioned(self) -> list[str]:
        """Commands in backticks, in sentences and tables."""
        spans = re.findall(r"(?<!`)`([^`]+)`(?!`)", self.prose)
        return [" ".join(span.split()) for span in spans if _COMMAND.match(span)]

    @cached_property
    def tables(self) -> list[Table]:
        lead, *sections = re.split(r"^(?=##+ )", _BLOCK.sub("\n", self.text), flags=re.MULTILINE)
        found = []
        for section in (lead, *sections):
            # The page's first lines speak for all of it.
            said = _PRINTED.findall(section) or _PRINTED.findall(lead)
            for m in _TABLE.finditer("\n" + section):
                explains = m["above"].strip() == NOTHING_MEASURED
                found.append(Table(self.name, m["text"], explains, tuple(" ".join(s.split()) for s in said)))
        return found


PAGES = [Page(ROOT / "README.md"), *(Page(path) for path in sorted((ROOT / "docs").glob("*.md")))]


def page(name: str) -> Page:
    """The page of a name."""
    (found,) = [one for one in PAGES if one.name == name]
    return found
