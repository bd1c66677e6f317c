"""What the name of a model's weights costs: CPU milliseconds, on FLUX's real numbers of blocks and matrices.

    OMP_NUM_THREADS=1 python3 -m lab.fingerprints --comfyui DIR

"first" is a model or a set of patches that was not looked at before, "again" one that was. Few elements of each tensor
are read, so a narrow model costs what a wide one does, as long as its weights are in memory.
"""

import argparse
import sys
from collections.abc import Callable
from pathlib import Path
from time import process_time

import torch

from .in_comfyui import ROOT, import_comfyui, load_pack


def milliseconds(work: Callable[[], object]) -> float:
    start = process_time()
    work()
    return 1000 * (process_time() - start)


def flux_models() -> dict[str, object]:
    """ComfyUI's FLUX as it is, with five LoRAs, merged, with a bypass LoRA, and quantised."""
    sys.path.insert(0, str(ROOT / "tests" / "host"))
    from comfy_models import flux
    from test_fingerprints import DEEP, adapters, bypass

    model, loras, merged = flux(**DEEP), flux(**DEEP), flux(**DEEP)
    for seed in range(5):
        loras.add_patches(adapters(loras, seed), 0.7)
    merged.add_patches(flux(**DEEP).get_key_patches("diffusion_model."), 0.5, 0.5)
    bypassed, packed = bypass(flux(**DEEP), 1, 0.5), quantised(flux(**DEEP))
    return {"plain": model, "5 LoRAs": loras, "merge": merged, "bypass LoRA": bypassed, "fp8": packed}


def quantised(model: object) -> object:
    """With comfy-kitchen's tensors in the place of the blocks' matrices."""
    from comfy_kitchen.tensor import QuantizedTensor

    for name, layer in model.model.diffusion_model.named_modules():
        if isinstance(layer, torch.nn.Linear) and "_blocks." in name:
            packed = QuantizedTensor.from_float(layer.weight.detach().bfloat16(), "TensorCoreFP8Layout")
            layer.weight = torch.nn.Parameter(packed, requires_grad=False)
    return model


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--comfyui", type=Path, required=True, help="a ComfyUI checkout of 0.33.0 or later")
    import_comfyui(parser.parse_args().comfyui)
    pack = load_pack()
    weights = __import__(f"{pack.__name__}.nodes.comfy.weights", fromlist=["weights"])
    torch.set_num_threads(1)
    for name, model in flux_models().items():
        first, again = (milliseconds(lambda model=model: weights.fingerprint(model)) for _ in range(2))
        print(f"{name:12} first {first:5.1f} ms, again {again:4.1f} ms")


if __name__ == "__main__":
    main()
