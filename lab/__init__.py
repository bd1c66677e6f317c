"""Small trained models of FLUX's and HunyuanVideo's structure, their pictures, and the benchmarks. `in_comfyui` alone imports ComfyUI."""
