#!/usr/bin/env python3
"""Put AB-Cache before every sampler of ComfyUI's official templates, in the real page, and keep what came of it in
lab/results/templates.json.

    python3 scripts/templates.py [TEMPLATE ...] [--folder FOLDER]

Needs ComfyUI (COMFYUI_DIR, COMFY_PYTHON) and a browser (`python3 scripts/browser.py`). The templates are those of the
installed comfyui-workflow-templates-json, or in --folder. COMFY_FRONTEND may name another front end.
"""

import argparse
import importlib.util
import json
import re
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent
sys.path[:0] = [str(ROOT), str(ROOT / "scripts")]

from queued import Sampled, sampled  # noqa: E402

from tests.stress.server import asked  # noqa: E402

RESULTS = ROOT / "lab" / "results"
USE, KEPT = RESULTS / "template_use.json", RESULTS / "templates.json"
NODE = "ABCacheApply"
LEAST = 8  # steps, below which the command leaves a sampler alone
AT_ONCE = 12  # templates for a browser
PACKAGE = "comfyui_workflow_templates_json"


def installed() -> Path | None:
    """The folder of the installed templates; None where there are none."""
    spec = importlib.util.find_spec(PACKAGE)
    folder = Path(spec.origin).parent / "templates" if spec and spec.origin else None
    return folder if folder and folder.is_dir() else None


def complaints(url: str, prompt: Mapping[str, Any]) -> set[tuple[str, str, str]]:
    """What ComfyUI's validation has against a prompt: node, kind of error, input. A sound prompt is not run."""
    answer = asked(f"{url}/prompt", {"prompt": prompt})
    if "prompt_id" in answer:
        asked(f"{url}/queue", {"clear": True})
        asked(f"{url}/interrupt", {})
    return {
        (node, error["type"], str(error.get("extra_info", {}).get("input_name")))
        for node, found in (answer.get("node_errors") or {}).items()
        for error in found["errors"]
    }


def before(prompt: Mapping[str, Any], model: Sampled) -> int:
    """How many AB-Cache nodes are directly before a model input."""
    count, link = 0, prompt[model.node]["inputs"][model.name]
    while prompt[link[0]]["class_type"] == NODE:
        count, link = count + 1, prompt[link[0]]["inputs"]["model"]
    return count


def shown(seen: Mapping[str, Any], model: Sampled) -> int | None:
    """The steps that the page finds for a model; None where it says that it does not know them, or finds none."""
    inner = model.node.rpartition(":")[2]
    for found in seen["models"]:
        if (found["id"].rpartition(":")[2], found["input"]) == (inner, model.name) and "steps" in found["sampling"]:
            return found["sampling"]["end"] - found["sampling"]["start"]
    return None


def said(seen: Mapping[str, Any], key: str) -> int | None:
    """The steps in the words of the strip of an AB-Cache node; None where it says that they are not known."""
    words = next((node["words"] for node in seen["nodes"] if node["inner"] == key.rpartition(":")[2]), "")
    found = re.search(r"(\d+) steps \(", words)
    return int(found[1]) if found else None


def judged(seen: Mapping[str, Any], info: Mapping[str, Any], url: str) -> dict[str, Any]:
    """What came of a template that the page has loaded."""
    queued, after = seen["before"], seen["after"]
    models = sampled(queued, info)
    long = [model for model in models if model.steps is None or model.steps >= LEAST]
    read = {model: shown(seen, model) for model in models}
    strips = {m: said(seen, after[m.node]["inputs"][m.name][0]) for m in long if before(after, m)}
    return {
        "models": len(models),
        "steps": sorted({model.steps for model in models if model.steps is not None}),
        "long": len(long),
        "placed": sum(before(after, model) == 1 for model in long),
        "too_many": sum(before(after, model) != (model in long) for model in models) - _missing(after, long),
        "complaints": sorted(complaints(url, after) - complaints(url, queued)),
        "right": sum(steps == model.steps is not None for model, steps in read.items()),
        "unknown": sum(steps is None for steps in read.values()),
        "wrong": [
            [f"{m.node}.{m.name}", steps, m.steps]
            for m, steps in [*read.items(), *strips.items()]
            if steps not in (None, m.steps)
        ],
    }


def _missing(after: Mapping[str, Any], long: list[Sampled]) -> int:
    return sum(not before(after, model) for model in long)


def row(name: str, seen: Mapping[str, Any], info: Mapping[str, Any], url: str) -> dict[str, Any]:
    """A template's row of the results."""
    if "error" in seen:
        return {"template": name, "error": seen["error"]}
    unknown = sorted(set(seen["missing"]) - {"MarkdownNote", "Note", "Reroute", "PrimitiveNode"})
    return {"template": name, **({"missing": unknown} if unknown else judged(seen, info, url))}


def use() -> list[dict[str, Any]]:
    """How often each official template that samples is opened, with its family, most steps and least ComfyUI."""
    return json.loads(USE.read_text())["templates"]


def chosen(names: list[str]) -> list[str]:
    """The templates to try, the most used first."""
    return names or [found["template"] for found in sorted(use(), key=lambda found: -found["usage"])]


def tried(folder: Path, names: list[str]) -> Iterator[tuple[str, str, list[dict[str, Any]]]]:
    """For one batch of templates after the other the version of ComfyUI, that of the front end, and their rows."""
    from tests.web.conftest import ROOT as PACK
    from tests.web.conftest import driven, served

    with tempfile.TemporaryDirectory() as base, served(Path(base), PACK) as url:
        info, version = asked(f"{url}/object_info"), asked(f"{url}/system_stats")["system"]["comfyui_version"]
        for first in range(0, len(names), AT_ONCE):
            files = [path for name in names[first : first + AT_ONCE] if (path := folder / f"{name}.json").is_file()]
            facts = driven(url, "templates.mjs", "classic", "on", *files, seconds=3000)
            yield version, facts["front_end"], [row(*seen, info, url) for seen in facts["templates"].items()]


def keep(comfyui: str, front_end: str, rows: list[dict[str, Any]]) -> None:
    """Write rows in place of those that were kept of the same templates and front end."""
    kept = json.loads(KEPT.read_text(encoding="utf-8")) if KEPT.is_file() else {}
    fresh = {entry["template"]: entry for entry in rows}
    old = kept.get(front_end, {}).get("rows", [])
    merged = [entry for entry in old if entry["template"] not in fresh] + rows
    kept[front_end] = {"comfyui": comfyui, "date": time.strftime("%Y-%m-%d"), "rows": merged}
    KEPT.write_text(text(kept), encoding="utf-8")


def text(kept: Mapping[str, Mapping[str, Any]]) -> str:
    """JSON with a template on a line."""
    parts = [
        json.dumps({key: found[key] for key in found if key != "rows"})[:-1]
        + ', "rows": [\n  '
        + ",\n  ".join(map(json.dumps, found["rows"]))
        + "\n ]}"
        for found in kept.values()
    ]
    return "{\n" + ",\n".join(f' "{key}": {part}' for key, part in zip(kept, parts, strict=True)) + "\n}\n"


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("templates", nargs="*")
    parser.add_argument("--folder", type=Path, default=installed())
    given = parser.parse_args()
    if given.folder is None:
        print(f"There are no templates: install {PACKAGE.replace('_', '-')}, or give --folder.", file=sys.stderr)
        return 1
    for comfyui, front_end, rows in tried(given.folder, chosen(given.templates)):
        keep(comfyui, front_end, rows)
        print(*(entry["template"] for entry in rows), file=sys.stderr, flush=True)
    return 0


if __name__ == "__main__":
    sys.exit(main())
