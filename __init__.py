"""FEB-Cache and AB-Cache for ComfyUI: diffusion transformers sampled 2-5x faster by not recomputing what can be
predicted."""

if __package__:  # imported as a package, as ComfyUI does, and not as a stray module by a test runner
    from .nodes import NODE_CLASS_MAPPINGS, NODE_DISPLAY_NAME_MAPPINGS

    WEB_DIRECTORY = "./web"
    __all__ = ["NODE_CLASS_MAPPINGS", "NODE_DISPLAY_NAME_MAPPINGS", "WEB_DIRECTORY"]
