"""Samplers whose models learn, variations, and tasks."""

import json
from pathlib import Path

import pytest

from scripts.fleet.convert import Definition
from scripts.fleet.errors import InputError
from scripts.fleet.graph import ancestors, apply_before, everywhere, learners, model_of, pruned, samplers
from scripts.fleet.matrix import parsed
from scripts.fleet.report import KNOWN, Result, as_json, as_text, cost
from scripts.fleet.tasks import Wanted, grouped, tasks_of

CLASSES = {
    "Loader": Definition({"name": (["a", "b"],)}, ("MODEL",)),
    "LoraLoaderModelOnly": Definition(
        {"model": ("MODEL",), "lora_name": (["x"],), "strength_model": ("FLOAT", {"default": 1.0})}, ("MODEL",)
    ),
    "ABCacheApply": Definition(
        {"model": ("MODEL",), "preset": (["auto", "fast"],), "learn": ("BOOLEAN", {"default": True})},
        ("MODEL", "REPORT"),
    ),
    "Switch": Definition({"on": ("*",)}, ("*",)),
    "Guider": Definition({"model": ("MODEL",)}, ("GUIDER",)),
    "Empty": Definition({"width": ("INT",), "height": ("INT",)}, ("LATENT",)),
    "Sampler": Definition({"model": ("MODEL",), "latent_image": ("LATENT",), "steps": ("INT",)}, ("LATENT",)),
    "Custom": Definition({"guider": ("GUIDER",), "latent_image": ("LATENT",)}, ("LATENT", "LATENT")),
    "Decode": Definition({"samples": ("LATENT",)}, ("IMAGE",)),
}
PRESETS = {"ABCacheApply": {"auto": 3.0, "quality": 2.0, "balanced": 3.0, "fast": 4.0}}


def define(name):
    return CLASSES.get(name)


def of(kind, **inputs):
    return {"class_type": kind, "inputs": inputs}


def prompt(**more):
    return {
        "1": of("Loader", name="a"),
        "2": of("Empty", width=512, height=512),
        "3": of("ABCacheApply", model=["1", 0], preset="auto"),
        "4": of("Sampler", model=["3", 0], latent_image=["2", 0], steps=20),
        "5": of("Decode", samples=["4", 0]),
        **more,
    }


def bare():
    made = prompt()
    made["4"]["inputs"]["model"] = ["1", 0]
    del made["3"]
    return made


def test_a_sampler_is_found_by_its_model_or_its_guider_through_other_nodes():
    made = prompt(
        **{
            "6": of("Switch", on=["3", 0]),
            "7": of("Guider", model=["6", 0]),
            "8": of("Custom", guider=["7", 0], latent_image=["4", 0]),
            "9": of("Sampler", model=["1", 0], latent_image=["2", 0], steps=20),
        }
    )
    assert samplers(made, define) == ["4", "8", "9"]
    assert learners(made, define) == [("4", "3"), ("8", "3")]


@pytest.mark.parametrize("change", [{"learn": False}, {"preset": "off"}, {"plan": ["1", 0]}])
def test_a_node_that_does_not_learn_is_none(change):
    made = prompt()
    made["3"]["inputs"].update(change)
    assert apply_before(made, "4", define) == ""


def test_only_what_a_sampler_needs_is_run():
    assert ancestors(prompt(), "4") == {"1", "2", "3", "4"}
    assert list(pruned(prompt(), "4")) == ["1", "2", "3", "4"]


def test_everywhere_puts_a_node_before_samplers_that_have_none_and_the_same_one_for_the_same_model():
    made = bare()
    made["7"] = of("Guider", model=["1", 0])
    made["8"] = of("Custom", guider=["7", 0], latent_image=["4", 0])
    after = everywhere(made, define)
    assert [learner.sampler for learner in learners(after, define)] == ["4", "8"]
    assert sum(node["class_type"] == "ABCacheApply" for node in after.values()) == 1
    assert everywhere(prompt(), define) == prompt()
    assert made["4"]["inputs"]["model"] == ["1", 0]


def test_models_are_the_same_whatever_patches_are_on_them():
    made = prompt(**{"6": of("Loader", name="b"), "7": of("Sampler", model=["6", 0], latent_image=["2", 0], steps=1)})
    patched = prompt()
    patched["6"] = of("LoraLoaderModelOnly", model=["1", 0], lora_name="x", strength_model=1.0)
    patched["3"]["inputs"]["model"] = ["6", 0]
    assert model_of(patched, "4", define) == model_of(made, "4", define) != model_of(made, "7", define)


def varied(*entries, of_prompt=None):
    found = []
    for name, changes in parsed(entries):
        made = json.loads(json.dumps(of_prompt or prompt()))
        for change in changes:
            change(made, define)
        found.append((name, made))
    return found


