"""ComfyUI's server."""

import sys
from typing import Any


def server() -> Any:
    """The running PromptServer; None outside ComfyUI."""
    return getattr(getattr(sys.modules.get("server"), "PromptServer", None), "instance", None)
