#!/usr/bin/env python3
"""What the registry's archive holds: what git tracks and .comfyignore leaves. Fails if it is too big, or if the
registry's checkers find something.

    python3 scripts/published.py [--list]

The checkers come into `.venv/checkers`, once. What cannot be installed or reached is skipped, with the reason.
"""

import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path

from environment import ROOT, VENV, interpreter_of

LIMIT = 3.3  # MB, unpacked
CHECKERS = ("comfy-cli==1.23.0", "comfy-import-guard==1.3.0", "comfy-test==0.4.15")
QUIET = {"DO_NOT_TRACK": "1", "COMFY_NO_TELEMETRY": "1", "GIT_TERMINAL_PROMPT": "0", "PYTHONUTF8": "1", "NO_COLOR": "1"}
SECONDS = 300  # for one command, an installation among them


class SkipError(Exception):
    """Why something cannot be checked here."""


def said(*command: object, good: tuple[int, ...] = (0,), **options: object) -> str:
    """What a command prints. SkipError if it cannot run, breaks, or ends with another code than those in `good`."""
    try:
        done = subprocess.run(
            [str(part) for part in command],
            capture_output=True,
            encoding="utf-8",
            errors="replace",
            timeout=SECONDS,
            **options,
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        raise SkipError(f"{command[0]} did not run: {error}") from error
    if done.returncode not in good or "Traceback (most recent call last)" in done.stderr:
        end = (done.stderr or done.stdout).strip()[-500:]
        raise SkipError(f"{Path(str(command[0])).name} ended with {done.returncode}: {end}")
    return done.stdout + done.stderr


def published() -> list[str]:
    """Paths in the archive, from the root, as comfy-cli packs it. SkipError where there is no git, or no checkout."""
    listing = ["git", "-C", ROOT, "ls-files", "-z", "--cached"]
    left_out = set(said(*listing, "--ignored", "--exclude-from", ROOT / ".comfyignore").split("\0"))
    return [path for path in said(*listing).split("\0") if path and path not in left_out and (ROOT / path).is_file()]


def megabytes(paths: list[str]) -> float:
    return sum((ROOT / path).stat().st_size for path in paths) / 1e6


def copied(paths: list[str], folder: Path) -> Path:
    """A folder with just these files."""
    for path in paths:
        (folder / path).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(ROOT / path, folder / path)
    return folder


def checkers() -> Path:
    """The folder with the checkers' commands, installed if they are not."""
    folder = VENV / "checkers"
    python, stamp = interpreter_of(folder), folder / "stamp"
    if not (stamp.is_file() and stamp.read_text() == " ".join(CHECKERS)):
        said(sys.executable, "-m", "venv", folder)
        said(
            python,
            "-m",
            "pip",
            "install",
            "-q",
            "--disable-pip-version-check",
            "--retries",
            "1",
            "--timeout",
            "15",
            *CHECKERS,
        )
        stamp.write_text(" ".join(CHECKERS))
    return Path(python).parent


def validated(commands: Path, pack: Path, environment: dict[str, str]) -> str:
    """What is wrong for `comfy node validate`; it says it in words and always ends with 0."""
    text = said(
        commands / "comfy", "--skip-prompt", "--no-json", "node", "validate", cwd=pack, env=environment, good=(0, 1)
    )
    return "" if "All validation checks passed" in text else text


def linted(commands: Path, pack: Path, environment: dict[str, str]) -> str:
    """What is wrong for comfy-test's syntax and JavaScript checks."""
    text = said(commands / "comfy-test", "lint", "--strict", pack, env=environment, good=(0, 1))
    return "" if "[SYNTAX] PASSED" in text and "[JAVASCRIPT] PASSED" in text else text


def guarded(commands: Path, pack: Path, environment: dict[str, str]) -> str:
    """What the pack uses of ComfyUI that is not there, for comfy-import-guard: in the one here, else in its master."""
    cache = pack.parents[1] / "cache"
    here = Path(os.environ.get("COMFYUI_DIR") or Path.home() / "comfy-lab" / "ComfyUI")
    given = ["--offline", "--target", "HEAD"] if (here / "comfy").is_dir() else []
    if given:
        as_repository(here, cache / "ComfyUI")
    text = said(
        commands / "comfy-import-guard",
        "check",
        "--strict",
        "--cache-dir",
        cache,
        "--comfy-dir",
        pack.parents[1],
        *given,
        env=environment,
        good=(0, 1),
    )
    return "" if " SAFE" in text else text


def as_repository(comfyui: Path, folder: Path) -> None:
    """A git repository with ComfyUI's own modules as its only commit: the guard reads those."""
    for each in [*comfyui.glob("*.py"), *comfyui.glob("comfy*/**/*.py"), *comfyui.glob("app/**/*.py")]:
        (folder / each.relative_to(comfyui)).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(each, folder / each.relative_to(comfyui))
    git = [
        "git",
        "-C",
        folder,
        "-c",
        "user.name=check",
        "-c",
        "user.email=check@localhost",
        "-c",
        "commit.gpgsign=false",
    ]
    for command in (["init", "-q"], ["add", "-A", "-f"], ["commit", "-q", "-m", "ComfyUI"]):
        said(*git, *command)


CHECKS: tuple[Callable[[Path, Path, dict[str, str]], str], ...] = (validated, linted, guarded)


def wrong_with(paths: list[str]) -> list[str]:
    """What the checkers find, each in its own words. Prints which ones passed and which ones were skipped."""
    try:
        commands = checkers()
    except SkipError as reason:
        print(f"skipped: the registry's checkers cannot be installed: {reason}")
        return []
    found = []
    with tempfile.TemporaryDirectory() as folder:
        pack = copied(paths, Path(folder) / "custom_nodes" / "feb-ab-cache")
        # no settings of theirs in anyone's home
        environment = {**os.environ, **QUIET, "HOME": folder, "XDG_CONFIG_HOME": folder}
        for check in CHECKS:
            try:
                wrong = check(commands, pack, environment)
            except SkipError as reason:
                print(f"skipped: {check.__name__}: {reason}")
                continue
            print(f"{check.__name__}: {'no' if wrong else 'yes'}")
            found += [wrong] if wrong else []
    return found


def main(arguments: list[str]) -> int:
    try:
        paths = published()
    except SkipError as reason:
        print(f"skipped: what is published is not known here: {reason}")
        return 0
    size = megabytes(paths)
    if "--list" in arguments:
        print(*paths, sep="\n")
    print(f"published: {len(paths)} files, {size:.1f} MB of at most {LIMIT:.1f}")
    found = [f"{size:.1f} MB are published, more than {LIMIT:.1f}: see .comfyignore"] if size > LIMIT else []
    found += wrong_with(paths)
    print(*found, sep="\n\n", end="\n" if found else "")
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
