"""Write locales/en/nodeDefs.json from the node classes, and name what locales/zh lacks.

    python3 scripts/make_locales.py

Needs torch.
"""

import json
import sys
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))
LOCALES = ROOT / "locales"


def inputs_of(kind: type) -> dict[str, dict]:
    """The options of each input that the user sees, hidden ones left out."""
    groups = kind.INPUT_TYPES()
    return {
        name: spec[1] if len(spec) > 1 else {}
        for group in ("required", "optional")
        for name, spec in groups.get(group, {}).items()
    }


def definition(kind: type, display_name: str) -> dict:
    """A node's texts as ComfyUI's page looks them up: inputs by name, outputs by number."""
    inputs = {name: {"name": name, "tooltip": options["tooltip"]} for name, options in inputs_of(kind).items()}
    outputs = {
        str(i): {"name": name, "tooltip": tip}
        for i, (name, tip) in enumerate(zip(kind.RETURN_NAMES, kind.OUTPUT_TOOLTIPS, strict=True))
    }
    return {"display_name": display_name, "description": kind.DESCRIPTION, "inputs": inputs, "outputs": outputs}


def definitions(pack: object) -> dict[str, dict]:
    """The texts of all nodes of the loaded pack."""
    return {
        node: definition(kind, pack.NODE_DISPLAY_NAME_MAPPINGS[node]) for node, kind in pack.NODE_CLASS_MAPPINGS.items()
    }


def keys(texts: dict, above: str = "") -> Iterator[str]:
    """Dotted paths of all texts."""
    for key, value in texts.items():
        yield from keys(value, f"{above}{key}.") if isinstance(value, dict) else (f"{above}{key}",)


def read(language: str) -> dict:
    """The committed texts of a language; none where there is no file."""
    path = LOCALES / language / "nodeDefs.json"
    return json.loads(path.read_text(encoding="utf-8")) if path.is_file() else {}


def as_json(texts: dict) -> str:
    """What is written to the file."""
    return json.dumps(texts, ensure_ascii=False, indent=2) + "\n"


if __name__ == "__main__":
    from lab.in_comfyui import load_pack

    english = definitions(load_pack())
    (LOCALES / "en").mkdir(parents=True, exist_ok=True)
    (LOCALES / "en" / "nodeDefs.json").write_text(as_json(english), encoding="utf-8")
    for key in sorted({*keys(english)} ^ {*keys(read("zh"))}):
        print(f"{'missing in' if key in {*keys(english)} else 'too many in'} zh: {key}")
