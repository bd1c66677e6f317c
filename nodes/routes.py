"""What the page asks of the pack: a preview of a node's plan, and the last state of its timeline."""

from __future__ import annotations

import json
import logging
import sys
from typing import Protocol

from ..cache_core import CacheError
from .preview import RequestError, preview
from .progress import known

log = logging.getLogger("feb_ab_cache")
PREVIEW, STATE = "/feb_cache/preview", "/feb_cache/state"
LARGEST = 2**16  # bytes of a request


class AsyncReadable(Protocol):
    """As aiohttp's StreamReader: empty at the end, and not always as much as asked for."""

    async def read(self, most: int) -> bytes: ...


def answer(body: bytes) -> tuple[int, dict]:
    """HTTP status and answer to a request for a preview. An `error` is 400 for a malformed request, and 200 for widgets that cannot be run: a page
    that shows them does nothing wrong, and browsers write every 400 to their console."""
    try:
        asked = json.loads(body)
    except (ValueError, RecursionError) as error:
        return 400, {"error": f"The request is no JSON: {error}"}
    node, cls = (str(asked.get(key, "")) if isinstance(asked, dict) else "" for key in ("node", "class"))
    try:
        return 200, preview(asked, known(node, cls))
    except CacheError as error:
        return 400 if isinstance(error, RequestError) else 200, {"error": str(error)}


async def limited(content: AsyncReadable) -> bytes | None:
    """All that can be read, or None, and then no more than a little of it is, where that is more than LARGEST bytes: a request need not say
    how long it is."""
    body = b""
    while len(body) <= LARGEST and (more := await content.read(LARGEST + 1 - len(body))):
        body += more
    return body if len(body) <= LARGEST else None


def register() -> None:
    """Add the routes to ComfyUI's server; outside ComfyUI, and where the pack is loaded a second time, nothing happens."""
    server = getattr(getattr(sys.modules.get("server"), "PromptServer", None), "instance", None)
    if server is None or any(getattr(route, "path", "") == PREVIEW for route in server.routes):
        return
    from aiohttp import web

    async def post_preview(request: web.Request) -> web.Response:
        body = await limited(request.content)
        status, found = (413, {"error": f"The request has more than {LARGEST} bytes, the most that is read."}) if body is None else answer(body)
        return web.json_response(found, status=status)

    async def get_state(request: web.Request) -> web.Response:
        return web.json_response(known(request.query.get("node", ""), request.query.get("class", "")).state)

    server.routes.post(PREVIEW)(post_preview)
    server.routes.get(STATE)(get_state)
