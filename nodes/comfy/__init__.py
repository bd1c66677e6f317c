"""Translation between ComfyUI and the engine. ComfyUI is imported inside functions only."""
