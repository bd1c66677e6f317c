"""Small trained models of the structure of FLUX and HunyuanVideo, their pictures, and the benchmarks."""
