#!/usr/bin/env python3
"""Write the example workflows that are ComfyUI's official templates with AB-Cache Apply before the sampler.

    python3 scripts/make_template_workflows.py [FOLDER] [--templates FOLDER]

FOLDER is example_workflows if it is not given. The templates are those of the installed comfyui-workflow-templates-json
(written with 0.1.123), or in --templates.
"""

import argparse
import json
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent
sys.path[:0] = [str(ROOT), str(ROOT / "scripts")]

from canvas import Node, as_saved  # noqa: E402
from kinds import CORE, defaults, kind_of, load_pack  # noqa: E402
from parts import CLOSED  # noqa: E402
from templates import installed  # noqa: E402

CACHE = "ABCacheApply"
SIZE = [300, CLOSED[CACHE]]
NOTE_SIZE = [440, 420]
BELOW = 100  # pixels from a node to the note below it
KEPT = ("ds", "frontendVersion", "workflowRendererVersion")  # of what a template says about the page


@dataclass(frozen=True)
class Made:
    """A workflow to make: its official `template`, what the `model` is called, what it makes, the ids of the nodes
    that take the model to sample (a second one takes the `model_2` of the same cache), the place of the cache, and
    what else to know."""

    template: str
    model: str
    makes: str
    takers: tuple[int, ...]
    place: tuple[int, int]
    more: str = ""


WORKFLOWS = {
    "12_minimax_h3_text_to_video_with_sound": Made(
        "video_minimax_h3_t2v",
        "MiniMax H3",
        "clip",
        (126,),
        (-440, 5400),
        "The sound has a plan of its own. With the Turbo LoRA switched on there are 6 steps, and all are computed.",
    ),
    "07_qwen_image_2_1_text_to_image": Made(
        "image_qwen_image_2_1_t2i",
        "Qwen-Image 2.1",
        "picture",
        (458,),
        (740, 1230),
        "The template's own cache node stays: it keeps what the model computes of the prompt, and goes with this one. "
        "Needs a ComfyUI that knows Qwen-Image 2.1.",
    ),
    "09_wan_2_2_image_to_video": Made(
        "video_wan2_2_14B_i2v",
        "Wan 2.2 14B",
        "clip",
        (86, 85),
        (1580, 680),
        "One node does for both experts: the high-noise model goes through `model`, the low-noise one through "
        "`model_2`. With the 4-step LoRA switched on all steps are computed. Choose your own picture in Load Image.",
    ),
    "08_z_image_text_to_image": Made("image_z_image", "Z-Image", "picture", (69,), (660, 570)),
    "06_flux_2_text_to_image": Made(
        "image_flux2_text_to_image",
        "FLUX.2",
        "picture",
        (22,),
        (130, 890),
        "With the 8-step LoRA switched on there is little to skip.",
    ),
    "13_ltx_2_3_text_to_video_with_sound": Made(
        "video_ltx2_3_t2v",
        "LTX-2.3",
        "clip",
        (231,),
        (2735, 4050),
        "The node is before the first pass, which has 8 steps. The second pass has 3, and all are computed. The "
        "sound has a plan of its own.",
    ),
}


def note_of(made: Made, inside: str) -> str:
    """The text of a workflow's note. `inside`: the name of the subgraph that the cache is in."""
    parts = (
        f"## {made.model} with AB-Cache",
        f"**AB-Cache Apply** is before the sampler, in the subgraph *{inside}* of the node above. It runs the model "
        "at some steps and predicts its output at the others.",
        f"The **first {made.makes}** is computed in full and learned from. All that follow are faster, with any prompt "
        "and seed; another model, sampler, number of steps or size is learned anew.",
        "**preset**: `quality`, `balanced` (what `auto` is) or `fast`. The timeline on the node says which steps are "
        "computed.",
        made.more,
        f"Made from ComfyUI's official template `{made.template}` (MIT).",
    )
    return "\n\n".join(filter(None, parts)) + "\n"


