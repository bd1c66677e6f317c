"""Nodes for the tests of scripts/learn.py: the soak's tiny models, and one that ends or interrupts its process."""

import os
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent))
from soak_nodes import NODE_CLASS_MAPPINGS as SOAK


class Mishap:
    """A model as it is. If the file `once` is there, the process gets the signal of that number, and the file is
    deleted unless it is kept."""

    RETURN_TYPES, FUNCTION, CATEGORY = ("MODEL",), "passed", "testing"

    @classmethod
    def INPUT_TYPES(cls) -> dict:
        widgets = {"once": ("STRING",), "signal": ("INT", {"default": 2})}
        return {"required": {"model": ("MODEL",), **widgets}, "optional": {"keep": ("BOOLEAN", {"default": False})}}

    def passed(self, model: object, once: str, signal: int, keep: bool = False) -> tuple:
        if once and Path(once).is_file():
            if not keep:
                Path(once).unlink()
            os.kill(os.getpid(), signal)
        return (model,)


class FullOnce:
    """A model as it is. If the file `once` is there, it is deleted, and the device has no memory."""

    RETURN_TYPES, FUNCTION, CATEGORY = ("MODEL",), "passed", "testing"

    @classmethod
    def INPUT_TYPES(cls) -> dict:
        return {"required": {"model": ("MODEL",), "once": ("STRING", {"default": ""})}}

    def passed(self, model: object, once: str) -> tuple:
        if once and Path(once).is_file():
            import torch

            Path(once).unlink()
            raise torch.OutOfMemoryError("the device is full")
        return (model,)


NODE_CLASS_MAPPINGS = {**SOAK, "Mishap": Mishap, "FullOnce": FullOnce}