def test_a_matrix_is_all_combinations():
    found = varied("size=64x32,32x32", "steps=4,8")
    assert [name for name, _ in found] == [f"size={s}, steps={n}" for s in ("64x32", "32x32") for n in (4, 8)]
    assert found[1][1]["2"]["inputs"] == {"width": 64, "height": 32}
    assert found[1][1]["4"]["inputs"]["steps"] == 8
    assert [name for name, _ in varied()] == [""]


def test_a_lora_goes_into_the_loader_that_is_there_or_into_a_new_one():
    for _, made in varied("lora=x:0.5"):
        (key,) = [key for key, node in made.items() if node["class_type"] == "LoraLoaderModelOnly"]
        assert made["3"]["inputs"]["model"] == [key, 0]
        assert made[key]["inputs"] == {"model": ["1", 0], "lora_name": "x", "strength_model": 0.5}
    there = prompt(**{"6": of("LoraLoaderModelOnly", model=["1", 0], lora_name="y", strength_model=1.0)})
    (_, with_one), (_, without) = varied("lora=folder/x:0.5,none", of_prompt=there)
    assert with_one["6"]["inputs"] == {"model": ["1", 0], "lora_name": "folder/x", "strength_model": 0.5}
    assert without["6"]["inputs"]["strength_model"] == 0.0
    assert varied("lora=none")[0][1] == prompt()


@pytest.mark.parametrize("entry", ["size=big", "steps=x", "lora=x", "cfg=2", "steps", "=3", "steps=1,,2", "size=1x2x3"])
def test_a_matrix_that_cannot_be_is_named(entry):
    with pytest.raises(InputError, match="--matrix"):
        varied(entry)


def tasks(path, content, check=lambda prompt, key: None, **wanted):
    path.write_text(json.dumps(content))
    return tasks_of(path, Wanted(presets=PRESETS, **wanted), define, check)


def test_a_task_for_each_sampler_and_variation(tmp_path):
    found = tasks(tmp_path / "a.json", prompt(), matrix=["steps=12,24"], speedup=4.0, pictures=2)
    assert [task.name for task in found] == ["a.json, sampler 4, steps=12", "a.json, sampler 4, steps=24"]
    assert [task.prompt["3"]["inputs"]["preset"] for task in found] == ["fast", "fast"]
    assert (found[0].samplings, found[0].cost) == (5, 2 * 12 + 3 * 3)
    assert cost(found[0]) == f"{found[0].name}: 2 pictures, 5 samplings, about 33 computed steps"
    assert "5" not in found[0].prompt


def test_tasks_of_a_model_are_together(tmp_path):
    other = prompt()
    other["1"]["inputs"]["name"] = "b"
    own = [
        *tasks(tmp_path / "a.json", prompt()),
        *tasks(tmp_path / "b.json", other),
        *tasks(tmp_path / "c.json", prompt()),
    ]
    assert [task.name[0] for task in grouped(own)] == ["a", "c", "b"]


@pytest.mark.parametrize(
    ("content", "said", "wanted"),
    [
        ({"1": of("Loader", name="a")}, "no sampler", {}),
        ({"1": of("Gone", name="a")}, "ComfyUI has no Gone", {}),
        (bare(), "--everywhere", {}),
        (prompt(), "its speed-ups are 2", {"speedup": 7.0}),
        ([], "no workflow", {}),
    ],
)
def test_bad_input_names_the_file(tmp_path, content, said, wanted):
    path = tmp_path / "bad.json"
    with pytest.raises(InputError, match=said) as error:
        tasks(path, content, **wanted)
    assert str(error.value).startswith(str(path))
    assert len(str(error.value).splitlines()) == 1


def test_a_file_that_cannot_be_read_and_a_complaint_name_the_file(tmp_path):
    for path, text in ((tmp_path / "none.json", None), (tmp_path / "text.json", "{")):
        if text:
            path.write_text(text)
        with pytest.raises(InputError, match=path.name):
            tasks_of(path, Wanted(presets=PRESETS), define, lambda prompt, key: None)
    with pytest.raises(InputError, match="there is no a.safetensors"):
        tasks(Path(tmp_path / "c.json"), prompt(), check=lambda prompt, key: "there is no a.safetensors")


def test_the_report_counts_and_names(tmp_path):
    (task,) = tasks(tmp_path / "a.json", prompt())
    known, again = Result("b", KNOWN, "key", "file"), Result("c", "error", reason="why", tries=3)
    text = as_text([known, again], [task])
    assert text.splitlines() == [
        "known: b (file)",
        "error, 3 tries: c (why)",
        f"left: {task.name}",
        "1 known, 1 error, 1 left, 1 tried again",
    ]
    found = json.loads(as_json([known, again], [task], 1.0))
    assert found["counts"] == {"known": 1, "error": 1, "left": 1, "tried again": 1}
    assert [row["result"] for row in found["plans"]] == ["known", "error", "left"]
