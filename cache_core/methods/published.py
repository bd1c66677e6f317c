"""Published figures of the methods, as data: `published.json` names the source of each."""

import json
from functools import cache
from pathlib import Path
from typing import Any

from ..files import start_of

FILE = Path(__file__).with_name("published.json")
LARGEST = 2**20  # bytes


@cache
def published() -> dict[str, Any]:
    """All figures, by table and key; read once."""
    return json.loads(start_of(FILE, LARGEST))
