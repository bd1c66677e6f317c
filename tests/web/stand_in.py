"""What of ComfyUI's server the page needs to show this pack's nodes, where no ComfyUI is present: python stand_in.py
PORT FRONT_END_FOLDER.

The pack's own routes are the real ones. /object_info is made from the node classes, so there are no other nodes, and
nothing can be queued.
"""

import importlib.util
import sys
from collections.abc import Awaitable, Callable
from pathlib import Path
from types import ModuleType, SimpleNamespace

from aiohttp import web

ROOT = Path(__file__).resolve().parents[2]
NAME = "cloned"
WEB = ROOT / "web"
Answer = Callable[[web.Request], Awaitable[web.StreamResponse]]
CONSTANT = {
    "/system_stats": {"system": {"os": "", "comfyui_version": "stand-in", "argv": []}, "devices": []},
    "/users": {"storage": "server", "migrated": True},
    "/queue": {"queue_running": [], "queue_pending": []},
    "/history": {},
    "/prompt": {},
    "/features": {},
    "/i18n": {},
    "/embeddings": [],
    "/userdata": [],
    "/workflow_templates": {},
    "/global_subgraphs": {},
    "/experiment/models": [],
    "/models": [],
    "/v2/userdata": [],
    "/jobs": {"jobs": []},
}


def node_info(name: str, cls: type, title: str) -> dict:
    """What ComfyUI says of a node class in /object_info."""
    inputs = cls.INPUT_TYPES()
    optional = {
        key: getattr(cls, attribute)
        for key, attribute in (("output_tooltips", "OUTPUT_TOOLTIPS"), ("search_aliases", "SEARCH_ALIASES"))
        if hasattr(cls, attribute)
    }
    return {
        "name": name,
        "display_name": title,
        "description": cls.DESCRIPTION,
        "category": cls.CATEGORY,
        "python_module": f"custom_nodes.{NAME}",
        "input": inputs,
        "input_order": {part: list(given) for part, given in inputs.items()},
        "output": cls.RETURN_TYPES,
        "output_name": getattr(cls, "RETURN_NAMES", cls.RETURN_TYPES),
        "output_is_list": [False] * len(cls.RETURN_TYPES),
        "output_node": bool(getattr(cls, "OUTPUT_NODE", False)),
        **optional,
    }


def loaded(routes: web.RouteTableDef) -> ModuleType:
    """The pack, loaded as ComfyUI loads it, with its routes among `routes`."""
    server = ModuleType("server")
    server.PromptServer = SimpleNamespace(instance=SimpleNamespace(routes=routes))
    sys.modules["server"] = server
    spec = importlib.util.spec_from_file_location(NAME, ROOT / "__init__.py", submodule_search_locations=[str(ROOT)])
    sys.modules[NAME] = pack = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(pack)
    return pack


def constant(value: object) -> Answer:
    async def answer(request: web.Request) -> web.Response:
        return web.json_response(value)

    return answer


def add_settings(routes: web.RouteTableDef) -> None:
    """Settings, which last as long as the server."""
    settings: dict[str, object] = {}

    @routes.get("/settings")
    async def read(request: web.Request) -> web.Response:
        return web.json_response(settings)

    @routes.post("/settings")
    async def write(request: web.Request) -> web.Response:
        settings.update(await request.json())
        return web.Response()

    @routes.post("/settings/{key}")
    async def write_one(request: web.Request) -> web.Response:
        settings[request.match_info["key"]] = await request.json()
        return web.Response()


async def events(request: web.Request) -> web.WebSocketResponse:
    """The socket of the server's events, of which there is only the first."""
    socket = web.WebSocketResponse()
    await socket.prepare(request)
    await socket.send_json(
        {"type": "status", "data": {"status": {"exec_info": {"queue_remaining": 0}}, "sid": "stand-in"}}
    )
    async for _ in socket:
        pass
    return socket


def index_of(front_end: Path) -> Answer:
    async def answer(request: web.Request) -> web.FileResponse:
        return web.FileResponse(front_end / "index.html")

    return answer


def application(front_end: Path) -> web.Application:
    """The server of the front end in this folder, and of the pack."""
    routes = web.RouteTableDef()
    pack = loaded(routes)
    add_settings(routes)
    titles = pack.NODE_DISPLAY_NAME_MAPPINGS
    scripts = [f"/extensions/{NAME}/{path.relative_to(WEB).as_posix()}" for path in sorted(WEB.rglob("*.js"))]
    nodes = {name: node_info(name, cls, titles[name]) for name, cls in pack.NODE_CLASS_MAPPINGS.items()}
    for path, value in {**CONSTANT, "/extensions": scripts, "/object_info": nodes}.items():
        routes.get(path)(constant(value))
    routes.get("/ws")(events)
    app = web.Application()
    app.add_routes(
        [
            route
            for prefix in ("", "/api")
            for route in (web.route(r.method, prefix + r.path, r.handler) for r in routes)
        ]
    )
    app.add_routes(
        [web.static(f"/extensions/{NAME}", WEB), web.get("/", index_of(front_end)), web.static("/", front_end)]
    )
    return app


if __name__ == "__main__":
    web.run_app(application(Path(sys.argv[2])), host="127.0.0.1", port=int(sys.argv[1]), print=None)
