"""The tables of what `scripts/templates.py` kept, weighted by how often each template is opened."""

import json
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent
RESULTS = ROOT / "lab" / "results"
HOSTS = ROOT / "scripts" / "template_hosts.json"  # of each family of templates its host, or why there is none
LEAST_STEPS = 8
UNREAD = "newer than 0.33.0, and its class could not be read"
LEAST_SHARE = 0.005  # of all use: smaller families are one row
Row = Mapping[str, Any]


def loads(row: Row) -> bool:
    """True for a template whose nodes ComfyUI has."""
    return "long" in row


def long(row: Row) -> bool:
    """True for a template that samples a model for 8 steps or more, as it comes."""
    return loads(row) and row["long"] > 0


def placed(row: Row) -> bool:
    """True where one node is before each such sampler, none before others, and ComfyUI accepts the prompt."""
    return long(row) and row["placed"] == row["long"] and not row["too_many"] and not row["complaints"]


def right(row: Row) -> bool:
    """True where the steps that the page shows are those of the queued prompt, for every sampler."""
    return loads(row) and row["right"] == row["models"] > 0


def wrong(row: Row) -> bool:
    """True where the page shows other steps than those of the queued prompt."""
    return loads(row) and bool(row["wrong"])


def by_front_end() -> dict[str, dict[str, Any]]:
    """What was kept, with the use of each template beside it, by front end."""
    use = {row["template"]: row for row in kept_use()}
    kept = json.loads((RESULTS / "templates.json").read_text(encoding="utf-8"))
    return {
        version: {**found, "rows": [{**use[row["template"]], **row} for row in found["rows"]]}
        for version, found in kept.items()
    }


def share(rows: Iterable[Row], holds: Callable[[Row], bool], among: Callable[[Row], bool] = bool) -> str:
    """The share of use among rows, in percent."""
    counted = [row for row in rows if among(row)]
    use = sum(row["usage"] for row in counted)
    return f"{100 * sum(row['usage'] for row in counted if holds(row)) / use:.1f} %" if use else ""


def _cells(rows: list[Row]) -> str:
    shares = (share(rows, loads), share(rows, placed, long), share(rows, right), share(rows, right, loads))
    return " | ".join([str(len(rows)), f"{sum(row['usage'] for row in rows):,}", *shares, str(sum(map(wrong, rows)))])


HEAD = (
    "templates | use | its nodes are in this ComfyUI | of what samples 8 steps or more: one node before each sampler, "
    "accepted | steps right, of all | of what loads | wrong |"
)


def front_ends() -> str:
    """All templates that were tried, by front end."""
    lines = [f"| ComfyUI, front end | {HEAD}", "|---" * 8 + "|"]
    for version, found in sorted(by_front_end().items()):
        lines.append(f"| {found['comfyui']}, {version} | {_cells(found['rows'])} |")
    return "\n".join(lines)


def families() -> str:
    """The families of the front end that most templates were tried with."""
    rows = max(by_front_end().values(), key=lambda found: len(found["rows"]))["rows"]
    total, groups = sum(row["usage"] for row in rows), {}
    for row in rows:
        groups.setdefault(row["family"], []).append(row)
    use = {name: sum(row["usage"] for row in group) for name, group in groups.items()}
    large = sorted((name for name in groups if use[name] >= LEAST_SHARE * total), key=lambda name: -use[name])
    others = [row for name, group in groups.items() if name not in large for row in group]
    lines = [f"| family | {HEAD}", "|---" * 8 + "|"]
    lines += [f"| {name} | {_cells(groups[name])} |" for name in large]
    return "\n".join([*lines, f"| {len(groups) - len(large)} others | {_cells(others)} |"])


def works() -> str:
    """What each node does for those that sample 8 steps or more, as they come or behind a switch; by the model's host.

    AB-Cache works on every model that ComfyUI samples (tests/host/test_ab_everywhere.py); not counted are those whose
    class could not be read.
    """
    known, newer = json.loads(HOSTS.read_text(encoding="utf-8")), {host.name for host in hosts() if host.newer}
    rows = [row for row in kept_use() if (row["steps"] or 0) >= LEAST_STEPS]
    total, without = sum(row["usage"] for row in rows), {}
    for row in rows:
        if (reason := known["none"].get(row["family"])) is not None:
            without[row["family"], reason] = without.get((row["family"], reason), 0) + row["usage"]
    unread = sum(use for (_, reason), use in without.items() if reason == UNREAD)
    read = sum(row["usage"] for row in rows if known["hosts"].get(row["family"]) in newer)
    shares = {"AB-Cache": total - unread, "FEB-Cache": total - sum(without.values())}
    lines = ["| node | works for | of it newer than 0.33.0, by its class read |", "|---|---|---|"]
    lines += [f"| {name} | {use / total:.1%} | {read / total:.1%} |" for name, use in shares.items()]
    lines += ["", "Not counted for FEB-Cache:", "", "| family | use | why |", "|---|---|---|"]
    lines += [
        f"| {family} | {use / total:.2%} | {reason} |"
        for (family, reason), use in sorted(without.items(), key=lambda pair: -pair[1])
    ]
    return "\n".join(lines)


def hosts() -> Iterable[Any]:
    """The model families that FEB-Cache knows."""
    from cache_core.hosts import HOSTS as known

    return known


def kept_use() -> list[dict[str, Any]]:
    """How often each template is opened, with its family and steps."""
    return json.loads((RESULTS / "template_use.json").read_text())["templates"]


def exceptions() -> str:
    """The templates that are not as they should be, and why; those whose nodes are newer."""
    rows = max(by_front_end().values(), key=lambda found: len(found["rows"]))["rows"]
    lines = ["| template | use | |", "|---|---|---|"]
    for row in sorted(rows, key=lambda row: -row["usage"]):
        why = reason(row)
        if why:
            lines.append(f"| {row['template']} | {row['usage']:,} | {why} |")
    return "\n".join(lines)


def reason(row: Row) -> str:
    """Why a template does not count as placed and right; empty where it does."""
    if not loads(row):
        return "not loadable: " + (row.get("error") or f"no {', '.join(row['missing'])} (ComfyUI {row['min_comfyui']})")
    if wrong(row):
        return "steps wrong"
    if row["models"] == 0:
        return "no sampler in the prompt"
    if long(row) and not placed(row):
        return f"{row['placed']} of {row['long']} placed, complaints: {row['complaints']}"
    return "" if right(row) else f"steps not known before a run, and said so: {row['unknown']} of {row['models']}"