class Numbers:
    """Fresh ids of nodes and links, above all that a workflow uses."""

    def __init__(self, workflow: dict[str, Any]) -> None:
        self.workflow = workflow

    def node(self) -> int:
        self.workflow["last_node_id"] += 1
        return self.workflow["last_node_id"]

    def link(self) -> int:
        self.workflow["last_link_id"] += 1
        return self.workflow["last_link_id"]


def put(graph: dict[str, Any], made: Made, cache: dict[str, Any], numbers: Numbers) -> None:
    """Add the cache to a graph, between each of the nodes that take a model and what they took it from."""
    nodes = {node["id"]: node for node in graph["nodes"]}
    for model, taker in zip(("model", "model_2"), made.takers, strict=False):
        slot, taken = _named(nodes[taker]["inputs"], "model")
        into, entrance = _named(cache["inputs"], model)
        out, exit_ = _named(cache["outputs"], model)
        link = next(link for link in graph["links"] if link["id"] == taken["link"])
        link["target_id"], link["target_slot"], entrance["link"] = cache["id"], into, link["id"]
        taken["link"] = numbers.link()
        exit_["links"].append(taken["link"])
        ends = {"origin_id": cache["id"], "origin_slot": out, "target_id": taker, "target_slot": slot}
        graph["links"].append({"id": taken["link"], **ends, "type": "MODEL"})
    graph["nodes"].append(cache)


def _named(sockets: list[dict[str, Any]], name: str) -> tuple[int, dict[str, Any]]:
    return next((slot, socket) for slot, socket in enumerate(sockets) if socket["name"] == name)


def with_cache(template: Mapping[str, Any], made: Made, cls: type, title: str) -> dict[str, Any]:
    """A template's workflow with the cache in its one subgraph, and a note; the template stays as it is."""
    workflow: dict[str, Any] = json.loads(json.dumps(template))
    numbers, (graph,) = Numbers(workflow), workflow["definitions"]["subgraphs"]
    cache = as_saved(Node(CACHE, defaults(cls)), kind_of(cls), title, numbers.node(), list(made.place), SIZE)
    put(graph, made, cache, numbers)
    (host,) = (node for node in workflow["nodes"] if node["type"] == graph["id"])
    below = [host["pos"][0], host["pos"][1] + host["size"][1] + BELOW]
    note = Node("MarkdownNote", {"text": note_of(made, graph["name"])}, title="AB-Cache")
    workflow["nodes"].append(as_saved(note, CORE["MarkdownNote"], None, numbers.node(), below, NOTE_SIZE))
    graph["state"] |= {"lastNodeId": workflow["last_node_id"], "lastLinkId": workflow["last_link_id"]}
    workflow["extra"] = {key: value for key, value in workflow["extra"].items() if key in KEPT}
    return workflow


def write(folder: Path, templates: Path) -> list[Path]:
    """The files of the workflows, written."""
    pack, files = load_pack(), []
    cls, title = pack.NODE_CLASS_MAPPINGS[CACHE], pack.NODE_DISPLAY_NAME_MAPPINGS[CACHE]
    for name, made in WORKFLOWS.items():
        template = json.loads((templates / f"{made.template}.json").read_text(encoding="utf-8"))
        files.append(folder / f"{name}.json")
        text = json.dumps(with_cache(template, made, cls, title), indent=1, ensure_ascii=False)
        files[-1].write_text(text + "\n", encoding="utf-8")
    return files


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", nargs="?", type=Path, default=ROOT / "example_workflows")
    parser.add_argument("--templates", type=Path, default=installed())
    given = parser.parse_args()
    if given.templates is None:
        print("There are no templates: install comfyui-workflow-templates-json, or give --templates.", file=sys.stderr)
        return 1
    write(given.folder, given.templates)
    return 0


if __name__ == "__main__":
    sys.exit(main())
