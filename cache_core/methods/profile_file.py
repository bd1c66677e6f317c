"""Files of profiles: JSON, `profile_KEY.json` beside the plans."""

import json
from dataclasses import asdict
from pathlib import Path

from ..errors import ConfigError, brief
from ..files import start_of, write_atomically
from ..saved_plan.library import SUFFIX as PLAN
from ..saved_plan.library import is_name, is_plan, modified
from .profile import Profile

START, SUFFIX = "profile_", ".json"
MOST_BYTES = 2**24  # 1,000 steps of 128 channels take a half of it
MOST_WORDS = 400  # characters of an error message, which may quote the file


def profile_name(key: str) -> str:
    """Name of the file of the profile that was recorded under `key`."""
    return f"{START}{key}{SUFFIX}"


def is_profile_name(name: str) -> bool:
    """True if `name` is that of a profile's file, and without folder on every system."""
    return name.startswith(START) and name.endswith(SUFFIX) and is_name(name.removesuffix(SUFFIX) + PLAN)


def all_profiles(folder: Path) -> list[Path]:
    """Files of all profiles in `folder`, newest first."""
    files = [path for path in folder.glob(f"{START}*{SUFFIX}") if is_profile_name(path.name) and is_plan(path)]
    return sorted(files, key=modified, reverse=True)


def save_profile(profile: Profile, path: Path) -> None:
    """Write `profile`. Raises OSError where the disk does not take the file; the old one then stays."""
    write_atomically(path, json.dumps(asdict(profile)).encode())


def load_profile(path: Path) -> Profile:
    """The profile in a file. Raises OSError where there is none that can be read, ConfigError for another file."""
    try:
        return Profile.from_json(json.loads(start_of(path, MOST_BYTES)))
    except (ValueError, RecursionError) as error:
        raise ConfigError(brief(str(error), MOST_WORDS)) from None
