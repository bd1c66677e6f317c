"""A real ComfyUI server with this pack, for measurements and for the page's tests: started, asked, stopped."""

import json
import os
import socket
import subprocess
import time
import urllib.error
import urllib.request
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]


class ServerError(Exception):
    """A server did not start. The message is the last line of its log."""


@contextmanager
def serving(
    comfyui: Path,
    python: str,
    base: Path,
    packs: Mapping[str, Path],
    extra: Sequence[str] = (),
    port: int = 0,
    templates: bool = True,
) -> Iterator[str]:
    """The address of a ComfyUI on the CPU that has only `packs`, by their names there, as long as the context lasts.

    `base` is its folder for models, output and log. `port` 0 takes a free one. Without `templates` it starts with a
    package of workflow templates for another version, too. Raises ServerError if it does not start.
    """
    (base / "custom_nodes").mkdir(parents=True)
    for name, pack in packs.items():
        (base / "custom_nodes" / name).symlink_to(pack)
    command = [python, "-W", "ignore", "main.py", "--cpu", "--port", "{port}", "--base-directory", base]
    stubs = None if templates else _no_templates(base / "stubs")
    with running([*command, "--disable-api-nodes", *extra], comfyui, base / "log", port, stubs) as address:
        yield address


def _no_templates(folder: Path) -> Path:
    """`folder`, with an empty package in place of the installed workflow templates, for every version of ComfyUI."""
    package = folder / "comfyui_workflow_templates"
    (package / "templates").mkdir(parents=True)
    (package / "__init__.py").write_text("iter_templates = get_asset_path = lambda *_: ()\n")
    return folder


@contextmanager
def running(
    command: Sequence[str | Path], folder: Path, log: Path, port: int = 0, first: Path | None = None
) -> Iterator[str]:
    """The address of the server that the command starts in `folder`, as long as the context lasts. `{port}` in it is
    replaced. Packages in `first` hide installed ones. See serving."""
    port, path = port or free_port(), os.environ.get("PYTHONPATH")
    hiding = {"PYTHONPATH": os.pathsep.join(map(str, filter(None, (first, path))))} if first else {}
    with log.open("w") as file:
        server = subprocess.Popen(
            [str(part).replace("{port}", str(port)) for part in command],
            cwd=folder,
            stdout=file,
            stderr=file,
            env={**os.environ, "OMP_NUM_THREADS": "1", **hiding},
        )
    url = f"http://127.0.0.1:{port}"
    try:
        _await(server, url, log)
        yield url
    finally:
        server.terminate()
        server.wait(30)


def free_port() -> int:
    """A port that nobody listens on now."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        return free.getsockname()[1]


def _await(server: subprocess.Popen, url: str, log: Path) -> None:
    for _ in range(240):
        if server.poll() is not None:
            raise ServerError("The server does not start: " + (log.read_text().strip().splitlines() or ["no log"])[-1])
        try:
            urllib.request.urlopen(f"{url}/system_stats", timeout=2).close()
            return
        except OSError:
            time.sleep(0.5)
    raise ServerError("The server does not answer within two minutes.")


def asked(url: str, data: object = None) -> dict:
    """The JSON that the server answers; an answer of 400, such as that of a prompt which it refuses, too."""
    body = None if data is None else json.dumps(data).encode()
    try:
        with urllib.request.urlopen(
            urllib.request.Request(url, body, {"Content-Type": "application/json"}), timeout=60
        ) as answer:
            return json.loads(answer.read() or b"{}")
    except urllib.error.HTTPError as error:
        return json.loads(error.read() or b"{}")


def queue(url: str, prompts: Sequence[dict]) -> list[str]:
    """The ids of API-format prompts, queued one after the other. Raises ServerError for one that is not accepted."""
    answers = [asked(f"{url}/prompt", {"prompt": prompt}) for prompt in prompts]
    refused = next((answer for answer in answers if "prompt_id" not in answer), None)
    if refused:
        raise ServerError(f"ComfyUI refuses a prompt: {json.dumps(refused)[:500]}")
    return [answer["prompt_id"] for answer in answers]


def result(url: str, prompt_id: str) -> dict:
    """What /history says of a prompt, once it is done."""
    while True:
        found = asked(f"{url}/history/{prompt_id}").get(prompt_id, {})
        if found.get("status", {}).get("completed") is not None:
            return found
        time.sleep(0.1)


def defaults(url: str, node: str) -> dict[str, object]:
    """The widgets of a node as they stand when it is put on the graph."""
    groups = asked(f"{url}/object_info/{node}")[node]["input"]
    found = {name: spec for group in ("required", "optional") for name, spec in groups.get(group, {}).items()}
    return {name: spec[1]["default"] for name, spec in found.items() if len(spec) > 1 and "default" in spec[1]}
