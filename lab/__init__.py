"""What needs no ComfyUI: a small trained FLUX-structured model, its pictures, and the benchmarks."""
