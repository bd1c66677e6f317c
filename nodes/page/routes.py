"""What the page asks of the pack: a preview of a node's plan, and the last state of its timeline."""

from __future__ import annotations

import asyncio
import json
import logging
import sys

from ...cache_core import CacheError
from ...cache_core.errors import brief
from .last_runs import known
from .preview import RequestError, preview

log = logging.getLogger("feb_ab_cache")
PREVIEW, STATE = "/feb_cache/preview", "/feb_cache/state"
LARGEST = 2**16  # bytes of a request
MOST_SAID = 1000  # characters of an error, which may quote the request


def answer(body: bytes) -> tuple[int, dict]:
    """HTTP status and answer to a request for a preview. An `error` is 400 for a malformed request, and 200 for
    widgets that cannot be run: a page that shows them does nothing wrong, and browsers write every 400 to their
    console."""
    try:
        asked = json.loads(body)
    except (ValueError, RecursionError) as error:
        return 400, {"error": f"The request is no JSON: {error}"}
    node, cls = (str(asked.get(key, "")) if isinstance(asked, dict) else "" for key in ("node", "class"))
    try:
        return 200, preview(asked, known(node, cls))
    except CacheError as error:
        return 400 if isinstance(error, RequestError) else 200, {"error": brief(str(error), MOST_SAID)}


async def beginning(stream: asyncio.StreamReader, most: int) -> bytes:
    """What the stream (of aiohttp, or of asyncio) holds, `most` bytes at most, whether or not it was said how much
    there is."""
    try:
        return await stream.readexactly(most)
    except asyncio.IncompleteReadError as ended:
        return ended.partial


def register() -> None:
    """Add the routes to ComfyUI's server; outside ComfyUI, and where the pack is loaded a second time, nothing happens."""
    server = getattr(getattr(sys.modules.get("server"), "PromptServer", None), "instance", None)
    if server is None or any(getattr(route, "path", "") == PREVIEW for route in server.routes):
        return
    from aiohttp import web

    async def post_preview(request: web.Request) -> web.Response:
        body = await beginning(request.content, LARGEST + 1)
        if len(body) > LARGEST:
            return web.json_response(
                {"error": f"The request has more than {LARGEST} bytes, and no more are read."}, status=413
            )
        status, found = answer(body)
        return web.json_response(found, status=status)

    async def get_state(request: web.Request) -> web.Response:
        return web.json_response(known(request.query.get("node", ""), request.query.get("class", "")).state)

    server.routes.post(PREVIEW)(post_preview)
    server.routes.get(STATE)(get_state)
