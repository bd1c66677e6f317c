"""The FLUX workflows, run as a whole by a real ComfyUI: what they load is tiny, and all else is as in the file."""

import json
import time
import urllib.error
import urllib.request
from pathlib import Path

import pytest
import torch
from safetensors.torch import save_file

ROOT = Path(__file__).resolve().parents[2]
STEPS, SIDE = 12, 128
TINY = {"UNETLoader": "TinyFlux", "VAELoader": "TinyVAE", "ControlNetLoader": "TinyControlNet"}
PROMPT = ["tiny", 1]  # the output of the TinyFlux that stands for every CLIPTextEncode
LEFT_OUT = ("MarkdownNote", "DualCLIPLoader", "CLIPTextEncode")


@pytest.fixture(scope="module")
def lora(base) -> str:
    """The name of a LoRA for one layer of the tiny FLUX."""
    noise = torch.Generator().manual_seed(3)
    key = "lora_unet_double_blocks_0_img_attn_proj"
    (base / "models" / "loras").mkdir(parents=True, exist_ok=True)
    save_file(
        {
            f"{key}.lora_down.weight": torch.randn(4, 128, generator=noise),
            f"{key}.lora_up.weight": 0.01 * torch.randn(128, 4, generator=noise),
            f"{key}.alpha": torch.tensor(4.0),
        },
        base / "models" / "loras" / "tiny.safetensors",
    )
    return "tiny.safetensors"


@pytest.fixture
def kinds(script, pack) -> dict:
    return script.CORE | {name: script.kind_of(cls) for name, cls in pack.NODE_CLASS_MAPPINGS.items()}


@pytest.fixture
def run(url, kinds, lora):
    """A function that runs a workflow of this pack, small, and returns what its nodes show, by class and title."""

    def running(name: str, seed: int = 42, steps: int = STEPS) -> dict[str, dict]:
        saved = json.loads((ROOT / "example_workflows" / f"{name}.json").read_text(encoding="utf-8"))
        small = {"lora_name": lora, "steps": steps, "width": SIDE, "height": SIDE, "noise_seed": seed, "seed": seed}
        prompt = as_prompt(saved, kinds, small)
        latent = next(node["inputs"]["latent"] for node in prompt.values() if node["class_type"] == "CacheReport")
        prompt["end"] = {"class_type": "TinyEnd", "inputs": {"samples": latent}}
        shown = queue(url, prompt)
        titles = {str(node["id"]): node.get("title", node["type"]) for node in saved["nodes"]} | {"end": "end"}
        return {titles[number]: output for number, output in shown.items()}

    return running


def as_prompt(saved: dict, kinds: dict, small: dict) -> dict:
    """A saved workflow as ComfyUI's server takes it, with `small` in place of its own values, and with tiny loaders."""
    nodes = {node["id"]: node for node in saved["nodes"]}
    sources = {number: (nodes[source], output) for number, source, output, *_ in saved["links"]}
    prompt = {"tiny": {"class_type": "TinyFlux", "inputs": {}}}
    for node in saved["nodes"]:
        if node["type"] in TINY:
            prompt[str(node["id"])] = {"class_type": TINY[node["type"]], "inputs": {}}
        elif node["type"] not in LEFT_OUT:
            values = dict(zip(kinds[node["type"]].widgets, node["widgets_values"], strict=True))
            inputs = {
                name: small.get(name, value) for name, value in values.items() if name not in ("control", "upload")
            }
            links = {i["name"]: linked(*sources[i["link"]]) for i in node["inputs"] if i["link"] is not None}
            prompt[str(node["id"])] = {"class_type": node["type"], "inputs": inputs | links}
    return prompt


def linked(source: dict, output: int) -> list:
    return PROMPT if source["type"] == "CLIPTextEncode" else [str(source["id"]), output]


