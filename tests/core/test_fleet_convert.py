"""Workflows as the page saves them, in API format."""

import pytest

from scripts.fleet.convert import Definition, converted, is_api
from scripts.fleet.errors import InputError

MENU = ["euler", "heun"]
OF = {"widgetType": "INT"}
CLASSES = {
    "Loader": Definition({"name": (["a", "b"],)}, ("MODEL", "CLIP")),
    "Patch": Definition({"model": ("MODEL",), "strength": ("FLOAT", {"default": 1.0})}, ("MODEL",)),
    "Latent": Definition(
        {"width": ("INT", {"default": 512}), "image": (["x.png"], {"image_upload": True})}, ("LATENT",)
    ),
    "Sampler": Definition(
        {
            "model": ("MODEL",),
            "seed": ("INT", {"default": 0}),
            "steps": ("INT", {"default": 20}),
            "sampler_name": (MENU,),
            "denoise": ("FLOAT", {"default": 1.0}),
            "latent": ("LATENT",),
            "text": ("STRING", {"forceInput": True}),
        },
        ("LATENT",),
    ),
    "Resize": Definition(
        {
            "mode": (
                "COMFY_DYNAMICCOMBO_V3",
                {
                    "options": [
                        {"key": "by", "inputs": {"required": {"factor": ("FLOAT", {"default": 2.0})}}},
                        {"key": "to", "inputs": {"required": {"seed": ("INT", {}), "height": ("FLOAT,INT", OF)}}},
                    ]
                },
            ),
            "method": ("COMBO", {"options": ["near", "far"]}),
        },
        ("LATENT",),
    ),
}


def node(number, kind, values=(), inputs=(), outputs=(), mode=0, **more):
    """A saved node. `inputs`: name, type and link; `outputs`: types."""
    return {
        "id": number,
        "type": kind,
        "mode": mode,
        "widgets_values": values if isinstance(values, dict) else list(values),
        "inputs": [{"name": name, "type": of, "link": link} for name, of, link in inputs],
        "outputs": [{"name": of, "type": of} for of in outputs],
        **more,
    }


def api(nodes, links, subgraphs=()):
    return converted({"nodes": nodes, "links": links, "definitions": {"subgraphs": list(subgraphs)}}, CLASSES.get)


LOADER = node(1, "Loader", ["b"], outputs=["MODEL", "CLIP"])
LATENT = node(2, "Latent", [640, "x.png", "image"], outputs=["LATENT"])


def sampler(model=10, latent=11, values=(7, "fixed", 30, "heun", 0.5)):
    return node(3, "Sampler", values, [("model", "MODEL", model), ("latent", "LATENT", latent)], ["LATENT"])


LINKS = [[10, 1, 0, 3, 0, "MODEL"], [11, 2, 0, 3, 1, "LATENT"]]
SAMPLED = {"seed": 7, "steps": 30, "sampler_name": "heun", "denoise": 0.5}


def test_widgets_are_named_by_the_definition_and_the_control_behind_a_seed_is_none():
    assert api([LOADER, LATENT, sampler()], LINKS) == {
        "1": {"class_type": "Loader", "inputs": {"name": "b"}},
        "2": {"class_type": "Latent", "inputs": {"width": 640, "image": "x.png"}},
        "3": {"class_type": "Sampler", "inputs": {**SAMPLED, "model": ["1", 0], "latent": ["2", 0]}},
    }


def test_widgets_that_an_older_workflow_lacks_show_their_defaults():
    made = api([node(2, "Latent", []), node(1, "Loader", {"name": "b", "other": 1})], [])
    assert made["2"]["inputs"] == {"width": 512, "image": "x.png"}
    assert made["1"]["inputs"] == {"name": "b"}


def test_a_menu_with_inputs_of_its_own_names_them_after_itself():
    made = api([node(1, "Resize", ["to", 3, 4, "far"])], [])
    assert made["1"]["inputs"] == {"mode": "to", "mode.seed": 3, "mode.height": 4, "method": "far"}


def test_a_muted_node_leaves_an_input_unlinked_and_a_bypassed_one_hands_its_own_through():
    muted = {**LATENT, "mode": 2}
    patch = node(4, "Patch", [1.0], [("model", "MODEL", 12)], ["MODEL"], mode=4)
    links = [[12, 1, 0, 4, 0, "MODEL"], [10, 4, 0, 3, 0, "MODEL"], LINKS[1]]
    made = api([LOADER, muted, patch, sampler()], links)
    assert set(made) == {"1", "3"}
    assert made["3"]["inputs"] == {**SAMPLED, "model": ["1", 0]}


