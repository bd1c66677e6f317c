"""Write the generated tables of README.md and docs between their marks.

    python3 scripts/make_tables.py

Needs torch and pytest, as in `.venv`. The supported models come from the hosts, the measurements from the demo's
reports kept in lab/results.
"""

from __future__ import annotations

import json
import re
import sys
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from cache_core.hosts import Host

ROOT = Path(__file__).resolve().parent.parent
sys.path[:0] = [str(ROOT), str(ROOT / "scripts")]

README = ROOT / "README.md"
DOCS = ROOT / "docs"
MEASURED, MIGRATION, COMPATIBILITY = DOCS / "MEASURED.md", DOCS / "MIGRATION.md", DOCS / "COMPATIBILITY.md"
USING, MODELS, TRIED, METHODS = (DOCS / f"{name}.md" for name in ("USING", "MODELS", "TRIED", "METHODS"))
RESULTS = {
    "demo": "demo",
    "demo-video": "demo_hunyuan_video",
    "widgets": "widgets",
    "widgets-video": "widgets_hunyuan_video",
}


def models() -> str:
    """The families that FEB-Cache knows, and how much it can merge of each."""
    from cache_core.hosts import HOSTS, REFUSED

    lines = ["| family | models | FEB-Cache | AB-Cache |", "|---|---|---|---|"]
    lines += [f"| {host.name} | {host.models} | {merging(host)} | yes |" for host in HOSTS]
    lines += [f"| {refused.name} | {refused.models} | no: {refused.why} | yes |" for refused in REFUSED]
    return "\n".join(
        [*lines, "| any other | U-Nets (SD 1.5, SDXL) and every other ComfyUI diffusion model | no, it says so | yes |"]
    )


def merging(host: Host) -> str:
    """How FEB-Cache keeps the outputs of a family's blocks, in words."""
    if not all(blocks.separable for blocks in host.blocks):
        return "merged only"
    merged = [bool(blocks.carries) for blocks in host.blocks]
    return "merged or site by site" if all(merged) else "partly merged" if any(merged) else "site by site"


def hosts() -> str:
    """The classes of each family, what FEB-Cache makes of them, and what core's own cache does there."""
    from cache_core.hosts import HOSTS, REFUSED

    lines = [
        "| family | models | classes | FEB-Cache | AB-Cache | core's EasyCache | tested on |",
        "|---|---|---|---|---|---|---|",
    ]
    for host in HOSTS:
        easy = "yes" if host.easycache else "**has no hook there**"
        tested = "a mirror of its blocks" if host.newer else "ComfyUI's class"
        classes = ", ".join(f"`{name}`" for name in host.classes)
        lines.append(f"| {host.name} | {host.models} | {classes} | {merging(host)} | yes | {easy} | {tested} |")
    for refused in REFUSED:
        classes = ", ".join(f"`{name}`" for name in refused.classes)
        lines.append(
            f"| {refused.name} | {refused.models} | {classes} | no: {refused.why} | yes | yes | ComfyUI's class |"
        )
    return "\n".join(lines)


def memory() -> str:
    """What each way of keeping less costs on the lab models. Host memory changes no value, so its rows are left out."""
    lines = ["| model | setting | kept | memory | PSNR | distance to every output |", "|---|---|---|---|---|---|"]
    for row in json.loads((ROOT / "lab" / "results" / "memory.json").read_text())["rungs"]:
        kept, _, place = row["kept"].rpartition(", ")
        if place == "on the device":
            lines.append(
                f"| {row['model'].split(' (')[0]} | {row['setting']} | {kept} | {row['device_mb']:.2f} MB | "
                f"{row['psnr_db']:.1f} dB | {row['relative_l2_to_every_site']:.4f} |"
            )
    return "\n".join(lines)


def tried() -> str:
    """What was tried against it, and what came of it."""
    fuzz, soak = (json.loads((ROOT / "lab" / "results" / f"{name}.json").read_text()) for name in ("fuzz", "soak"))
    lines = ["| tried | inputs | failures | |", "|---|---|---|---|"]
    lines += [
        f"| {row['group']} | {row['tried']} | {len(row['failures']) + len(row['slow'])} | at most "
        f"{row['slowest']:.1f} CPU seconds and {row['largest_mb']:.0f} MB each |"
        for row in fuzz["rows"]
    ]
    grown = soak["memory"]["growth_percent"]
    lines.append(
        f"| prompts on one server, {len(soak['models'])} models and {len(soak['settings'])} settings in turn, ComfyUI "
        f"{soak['comfyui']} | {soak['prompts']} | {len(soak['failures'])} | the process grew by {grown:.1f} % |"
    )
    return "\n".join(lines)


def samplers() -> str:
    """What `learn` makes of each sampler of ComfyUI's list."""
    found = json.loads((ROOT / "lab" / "results" / "samplers.json").read_text())
    lines = [
        f"| sampler | computed of {found['steps']} steps | drift with the plan | without learning | or why there is "
        "no plan |",
        "|---|---|---|---|---|",
    ]
    for name, row in found["samplers"].items():
        numbers = f"{row['computed']} | {row['plan']:.4f} | {row['unlearned']:.4f}" if "plan" in row else " | | "
        lines.append(f"| {name} | {numbers} | {row.get('reason', '')} |")
    return "\n".join(lines)


def between(text: str, mark: str, table: str) -> str:
    """`text` with what stands between the comments `mark`:begin and `mark`:end replaced. Raises ValueError if they
    are missing."""
    pattern = re.compile(rf"(<!-- {mark}:begin -->\n).*?(<!-- {mark}:end -->)", re.DOTALL)
    if not pattern.search(text):
        raise ValueError(f"The file has no marks for {mark!r}.")
    return pattern.sub(lambda found: found[1] + table + "\n" + found[2], text)


def kept(name: str) -> list[dict]:
    """The rows of a measurement that is kept."""
    return json.loads((ROOT / "lab" / "results" / f"{name}.json").read_text())["rows"]


def tables() -> dict[Path, dict[str, str]]:
    """Every generated table, by file and mark."""
    import compatibility
    import method_table
    import pages
    import template_tables

    from lab import ablation, demo, distribution, feb, methods, quality, rivals, settings, shifts, sound

    real = kept("settings")
    shown = {mark: demo.table(kept(name)) for mark, name in RESULTS.items()}
    whole = {
        module.__name__.removeprefix("lab."): module.table(kept(module.__name__.removeprefix("lab.")))
        for module in (settings, methods, sound, quality, shifts, ablation, feb, distribution)
    }
    return {
        README: {"short": settings.short(real)},
        USING: {"memory": memory()},
        MODELS: {"models": models()},
        TRIED: {"tried": tried()},
        METHODS: {"methods": method_table.table()},
        MEASURED: {**whole, "summary": settings.summary(real), "behind": settings.behind(real), **shown},
        MIGRATION: {"rivals": rivals.table(kept("rivals"))},
        COMPATIBILITY: {name: getattr(compatibility, name)() for name in ("runs", "matrix", "peers")}
        | {name: getattr(template_tables, name)() for name in ("works", "front_ends", "families", "exceptions")}
        | {"samplers": samplers(), "hosts": hosts(), "pages": pages.table(kept("pages"))},
    }


def written(path: Path) -> str:
    """The file's text with every generated table up to date."""
    text = path.read_text(encoding="utf-8")
    for mark, table in tables()[path].items():
        text = between(text, mark, table)
    return text


if __name__ == "__main__":
    for path in tables():
        path.write_text(written(path), encoding="utf-8")