def queue(url: str, prompt: dict) -> dict:
    """What the nodes of a prompt show once it has run. Fails with the server's words if it does not."""
    asked = urllib.request.Request(f"{url}/prompt", json.dumps({"prompt": prompt}).encode())
    try:
        number = json.load(urllib.request.urlopen(asked, timeout=30))["prompt_id"]
    except urllib.error.HTTPError as refused:
        pytest.fail(refused.read().decode())
    for _ in range(600):
        done = json.load(urllib.request.urlopen(f"{url}/history/{number}", timeout=30)).get(number)
        if done:
            failed = [
                said["exception_message"] for event, said in done["status"]["messages"] if event == "execution_error"
            ]
            assert not failed
            return done["outputs"]
        time.sleep(0.2)
    pytest.fail("the prompt is still running after two minutes")


def text(shown: dict, title: str) -> str:
    return "".join(shown[title]["text"])


def test_the_template_browser_lists_and_opens_every_workflow_and_has_a_picture_of_it(url):
    listed = json.load(urllib.request.urlopen(f"{url}/api/workflow_templates", timeout=30))
    files = {path.stem: path for path in (ROOT / "example_workflows").glob("*.json")}
    assert sorted(listed["cloned"]) == sorted(files)
    for name, path in files.items():
        with urllib.request.urlopen(f"{url}/api/workflow_templates/cloned/{name}.json", timeout=30) as workflow:
            assert workflow.read() == path.read_bytes()
        with urllib.request.urlopen(f"{url}/api/workflow_templates/cloned/{name}.jpg", timeout=30) as picture:
            assert picture.headers["Content-Type"] == "image/jpeg"


@pytest.mark.parametrize("name", ["04_flux_text_to_image_with_feb_cache", "01_start_here_flux_text_to_image"])
def test_a_workflow_of_one_sampler_runs_and_reports(run, name):
    shown = run(name, seed=1)
    assert f"{STEPS} steps" in text(shown, "Cache Report")
    assert shown["SaveImage"]["images"]


def learning(run, name: str, steps: int = STEPS) -> dict[str, dict]:
    """What the nodes show of the run that a plan is learned from: the first one, or the second, where the plans that
    the server has learned before were never used."""
    shown = run(name, 5, steps)
    return shown if "a plan was learned" in text(shown, "Cache Report") else run(name, 6, steps)


def test_calibrating_once_serves_every_later_seed(run):
    first = run("05_flux_plan_from_several_pictures", seed=1)
    second = run("05_flux_plan_from_several_pictures", seed=2)
    assert "uncached pictures" in text(first, "Cache Calibrate")
    assert text(first, "Cache Plan Save") == "saved as flux_28_steps.safetensors"
    assert first["What was found"]["images"]
    for shown in (first, second):
        assert "AB-Cache, plan" in text(shown, "Cache Report")
    assert text(first, "end") != text(second, "end")


def test_lora_and_controlnet_run_under_the_cache(run):
    name = "03_flux_with_lora_and_controlnet"
    recorded, fast = learning(run, name), run(name, seed=2)
    assert "a plan was learned" in text(recorded, "Cache Report")
    assert recorded["Edges"]["images"]
    (report,) = fast["Cache Report"]["reports"]
    assert (report["name"], report["computed"] < STEPS) == ("AB-Cache auto, learned", True)
    assert 0 < fast["end"]["controlled"][0] <= report["computed"]
    assert recorded["end"]["controlled"][0] > fast["end"]["controlled"][0]  # again when the plan was fitted, unseen


def test_side_by_side_is_alike_while_learning_and_close_after(run):
    # at its own step count, so that no plan is there yet
    name = "02_flux_uncached_and_cached_side_by_side"
    first, second = learning(run, name, STEPS + 2), run(name, 7, STEPS + 2)
    assert "nothing differs" in text(first, "Cache Compare")
    assert "PSNR" in text(second, "Cache Compare")
    assert "nothing differs" not in text(second, "Cache Compare")
    for title in ("Uncached left, cached right", "Difference, brightened"):
        assert second[title]["images"]
