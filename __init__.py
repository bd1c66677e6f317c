"""FEB-Cache and AB-Cache for ComfyUI: what changes slowly from step to step of a sampling is predicted, and not
computed again."""

if __package__:  # imported as a package, as ComfyUI does, and not as a stray module by a test runner
    from .nodes import NODE_CLASS_MAPPINGS, NODE_DISPLAY_NAME_MAPPINGS

    WEB_DIRECTORY = "./web"
    __all__ = ["NODE_CLASS_MAPPINGS", "NODE_DISPLAY_NAME_MAPPINGS", "WEB_DIRECTORY"]
