"""PSNR at the settings that people run: presets and learned plans of both nodes beside fewer steps, fixed cadences and
EasyCache's rule, at equal work. `python3 -m lab.settings`, which goes on where it was interrupted."""

import argparse
import json
from collections.abc import Iterator
from pathlib import Path

from tqdm import tqdm

from cache_core import MODULES, OUTPUT

from .families import FAMILIES
from .settings_cell import SETTINGS, Cell

RESULT = Path(__file__).parent / "results" / "settings.json"
LEARNERS = 4  # plans, each of a picture of its own
PLAIN, CADENCE = "fewer steps", "fixed cadence"


def rows_of(cell: Cell) -> list[dict]:
    """All rows of a cell: fixed cadences, and each plan with what else could be had for its work."""
    rows = [*cell.cadences()]
    for row in plans_of(cell):
        count = round(row["work"])
        rows += [row, *cell.plain(count), *([] if cell.setting.experts else [cell.easycache(count)])]
    return [json.loads(text) for text in dict.fromkeys(json.dumps(row) for row in rows)]


def plans_of(cell: Cell) -> Iterator[dict]:
    """Rows of learned plans and of the presets before anything is learned."""
    for speedup in cell.setting.speedups:
        yield cell.learned("AB-Cache", OUTPUT, speedup, LEARNERS)
        yield cell.learned("AB-Cache", OUTPUT, speedup, 1, samples=8)
    for speedup in cell.setting.feb_speedups:
        yield cell.learned("FEB-Cache", MODULES, speedup, LEARNERS)
    yield from cell.presets()


def best(rows: list[dict], kind: str, work: float) -> dict | None:
    """The best row of a kind with no more work, to the next whole evaluation."""
    found = [row for row in rows if row["kind"] == kind and row["work"] <= round(work) + 0.01]
    return max(found, key=lambda row: row["psnr_db"], default=None)


def table(rows: list[dict]) -> str:
    """PSNR by cell and setting, as Markdown: each plan beside the best that has no more work."""
    lines = [
        "| model | setting | plan | work | PSNR (worst) | best of fewer steps | best fixed cadence | EasyCache |",
        "|---|---|---|---|---|---|---|---|",
    ]
    for cell in dict.fromkeys((row["model"], row["setting"]) for row in rows):
        own = [row for row in rows if (row["model"], row["setting"]) == cell]
        for row in (row for row in own if row["kind"] not in (PLAIN, CADENCE, "EasyCache")):
            others = (best(own, kind, row["work"]) for kind in (PLAIN, CADENCE, "EasyCache"))
            shown = " | ".join(f"{other['psnr_db']:.1f} ({other['name']})" if other else "-" for other in others)
            lines.append(
                f"| {cell[0]} | {cell[1]} | {row['name']} | {row['work']:.1f} of {row['steps']} | "
                f"**{row['psnr_db']:.1f}** ({row['worst_psnr_db']:.1f}) | {shown} |"
            )
    return "\n".join(lines)


def summary(rows: list[dict]) -> str:
    """One line for each cell, as Markdown: AB-Cache and FEB-Cache, learned and not, beside the best of fewer steps and
    the best fixed cadence at the same work."""
    asked = ("AB-Cache, learned from 1", "FEB-Cache, learned from 1")
    lines = [
        "| model | setting | AB-Cache learned | FEB-Cache learned | AB-Cache, unlearned | FEB-Cache, unlearned |",
        "|---|---|---|---|---|---|",
    ]
    for cell in dict.fromkeys((row["model"], row["setting"]) for row in rows):
        own = [row for row in rows if (row["model"], row["setting"]) == cell]
        names = [row["name"] for row in own if row["name"].startswith(asked)]
        learned = [[name for name in names if name.startswith(node)] for node in asked]
        columns = [*learned, ["AB-Cache balanced, unlearned"], ["FEB-Cache balanced, unlearned"]]
        texts = ("; ".join(_beside(own, name) for name in column) for column in columns)
        lines.append(f"| {cell[0]} | {cell[1]} | {' | '.join(texts)} |")
    return "\n".join(lines)


