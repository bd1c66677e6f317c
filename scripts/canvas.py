"""Workflows in the format that ComfyUI's page saves: columns of groups of nodes, from left to right; positions, ids
and links follow from that."""

from dataclasses import dataclass, field
from itertools import count

PACK_ID = "feb-ab-cache"  # the pack's name in pyproject.toml, by which the page finds the pack of a missing node
# a node's title bar, a widget's row, which is lower on the canvas than in "Nodes 2.0", and spaces
TITLE, ROW, GAP, PADDING = 30, 28, 24, 14
# a node's title bar and body, in the page's own purple and in its colour for notes
OURS, NOTE = ("#323", "#535"), ("#432", "#653")
PURPLE, BLUE = "#a1309b", "#3f789e"  # the page's own group colours


@dataclass(frozen=True)
class Kind:
    """A node class: its sockets, name to type, and its widgets in the page's order (a seed is followed by its
    `control`).

    `optional`: inputs that may be left unconnected.
    """

    inputs: dict[str, str]
    outputs: dict[str, str]
    widgets: tuple[str, ...] = ()
    optional: tuple[str, ...] = ()


@dataclass
class Node:
    """`values`: every widget's value, by name. `links`: where each input comes from, `name.OUTPUT`. `height` 0: as
    low as it goes.

    `name`: what links call the node; left out, its class.
    """

    cls: str
    values: dict[str, object] = field(default_factory=dict)
    links: dict[str, str] = field(default_factory=dict)
    height: int = 0
    title: str = ""
    name: str = ""

    def __post_init__(self) -> None:
        self.name = self.name or self.cls


@dataclass
class Group:
    title: str
    color: str
    nodes: list[Node]


@dataclass
class Column:
    width: int
    groups: list[Group]


def save_format(columns: list[Column], kinds: dict[str, Kind], titles: dict[str, str]) -> dict:
    """The workflow as the page saves it. Raises ValueError for two nodes of one name."""
    nodes, links, groups, ids = {}, [], [], count(1)
    x = 0
    for column in columns:
        y = 0
        for group in column.groups:
            top, y = y, y + 2 * PADDING + TITLE
            for node in group.nodes:
                kind = kinds[node.cls]
                height = node.height or minimum_height(kind)
                if node.name in nodes:
                    raise ValueError(
                        f"Two nodes are called {node.name!r}; links go by name, so give one of them another `name`."
                    )
                nodes[node.name] = as_saved(
                    node, kind, titles.get(node.cls), next(ids), [x + PADDING, y + TITLE], [column.width, height]
                )
                y += TITLE + height + GAP
            y += PADDING - GAP
            groups.append(
                {
                    "id": len(groups) + 1,
                    "title": group.title,
                    "bounding": [x, top, column.width + 2 * PADDING, y - top],
                    "color": group.color,
                    "font_size": 24,
                    "flags": {},
                }
            )
            y += 2 * GAP
        x += column.width + 2 * PADDING + 2 * GAP
    for node in (node for column in columns for group in column.groups for node in group.nodes):
        kind = kinds[node.cls]
        for slot, name in enumerate(kind.inputs):
            if name in kind.optional and name not in node.links:
                continue
            source, output = node.links[name].split(".")
            origin, target = nodes[source], nodes[node.name]
            out = [o["name"] for o in origin["outputs"]].index(output)
            links.append([len(links) + 1, origin["id"], out, target["id"], slot, origin["outputs"][out]["type"]])
            origin["outputs"][out]["links"].append(len(links))
            target["inputs"][slot]["link"] = len(links)
    return {
        "last_node_id": len(nodes),
        "last_link_id": len(links),
        "nodes": list(nodes.values()),
        "links": links,
        "groups": groups,
        "config": {},
        "extra": {},
        "version": 0.4,
    }


def minimum_height(kind: Kind) -> int:
    return 20 * max(len(kind.inputs), len(kind.outputs)) + ROW * len(kind.widgets) + 16


def as_saved(node: Node, kind: Kind, title: str | None, number: int, pos: list[int], size: list[int]) -> dict:
    """One node. Its links are filled in later. `title`: of a node of ours, which is coloured too."""
    title, colors = node.title or title, OURS if title else NOTE if node.cls == "MarkdownNote" else ()
    return {
        "id": number,
        "type": node.cls,
        **({"title": title} if title else {}),
        "pos": pos,
        "size": size,
        "flags": {},
        "order": number - 1,
        "mode": 0,
        "inputs": [{"name": name, "type": type_, "link": None} for name, type_ in kind.inputs.items()],
        "outputs": [{"name": name, "type": type_, "links": []} for name, type_ in kind.outputs.items()],
        "properties": {"Node name for S&R": node.cls} | ({"cnr_id": PACK_ID} if colors == OURS else {}),
        "widgets_values": [node.values[name] for name in kind.widgets],
        **dict(zip(("color", "bgcolor"), colors, strict=False)),
    }
