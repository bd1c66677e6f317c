#!/usr/bin/env python3
"""Write the subgraph that ComfyUI lists among its nodes: a KSampler with AB-Cache Apply before it.

    python3 scripts/make_blueprint.py [FOLDER]

FOLDER is subgraphs if it is not given, where ComfyUI looks for the subgraphs of a pack.
"""

import json
import sys
import uuid
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parent))
from canvas import Node, as_saved
from kinds import CORE, ROOT, defaults, kind_of, load_pack

NAME = "Sampler with AB-Cache"
SAYS = "Samples a diffusion transformer with AB-Cache: the first picture is learned from, those after it are faster."
CACHE, SAMPLER, HOST = 1, 2, 3  # ids of nodes
ENTRANCE, EXIT = -10, -20  # ids of a subgraph's borders, as the page has them
SHOWN = (  # the subgraph's inputs: the name, and the node that has it
    ("model", CACHE),
    ("positive", SAMPLER),
    ("negative", SAMPLER),
    ("latent_image", SAMPLER),
    ("preset", CACHE),
    ("seed", SAMPLER),
    ("steps", SAMPLER),
    ("cfg", SAMPLER),
    ("sampler_name", SAMPLER),
    ("scheduler", SAMPLER),
    ("denoise", SAMPLER),
)
TYPES = {"seed": "INT", "steps": "INT", "cfg": "FLOAT", "denoise": "FLOAT"}  # of widgets; all others are choices
SAMPLING = {
    "seed": 0,
    "control": "randomize",
    "steps": 20,
    "cfg": 4.0,
    "sampler_name": "euler",
    "scheduler": "simple",
    "denoise": 1.0,
}


def unique(name: str) -> str:
    """The same id for a name each time."""
    return str(uuid.uuid5(uuid.NAMESPACE_URL, f"{NAME}/{name}"))


def inside() -> dict[int, dict[str, Any]]:
    """The two nodes, by id, without links."""
    pack, name = load_pack(), "ABCacheApply"
    cls, title = pack.NODE_CLASS_MAPPINGS[name], pack.NODE_DISPLAY_NAME_MAPPINGS[name]
    cache = as_saved(Node(name, defaults(cls)), kind_of(cls), title, CACHE, [0, 0], [400, 720])
    sampler = as_saved(Node("KSampler", SAMPLING), CORE["KSampler"], None, SAMPLER, [480, 0], [320, 480])
    return {CACHE: cache, SAMPLER: sampler}


def socket(node: dict[str, Any], name: str) -> int:
    """The place of a node's input; that of a widget is made where it is not there yet."""
    names = [each["name"] for each in node["inputs"]]
    if name in names:
        return names.index(name)
    node["inputs"].append({"name": name, "type": TYPES.get(name, "COMBO"), "widget": {"name": name}, "link": None})
    return len(names)


def subgraph() -> dict[str, Any]:
    """The definition: the nodes, the borders, and the links between them."""
    nodes, links, inputs = inside(), [], []

    def link(origin: int, out: int, target: int, into: int, kind: str) -> int:
        ends = {"origin_id": origin, "origin_slot": out, "target_id": target, "target_slot": into, "type": kind}
        links.append({"id": len(links) + 1, **ends})
        return len(links)

    for slot, (name, owner) in enumerate(SHOWN):
        into = socket(nodes[owner], name)
        entry = nodes[owner]["inputs"][into]
        entry["link"] = link(ENTRANCE, slot, owner, into, entry["type"])
        place = [-120, 20 + 20 * slot]
        inputs.append(
            {"id": unique(name), "name": name, "type": entry["type"], "linkIds": [entry["link"]], "pos": place}
        )
    made = link(CACHE, 0, SAMPLER, 0, "MODEL")
    nodes[CACHE]["outputs"][0]["links"], nodes[SAMPLER]["inputs"][0]["link"] = [made], made
    out = link(SAMPLER, 0, EXIT, 0, "LATENT")
    nodes[SAMPLER]["outputs"][0]["links"] = [out]
    return {
        "id": unique("subgraph"),
        "version": 1,
        "state": {"lastGroupId": 0, "lastNodeId": HOST, "lastLinkId": len(links), "lastRerouteId": 0},
        "revision": 0,
        "config": {},
        "name": NAME,
        "description": SAYS,
        "category": "model_patches/acceleration",
        "inputNode": {"id": ENTRANCE, "bounding": [-240, 0, 140, 40 + 20 * len(inputs)]},
        "outputNode": {"id": EXIT, "bounding": [880, 0, 120, 60]},
        "inputs": inputs,
        "outputs": [{"id": unique("LATENT"), "name": "LATENT", "type": "LATENT", "linkIds": [out], "pos": [900, 20]}],
        "widgets": [],
        "nodes": list(nodes.values()),
        "groups": [],
        "links": links,
        "extra": {},
    }


def blueprint() -> dict[str, Any]:
    """The workflow of one node that shows the subgraph, as ComfyUI keeps it."""
    graph = subgraph()
    widgets = {name for name, _ in SHOWN} - {"model", "positive", "negative", "latent_image"}
    inputs = [
        {key: each[key] for key in ("name", "type")}
        | ({"widget": {"name": each["name"]}} if each["name"] in widgets else {})
        | {"link": None}
        for each in graph["inputs"]
    ]
    host = {
        "id": HOST,
        "type": graph["id"],
        "title": NAME,
        "pos": [0, 0],
        "size": [320, 360],
        "flags": {},
        "order": 0,
        "mode": 0,
        "inputs": inputs,
        "outputs": [{"name": "LATENT", "type": "LATENT", "links": []}],
        "properties": {"proxyWidgets": [[str(SAMPLER), "control_after_generate"]]},
        "widgets_values": [],
    }
    return {
        "revision": 0,
        "last_node_id": HOST,
        "last_link_id": 0,
        "nodes": [host],
        "links": [],
        "version": 0.4,
        "definitions": {"subgraphs": [graph]},
        "extra": {},
    }


def main(folder: Path) -> None:
    folder.mkdir(exist_ok=True)
    (folder / f"{NAME}.json").write_text(json.dumps(blueprint(), indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main(Path(sys.argv[1]) if sys.argv[1:] else ROOT / "subgraphs")
