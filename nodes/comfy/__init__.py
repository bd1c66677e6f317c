"""Translation between ComfyUI and the engine. ComfyUI is imported inside functions only."""

KEY = "feb_ab_cache"  # this pack's, among wrappers, transformer options and conditionings