def behind(rows: list[dict]) -> str:
    """Plans of ours that fewer steps, or a fixed cadence, surpass with no more work, as Markdown. All presets of a node
    are one plan before they learn; `balanced` stands for them."""
    lines = ["| model | setting | plan | PSNR | nearer |", "|---|---|---|---|---|"]
    for row in (row for row in rows if row["kind"] not in (PLAIN, CADENCE, "EasyCache")):
        own = [other for other in rows if (other["model"], other["setting"]) == (row["model"], row["setting"])]
        found = [best(own, kind, row["work"]) for kind in (PLAIN, CADENCE)]
        nearer = [other for other in found if other and other["psnr_db"] > row["psnr_db"]]
        texts = ", ".join(f"{other['psnr_db']:.1f} ({other['name']})" for other in nearer)
        if texts and not row["name"].endswith(("auto, unlearned", "quality, unlearned", "fast, unlearned")):
            lines.append(f"| {row['model']} | {row['setting']} | {row['name']} | {row['psnr_db']:.1f} | {texts} |")
    return "\n".join(lines)


def short(rows: list[dict]) -> str:
    """One line for each setting, as Markdown: AB-Cache learned at about 2x, on both models, beside the best of fewer
    steps and the best fixed cadence at the same work."""
    models = list(dict.fromkeys(row["model"] for row in rows))
    beside = ("AB-Cache, learned", "fewer steps", "fixed cadence")
    heads = [f"{name}, lab {model}" for model in models for name in beside]
    lines = [f"| setting | {' | '.join(heads)} |", "|---" * (1 + len(heads)) + "|"]
    for setting in dict.fromkeys(_without_shift(row["setting"]) for row in rows):
        own = [row for row in rows if _without_shift(row["setting"]) == setting]
        cells = [cell for model in models for cell in _at_twice([row for row in own if row["model"] == model])]
        lines.append(f"| {setting} | {' | '.join(cells)} |")
    return "\n".join(lines)


def _without_shift(setting: str) -> str:
    return setting.split(", shift")[0]


def _at_twice(rows: list[dict]) -> tuple[str, str, str]:
    """PSNR of the learned plan nearest to 2x, with its speed, and of what else could be had for the same work."""
    learned = [row for row in rows if row["name"].startswith("AB-Cache, learned from 1")]
    if not learned:
        return "", "", ""
    row = min(learned, key=lambda row: abs(row["steps"] / row["work"] - 2))
    plain, cadence = (best(rows, kind, row["work"]) for kind in (PLAIN, CADENCE))
    others = tuple(f"{other['psnr_db']:.1f}" if other else "-" for other in (plain, cadence))
    return f"**{row['psnr_db']:.1f}** at {row['steps'] / row['work']:.1f}x", *others


def _beside(rows: list[dict], name: str) -> str:
    """A row's speed and PSNR, and those of what else could be had for the same work."""
    row = next(row for row in rows if row["name"] == name)
    plain, cadence = (best(rows, kind, row["work"]) for kind in (PLAIN, CADENCE))
    others = f"{plain['psnr_db']:.1f}" if plain else "-"
    others += f", cadence {cadence['psnr_db']:.1f}" if cadence else ""
    return f"{row['steps'] / row['work']:.1f}x: **{row['psnr_db']:.1f}** ({others})"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--models", nargs="+", choices=FAMILIES, default=list(FAMILIES))
    parser.add_argument("--settings", nargs="+", choices=SETTINGS, default=list(SETTINGS))
    parser.add_argument("--pictures", type=int, default=24, help="or clips, that no plan has seen")
    parser.add_argument("--out", type=Path, default=RESULT)
    parser.add_argument("--again", action="store_true", help="measure anew what is there")
    args = parser.parse_args()
    rows = [] if args.again or not args.out.exists() else json.loads(args.out.read_text())["rows"]
    cells = [(FAMILIES[model], SETTINGS[name]) for model in args.models for name in args.settings]
    done = {(row["model"], row["setting"]) for row in rows}
    for family, setting in tqdm([(f, s) for f, s in cells if (f.name, s.text(f)) not in done]):
        rows += rows_of(Cell(family, setting, args.pictures))
        args.out.write_text(json.dumps({"rows": rows}, indent=0) + "\n")
    print(table(rows))


if __name__ == "__main__":
    main()
