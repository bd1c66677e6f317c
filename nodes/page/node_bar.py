"""Progress of a long node: its bar, and a line with the time left."""

from __future__ import annotations

import time

from .server import server

SOON = 0.02  # share of the work below which no time left is shown


class NodeProgress:
    """A `cache_core.calibrate.Progress`, on the node `node_id` of the page."""

    def __init__(self, node_id: str | None):
        from comfy.utils import ProgressBar

        self.node_id, self.bar, self.began = node_id, ProgressBar(1000), (0.0, 0.0)

    def __call__(self, share: float, doing: str) -> None:
        now = time.monotonic()
        if not self.began[0] or share < self.began[1]:
            self.began = (now, share)
        self.bar.update_absolute(round(1000 * share), 1000)
        self._say(f"{doing}: {share:.0%}{self._left(now, share)}")

    def _left(self, now: float, share: float) -> str:
        """The time left, in words. Counted from the first call, so that resumed work counts for nothing."""
        began, at = self.began
        if share - at < SOON:
            return ""
        minutes, seconds = divmod(round((now - began) / (share - at) * (1 - share)), 60)
        return f", {minutes}:{seconds:02d} left at most"

    def _say(self, text: str) -> None:
        """Show `text` on the node, as ComfyUI's own API nodes do."""
        if server() is not None and self.node_id is not None:
            server().send_progress_text(text, self.node_id)
