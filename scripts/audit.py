"""Known vulnerabilities of the installed packages, by pip-audit: python scripts/audit.py

Exit status 1 if there is one. Where the advisory service cannot be reached, or knows none of the packages, nothing was
audited: that is said, in capitals, with exit status 0, for a check without a network is no reason to stop. Further
arguments are pip-audit's, such as ``--ignore-vuln ID`` or ``--vulnerability-service osv``.
"""

import json
import subprocess
import sys
from collections.abc import Sequence
from typing import Any

_COMMAND = [sys.executable, "-m", "pip_audit", "--format=json", "--desc=off", "--progress-spinner=off"]
# Seconds; it asks for one package at a time.
_PATIENCE = 300


def verdict(output: str, said: str) -> tuple[int, str]:
    """Exit status and lines for the terminal.

    Args:
        output: pip-audit's JSON.
        said: what it wrote on standard error.
    """
    try:
        packages: list[dict[str, Any]] = json.loads(output)["dependencies"]
    except (json.JSONDecodeError, KeyError, TypeError):
        last = said.strip().splitlines()[-1:] or ["pip-audit printed nothing"]
        return 0, f"NOT AUDITED: {last[0]}"
    skipped = [package for package in packages if "skip_reason" in package]
    if len(skipped) == len(packages):
        reason = skipped[0]["skip_reason"] if skipped else "there are no packages"
        return 0, f"NOT AUDITED: none of {len(packages)} packages, for instance: {reason}"
    lines = [
        f"{package['name']} {package['version']}: {found['id']}"
        + (f", mended in {', '.join(found['fix_versions'])}" if found["fix_versions"] else ", not mended yet")
        for package in packages
        for found in package.get("vulns", [])
    ]
    vulnerable = bool(lines)
    lines += [f"NOT AUDITED: {package['skip_reason']}" for package in skipped]
    audited = len(packages) - len(skipped)
    lines.append(f"{audited} of {len(packages)} packages audited: " + ("VULNERABLE" if vulnerable else "nothing known"))
    return int(vulnerable), "\n".join(lines)


def main(args: Sequence[str]) -> int:
    """Run pip-audit; returns the exit status.

    Args:
        args: pip-audit's.
    """
    try:
        done = subprocess.run(  # noqa: S603
            [*_COMMAND, *args], capture_output=True, encoding="utf-8", errors="replace", timeout=_PATIENCE
        )
    except subprocess.TimeoutExpired:
        output, said = "", f"no answer within {_PATIENCE} seconds"
    else:
        output, said = done.stdout, done.stderr
    status, text = verdict(output, said)
    print(text)
    return status


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