def test_reroutes_are_followed_and_a_primitive_is_its_value():
    reroute = node(5, "Reroute", [], [("", "*", 12)], ["MODEL"])
    primitive = node(6, "PrimitiveNode", [99, "fixed"], [], ["INT"])
    own = sampler()
    own["inputs"].append({"name": "steps", "type": "INT", "link": 13, "widget": {"name": "steps"}})
    links = [[12, 1, 0, 5, 0, "MODEL"], [10, 5, 0, 3, 0, "MODEL"], LINKS[1], [13, 6, 0, 3, 2, "INT"]]
    made = api([LOADER, LATENT, reroute, primitive, own, node(7, "Note", ["text"])], links)
    assert set(made) == {"1", "2", "3"}
    assert made["3"]["inputs"] == {**SAMPLED, "steps": 99, "model": ["1", 0], "latent": ["2", 0]}


def link(number, origin, slot, target, at):
    return {"id": number, "origin_id": origin, "origin_slot": slot, "target_id": target, "target_slot": at}


INNER = {
    "id": "inner",
    "inputs": [{"name": "model"}, {"name": "steps"}],
    "nodes": [
        {**LATENT, "id": 1},
        {
            **sampler(20, 21),
            "id": 2,
            "inputs": [
                {"name": "model", "type": "MODEL", "link": 20},
                {"name": "latent", "type": "LATENT", "link": 21},
                {"name": "steps", "type": "INT", "link": 23, "widget": {"name": "steps"}},
            ],
        },
    ],
    "links": [link(20, -10, 0, 2, 0), link(21, 1, 0, 2, 1), link(22, 2, 0, -20, 0), link(23, -10, 1, 2, 2)],
}
OUTER = {
    "id": "outer",
    "inputs": [{"name": "model"}],
    "nodes": [node(8, "inner", [], [("model", "MODEL", 30)], ["LATENT"])],
    "links": [link(30, -10, 0, 8, 0), link(31, 8, 0, -20, 0)],
}


def test_subgraphs_in_subgraphs_are_flat_with_ids_of_their_places():
    instance = node(9, "outer", [], [("model", "MODEL", 40)], ["LATENT"])
    after = node(3, "Sampler", [7, "fixed", 30, "heun", 0.5], [("latent", "LATENT", 41)], ["LATENT"])
    made = api([LOADER, instance, after], [[40, 1, 0, 9, 0, "MODEL"], [41, 9, 0, 3, 0, "LATENT"]], [INNER, OUTER])
    assert made["9:8:2"]["inputs"] == {**SAMPLED, "model": ["1", 0], "latent": ["9:8:1", 0]}
    assert made["3"]["inputs"]["latent"] == ["9:8:2", 0]
    assert set(made) == {"1", "3", "9:8:1", "9:8:2"}


def test_what_a_subgraph_shows_outside_counts_and_what_is_linked_there_too():
    shown = {"properties": {"proxyWidgets": [["2", "denoise"]]}}
    inputs = [("model", "MODEL", 40), ("steps", "INT", 41)]
    instance = node(9, "inner", [0.25], inputs, ["LATENT"], **shown)
    links = [[40, 1, 0, 9, 0, "MODEL"], [41, 6, 0, 9, 1, "INT"]]
    made = api([LOADER, instance, node(6, "PrimitiveNode", [50], [], ["INT"])], links, [INNER])
    assert made["9:2"]["inputs"] == {
        **SAMPLED,
        "steps": 50,
        "denoise": 0.25,
        "model": ["1", 0],
        "latent": ["9:1", 0],
    }


def test_what_a_newer_front_end_shows_outside_counts_in_the_order_of_the_inputs():
    instance = node(9, "inner", [44], [("model", "MODEL", 40), ("steps", "INT", None)], ["LATENT"])
    made = api([LOADER, instance], [[40, 1, 0, 9, 0, "MODEL"]], [INNER])
    assert made["9:2"]["inputs"] == {**SAMPLED, "steps": 44, "model": ["1", 0], "latent": ["9:1", 0]}


def test_a_socket_gets_the_value_of_the_widget_that_hangs_on_the_same_input_of_a_subgraph():
    patch = node(3, "Patch", [1.0], [("model", "MODEL", None), ("count", "INT", 24)])
    both = {**INNER, "nodes": [*INNER["nodes"], patch], "links": [*INNER["links"], link(24, -10, 1, 3, 1)]}
    instance = node(9, "inner", [], [("model", "MODEL", 40), ("steps", "INT", None)], ["LATENT"])
    made = api([LOADER, instance], [[40, 1, 0, 9, 0, "MODEL"]], [both])
    assert made["9:3"]["inputs"] == {"strength": 1.0, "count": 30}


@pytest.mark.parametrize("workflow", [[], {}, {"a": 1}, {"nodes": [{"id": 1}]}, {"nodes": [LOADER], "links": [[1]]}])
def test_what_is_no_workflow_is_named_so(workflow):
    with pytest.raises(InputError, match="workflow"):
        converted(workflow, CLASSES.get)


def test_a_prompt_is_told_from_a_workflow():
    assert is_api({"1": {"class_type": "Loader", "inputs": {}}})
    assert not is_api({"nodes": [], "links": []})
