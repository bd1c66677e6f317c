"""Routes of the page: a preview of a node's plan, and the last state of its timeline."""

from __future__ import annotations

import asyncio
import json
from typing import Protocol

from ...cache_core import CacheError
from ...cache_core.errors import brief
from .last_runs import asked, known
from .preview import preview
from .request import LARGEST, RequestError, parsed
from .server import server

PREVIEW, STATE = "/feb_cache/preview", "/feb_cache/state"
MOST_SAID = 1000  # characters of an error, which may quote the request
TOO_LARGE = {"error": f"The request has more than {LARGEST} bytes, and no more are read."}


class Stream(Protocol):
    """A stream of bytes, aiohttp's or asyncio's."""

    async def readexactly(self, n: int) -> bytes: ...


def answer(body: bytes) -> tuple[int, dict]:
    """HTTP status and answer to a request for a preview. An `error` has 400 for a malformed request, and 200 for
    widgets that cannot be run: browsers write every 400 to their console, and a page that shows such widgets does
    nothing wrong."""
    try:
        given = json.loads(body)
    except (ValueError, RecursionError) as error:
        return 400, {"error": f"The request is no JSON: {error}"}
    node, cls = (str(given.get(key, "")) if isinstance(given, dict) else "" for key in ("node", "class"))
    part = int(isinstance(given, dict) and given.get("part") == 1)
    try:
        request = parsed(given)
        return 200, preview(request, asked(node, cls, part, request.scene))
    except CacheError as error:
        return 400 if isinstance(error, RequestError) else 200, {"error": brief(str(error), MOST_SAID)}


async def beginning(stream: Stream, most: int) -> bytes:
    """The first `most` bytes of a stream, or all of a shorter one, whatever length it was said to have."""
    try:
        return await stream.readexactly(most)
    except asyncio.IncompleteReadError as ended:
        return ended.partial


def register() -> None:
    """Add the routes to ComfyUI's server, once; outside ComfyUI nothing is added."""
    if server() is None or any(getattr(route, "path", "") == PREVIEW for route in server().routes):
        return
    from aiohttp import web

    async def post_preview(request: web.Request) -> web.Response:
        body = await beginning(request.content, LARGEST + 1)
        if len(body) > LARGEST:
            return web.json_response(TOO_LARGE, status=413)
        status, shown = answer(body)
        return web.json_response(shown, status=status)

    async def get_state(request: web.Request) -> web.Response:
        node, cls, part = (request.query.get(name, "") for name in ("node", "class", "part"))
        return web.json_response(known(node, cls, int(part == "1")).state)

    server().routes.post(PREVIEW)(post_preview)
    server().routes.get(STATE)(get_state)
