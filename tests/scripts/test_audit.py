"""What ``make audit`` makes of pip-audit's output: a known vulnerability fails, silence of the service does not."""

import json
import subprocess
from types import SimpleNamespace

import pytest

from scripts import audit

CLEAN = {"name": "rich", "version": "13.0", "vulns": []}
LOCAL = {"name": "wgan-lip", "skip_reason": "Dependency not found on PyPI and could not be audited: wgan-lip (0.1.0)"}
VULNERABLE = {
    "name": "pillow",
    "version": "10.0.0",
    "vulns": [
        {"id": "PYSEC-2023-175", "fix_versions": ["10.0.1"], "aliases": ["CVE-2023-4863"], "description": "libwebp"},
        {"id": "GHSA-x", "fix_versions": [], "aliases": [], "description": ""},
    ],
}
CLEAN_LINES = "NOT AUDITED: Dependency not found on PyPI and could not be audited: wgan-lip (0.1.0)\n"


def text(*packages: object) -> str:
    return json.dumps({"dependencies": packages, "fixes": []})


@pytest.mark.parametrize(
    ("output", "said", "expected"),
    [
        (text(CLEAN), "", (0, "1 of 1 packages audited: nothing known")),
        (text(CLEAN, LOCAL), "", (0, f"{CLEAN_LINES}1 of 2 packages audited: nothing known")),
        (
            text(CLEAN, VULNERABLE, LOCAL),
            "Found 2 known vulnerabilities in 1 package",
            (
                1,
                "pillow 10.0.0: PYSEC-2023-175, mended in 10.0.1\npillow 10.0.0: GHSA-x, not mended yet\n"
                f"{CLEAN_LINES}2 of 3 packages audited: VULNERABLE",
            ),
        ),
        (
            text(LOCAL),
            "No known vulnerabilities found",
            (0, f"NOT AUDITED: none of 1 packages, for instance: {LOCAL['skip_reason']}"),
        ),
        (text(), "", (0, "NOT AUDITED: none of 0 packages, for instance: there are no packages")),
        ("", "WARNING:x\nERROR:pip_audit: ConnectionError", (0, "NOT AUDITED: ERROR:pip_audit: ConnectionError")),
        ("", "", (0, "NOT AUDITED: pip-audit printed nothing")),
        ("[]", "", (0, "NOT AUDITED: pip-audit printed nothing")),
    ],
)
def test_the_verdict(output, said, expected):
    assert audit.verdict(output, said) == expected


def test_it_runs_pip_audit_and_waits_not_for_ever(monkeypatch, capsys):
    def run(command, **options):
        assert command[-2:] == ["--ignore-vuln", "X"]
        if late:
            raise subprocess.TimeoutExpired(command, options["timeout"])
        return SimpleNamespace(stdout=text(VULNERABLE), stderr="")

    monkeypatch.setattr(audit.subprocess, "run", run)
    late = False
    assert audit.main(["--ignore-vuln", "X"]) == 1
    late = True
    assert audit.main(["--ignore-vuln", "X"]) == 0
    assert capsys.readouterr().out.endswith("NOT AUDITED: no answer within 300 seconds\n")
