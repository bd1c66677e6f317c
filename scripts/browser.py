#!/usr/bin/env python3
"""Get what the tests of the page need and this machine lacks: node and Chromium (Debian's packages), and
playwright-core (npm) in `.browser`.

    python3 scripts/browser.py

Exits with 1 and says why where that cannot be done; the tests of the page are then skipped.
"""

import os
import shutil
import subprocess
import sys
from pathlib import Path

FOLDER = Path(__file__).resolve().parent.parent / ".browser"
PLAYWRIGHT = "playwright-core@1.65.1"
CHROMIUM = ("chromium", "google-chrome")


def missing_packages() -> list[str]:
    """Names of the Debian packages that would bring what is not there."""
    found = [] if shutil.which("npm") and shutil.which("node") else ["nodejs", "npm"]
    return found if any(map(shutil.which, CHROMIUM)) else [*found, "chromium"]


def commands() -> list[list[str]]:
    """What to run, in this order. Empty where all is there."""
    packages, root = missing_packages(), [] if getattr(os, "geteuid", lambda: 0)() == 0 else ["sudo", "-n"]
    apt = (
        [
            [*root, "apt-get", "update", "-qq"],
            [*root, "apt-get", "install", "-y", "-qq", "--no-install-recommends", *packages],
        ]
        if packages
        else []
    )
    there = (FOLDER / "node_modules" / PLAYWRIGHT.split("@")[0]).is_dir()
    return apt + (
        []
        if there
        else [["npm", "install", "--prefix", str(FOLDER), "--no-audit", "--no-fund", "--silent", PLAYWRIGHT]]
    )


def main() -> int:
    for command in commands():
        try:
            subprocess.run(command, check=True, stdout=subprocess.DEVNULL)
        except (OSError, subprocess.CalledProcessError) as error:
            print(f"The tests of the page will be skipped: {error}", file=sys.stderr)
            return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
