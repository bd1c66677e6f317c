"""A web service that makes pictures with a plan: a headless ComfyUI in each replica of a Ray Serve deployment.

    COMFYUI_DIR=DIR python examples/serve_with_a_plan.py WORKFLOW.json PLANS_DIR [CARDS_FOR_EACH_REPLICA]
    curl -d '{"4": {"seed": 7}}' localhost:8000

The workflow is one in API format, the answer what its output nodes show. A request may set widgets, by node. All
replicas read one folder of plans, from scripts/learn.py or from a server's pictures: what one learns the others use.
"""

import asyncio
import copy
import json
import os
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

from ray import serve
from starlette.requests import Request
from starlette.responses import JSONResponse

ROOT = str(Path(__file__).resolve().parent.parent)


@serve.deployment
class Pictures:
    """A ComfyUI in a thread of its own, which makes one picture after the other."""

    def __init__(self, workflow: dict, comfyui: str, plans: str, arguments: tuple[str, ...] = ()):
        sys.path.append(ROOT)
        from scripts.fleet.comfy_process import ComfyProcess

        self.workflow, self.thread = workflow, ThreadPoolExecutor(1)
        self.comfyui = self.thread.submit(ComfyProcess, Path(comfyui), Path(plans), arguments).result()

    async def __call__(self, request: Request) -> JSONResponse:
        prompt = copy.deepcopy(self.workflow)
        try:
            for node, widgets in (await request.json()).items():
                prompt[node]["inputs"].update(widgets)
            outputs = self.comfyui.outputs, prompt
            return JSONResponse(await asyncio.get_running_loop().run_in_executor(self.thread, *outputs))
        except Exception as error:  # a request must not end the replica
            return JSONResponse({"error": f"{type(error).__name__}: {error}"}, status_code=400)


def service(workflow: Path, plans: Path, cards: float = 1.0, arguments: tuple[str, ...] = ()) -> Any:
    """The deployment, to be run. `arguments`: of ComfyUI's command line."""
    deployed = Pictures.options(ray_actor_options={"num_gpus": cards})
    return deployed.bind(json.loads(workflow.read_text()), os.environ["COMFYUI_DIR"], str(plans.absolute()), arguments)


if __name__ == "__main__":
    serve.run(service(Path(sys.argv[1]), Path(sys.argv[2]), float((sys.argv[3:] or [1])[0])), blocking=True)
