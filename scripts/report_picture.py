#!/usr/bin/env python
"""Take a picture of the top of a report in headless Chromium: scripts/report_picture.py REPORT.html docs/report.png.

Wants Debian's chromium, and the packages of the extra "test".
"""

import argparse
import os
import shutil
from pathlib import Path

from playwright.sync_api import sync_playwright


def main(words: list[str] | None = None) -> int:
    """Take the picture that the command line asks for; returns the exit status."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("report", type=Path, help="a page of wgan-lip report")
    parser.add_argument("picture", type=Path, help="the .png file")
    parser.add_argument("--width", type=int, default=1280, help="of the window, in pixels (default: 1280)")
    parser.add_argument("--height", type=int, default=1100, help="of the window, in pixels (default: 1100)")
    options = parser.parse_args(words)
    # Chromium's own sandbox does not work for root.
    sandbox = ["--no-sandbox"] if os.geteuid() == 0 else []
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(
            executable_path=shutil.which("chromium") or shutil.which("google-chrome"), args=["--disable-gpu", *sandbox]
        )
        page = browser.new_page(viewport={"width": options.width, "height": options.height})
        page.goto(options.report.absolute().as_uri())
        page.locator(".plot .main-svg").first.wait_for()
        page.screenshot(path=options.picture)
        browser.close()
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
