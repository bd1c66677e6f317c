"""Published figures of the methods, as data: `published.json` names the source of each."""

import json
from functools import cache
from pathlib import Path
from typing import Any

FILE = Path(__file__).with_name("published.json")


@cache
def published() -> dict[str, Any]:
    """All figures, by table and key; read once."""
    return json.loads(FILE.read_text(encoding="utf-8"))
