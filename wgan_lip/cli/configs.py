"""The bundled configs, such as ``wgan_lip:gan/digits.yaml``; and ``wgan-lip configs``, which lists them."""

import sys
from collections.abc import Sequence
from itertools import takewhile
from pathlib import Path

import wgan_lip
from wgan_lip.cli.command_parser import CommandParser
from wgan_lip.cli.errors import in_one_line
from wgan_lip.plain_text import ascii_text, prints_unicode

PREFIX = "wgan_lip:"
_DESCRIPTION = """\
List the bundled configs, with what each is for; or print one, as a beginning for your own.
"""
_EPILOG = """\
examples:
  wgan-lip configs
  wgan-lip configs gan/digits.yaml > mine.yaml
  wgan-lip fit -c wgan_lip:gan/digits.yaml
  wgan-lip fit -c wgan_lip:gan/fashion_mnist.yaml -c wgan_lip:gan/family/gp.yaml    the second changes the first
"""


def config_path(given: str) -> str:
    """Return the file that ``-c`` names: a bundled config for ``wgan_lip:NAME``, or else the path itself.

    Args:
        given: a path, or ``wgan_lip:NAME``.

    Raises:
        ValueError: there is no bundled config of that name.
    """
    if not given.startswith(PREFIX):
        return given
    name = given.removeprefix(PREFIX)
    if name not in (names := config_names()):
        raise ValueError(f"there is no config {given}; choose from {', '.join(names)}")
    return str(_folder() / name)


def config_names() -> list[str]:
    """List the names of the bundled configs, such as ``gan/digits.yaml``."""
    folder = _folder()
    return sorted(path.relative_to(folder).as_posix() for path in folder.rglob("*.yaml"))


def run_configs(words: Sequence[str]) -> None:
    """Run the command.

    Args:
        words: its arguments.
    """
    given = make_parser().parse_args(words).name
    with in_one_line():
        if given is not None:
            text = Path(config_path(PREFIX + given.removeprefix(PREFIX))).read_text(encoding="utf-8")
        else:
            text = "\n".join(f"{PREFIX}{name}\n{_comment(name)}" for name in config_names())
        # Redirected to a file, it must be readable as UTF-8.
        sys.stdout.write(text if prints_unicode() else ascii_text(text))


def make_parser() -> CommandParser:
    """Make the command's parser."""
    parser = CommandParser("wgan-lip configs", _DESCRIPTION, _EPILOG)
    parser.add_argument("name", nargs="?", metavar="NAME", help="the config to print")
    return parser


def _folder() -> Path:
    """Return the folder of configs: in the package if installed from a wheel, beside it in a checkout."""
    package = Path(wgan_lip.__file__).parent
    inside = package / "configs"
    return inside if inside.is_dir() else package.parent / "configs"


def _comment(name: str) -> str:
    """Return the comment at the beginning of a config, without its first line, the command."""
    _, *lines = Path(config_path(PREFIX + name)).read_text(encoding="utf-8").splitlines()
    return "".join(f"    {line.removeprefix('# ')}\n" for line in takewhile(lambda line: line.startswith("#"), lines))
