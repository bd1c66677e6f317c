"""Tables as SmoothCache's package dit-smoothcache writes them: `{"attn": [1, 0, ...], "mlp": [...]}`, 1 = compute."""

import json
import re
from typing import Any

from ..errors import ConfigError, brief
from ..site import MODULES, Kind
from .table import Table

WRITTEN = {Kind.ATTENTION: "attn", Kind.MLP: "mlp"}
READ = {
    **dict.fromkeys(("attn", "attn1", "attn2", "self_attn", "cross_attn"), Kind.ATTENTION),
    **dict.fromkeys(("mlp", "ff", "ffn"), Kind.MLP),
}
MOST_READ = 2**20  # characters: 1,000 steps in 100 blocks take a half of it
EXAMPLE = '{"attn": [1, 0, 1], "mlp": [1, 0, 1]}'


def parse_layer_lists(text: str) -> Table:
    """The table of a JSON text, for the kinds that it names.

    One table holds for all blocks: where lists of one kind differ, by block ("attn-0") or by module (diffusers'
    "attn1"), a step that one of them computes is computed. Raises ConfigError for any other text, for other layers, and
    where step 0 would reuse.
    """
    lists = _lists(text)
    steps = {len(values) for values in lists.values()}
    if len(steps) != 1 or not min(steps):
        raise ConfigError(f"The schedule's lists have {sorted(steps)} steps; each needs one value for each step.")
    kinds = {_kind(name) for name in lists}
    if late := sorted(name for name in lists if not any(v[0] for n, v in lists.items() if _kind(n) is _kind(name))):
        named = brief(", ".join(late))
        raise ConfigError(f"The schedule reuses {named} at step 0, and nothing comes before it. Begin its list with 1.")
    rows = (
        frozenset(kind for kind in kinds if any(v[step] for name, v in lists.items() if _kind(name) is kind))
        for step in range(steps.pop())
    )
    return Table(frozenset(kinds), tuple(rows))


def json_object(text: str) -> dict[str, Any]:
    """The object in a JSON text; an empty one where there is none, or too much."""
    try:
        found = json.loads(text) if len(text) <= MOST_READ else None
    except (ValueError, RecursionError):
        found = None
    return found if isinstance(found, dict) else {}


def format_layer_lists(table: Table) -> str:
    """The JSON text of a table; of one for the model's output, or for merged blocks, both lists are alike."""
    return json.dumps(
        {
            name: [int((kind if kind in table.kinds else _only(table)) in row) for row in table.rows]
            for kind, name in WRITTEN.items()
            if kind in table.kinds or not table.kinds & MODULES
        }
    )


def _only(table: Table) -> Kind:
    return next(iter(table.kinds))


def _lists(text: str) -> dict[str, list[int]]:
    """The lists in a JSON text, of zeros and ones."""
    found = json_object(text)
    if not found or not all(map(_zeros_and_ones, found.values())):
        raise ConfigError(f"A SmoothCache schedule is JSON such as {EXAMPLE}; this is {brief(repr(text))}.")
    return found


def _zeros_and_ones(value: object) -> bool:
    return isinstance(value, list) and all(type(number) is int and number in (0, 1) for number in value)


def _kind(name: str) -> Kind:
    """The kind of a layer's name, `attn` or `attn-12`. Raises ConfigError for another one."""
    kind = READ.get(re.sub(r"-\d+$", "", name))
    if kind is None:
        raise ConfigError(
            f"The schedule names the layer {brief(repr(name))}; known are {', '.join(READ)}, alone or with a block's "
            'number behind, such as "attn-0".'
        )
    return kind
