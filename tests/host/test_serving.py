"""The example of a web service: its replica learns, and what comes after goes by the plan."""

import json
import subprocess
import sys

import pytest
from comfy_models import COMFYUI
from fleet import ROOT, base, environment, plans, put, workflow

pytest.importorskip("ray.serve", reason="the package ray[serve] is not installed")
CODE = """
import json, sys, urllib.error, urllib.request
from pathlib import Path
sys.path.append(sys.argv[1])
import ray
from ray import serve
from serve_with_a_plan import service

def asked(widgets):
    request = urllib.request.Request("http://127.0.0.1:" + sys.argv[5], json.dumps(widgets).encode())
    try:
        return json.load(urllib.request.urlopen(request, timeout=120))
    except urllib.error.HTTPError as error:
        return json.load(error)

ray.init("local", num_cpus=2, include_dashboard=False, log_to_driver=False, logging_level="ERROR")
serve.start(http_options={"host": "127.0.0.1", "port": int(sys.argv[5])})
serve.run(service(Path(sys.argv[2]), Path(sys.argv[3]), 0.0, ("--base-directory", sys.argv[4])))
wanted = [{}, {"4": {"seed": 2}}, {"4": {"seed": 1}}, {"4": {"steps": 0}}, {"9": {}}]
print(json.dumps([asked(widgets) for widgets in wanted]))
serve.shutdown()
"""


def test_a_service_learns_and_uses_its_plan_and_answers_bad_requests(tmp_path):
    from tests.stress.server import free_port

    (file,) = put(tmp_path, one=workflow("wan"))
    arguments = (ROOT / "examples", file, tmp_path / "plans", base(tmp_path), free_port())
    done = subprocess.run(
        [sys.executable, "-c", CODE, *map(str, arguments)],
        env={**environment(), "COMFYUI_DIR": str(COMFYUI)},
        capture_output=True,
        text=True,
        timeout=300,
    )
    assert done.returncode == 0, done.stderr[-3000:]
    said = next(line for line in done.stdout.splitlines() if line.startswith("["))  # Ray says more
    first, other, again, *refused = json.loads(said)
    digests = [answer["5"]["sha256"] for answer in (first, other, again)]
    assert len(plans(tmp_path / "plans")) == 1
    assert len({str(digest) for digest in digests}) == 3  # the first picture in full, the third by the plan
    assert "steps" in refused[0]["error"]
    assert "KeyError" in refused[1]["error"]
