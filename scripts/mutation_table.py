"""What became of the mutants of `make mutation`: a table by file, and each one that no test has noticed.

    make mutation
    .venv/bin/python scripts/mutation_table.py [--survivors] [--files transport/]

A mutant is the package with one small change. "types": mypy refuses it. "killed": a test fails. "time": the tests did
not end within six times their time and half a minute, or the process died. "survived": all tests pass. "to run": not
tried yet. Survivors whose changed lines docs/mutation.md does not have are printed, with --survivors all of them.
"""

import argparse
from collections import Counter
from pathlib import Path

EXPLANATIONS = Path(__file__).parent.parent / "docs" / "mutation.md"
COLUMNS = {
    "types": {"caught by type check"},
    "killed": {"killed"},
    "time": {"timeout", "segfault"},
    "survived": {"survived", "no tests", "suspicious", "skipped"},
    "to run": {"not checked", "check was interrupted by user"},
}


def column(exit_code: int | None) -> str:
    """Of an exit code of mutmut's."""
    # mutmut comes with the extra mutation; the arguments are read without it.
    from mutmut.stats import status_by_exit_code

    return next(name for name, statuses in COLUMNS.items() if status_by_exit_code[exit_code] in statuses)


def results() -> dict[Path, dict[str, str]]:
    """By file and mutant the column that it counts in."""
    from mutmut.mutation.data import SourceFileMutationData
    from mutmut.utils.file_utils import walk_mutatable_files

    found = {}
    for path in sorted(walk_mutatable_files()):
        data = SourceFileMutationData(path=path)
        data.load()
        if data.exit_code_by_key:
            found[path] = {name: column(code) for name, code in data.exit_code_by_key.items()}
    return found


def row(name: str, counts: Counter) -> str:
    """A row of the table."""
    return f"| {name} | {counts.total()} | " + " | ".join(str(counts[column]) for column in COLUMNS) + " |"


def changed(name: str, path: Path) -> list[str]:
    """The lines of a mutant that differ from the package's, without the file's name."""
    from mutmut.mutation.diff_apply import get_diff_for_mutant

    return [
        line
        for line in get_diff_for_mutant(name, path=path).splitlines()
        if line[:1] in ("-", "+") and line[:3] not in ("---", "+++")
    ]


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--survivors", action="store_true", help="and all survivors, the explained ones too")
    parser.add_argument("--files", default="", help="part of the names of the files to tell of")
    arguments = parser.parse_args()
    found = {path: names for path, names in results().items() if arguments.files in str(path)}
    print(f"| file | mutants | {' | '.join(COLUMNS)} |\n|---|{'--:|' * (1 + len(COLUMNS))}")
    for path, names in found.items():
        print(row(f"`{path}`", Counter(names.values())))
    print(row("all", sum((Counter(names.values()) for names in found.values()), Counter())))
    explained = EXPLANATIONS.read_text(encoding="utf-8")
    for path, names in found.items():
        for name in (name for name, became in names.items() if became == "survived"):
            lines = changed(name, path)
            if arguments.survivors or not all(line[1:].strip() in explained for line in lines if line[0] == "+"):
                print("", name, *lines, sep="\n")


if __name__ == "__main__":
    main()
