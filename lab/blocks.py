"""Seconds of a step with blocks of the real sizes and random weights, in each state and with each way of keeping
values. Needs an accelerator.

    python3 -m lab.blocks                               FLUX's blocks at 4,608 tokens and HunyuanVideo's at 33,000, bf16
    python3 -m lab.blocks --device cpu --hidden 128 --heads 1 --blocks 1 2 --tokens 300     to see that it runs

Writes lab/results/blocks.json. "ratio": time of the step against the sum of what it computes, each part timed on its
own; 1.03 is the goal.
"""

import argparse
import json
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from statistics import median
from time import perf_counter

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from cache_core import MODULES, Kind, Plan, Run, Table, Timeline
from cache_core.hosts import match
from cache_core.mount import Mounts, footprint
from cache_core.store import Budget, Rung

from .flux import DoubleStreamBlock, Flux, FluxConfig, SingleStreamBlock, attend

RESULTS = Path(__file__).parent / "results" / "blocks.json"
STATES = {
    "computed": frozenset(),
    "attention reused": frozenset({Kind.ATTENTION}),
    "MLP reused": frozenset({Kind.MLP}),
    "both reused": MODULES,
}
STORES = {
    "on the device": Rung(),
    "in host memory": Rung(offloaded=True),
    "8 bits": Rung(eight_bit=True),
    "8 bits in host memory": Rung(offloaded=True, eight_bit=True),
}
SIZES = {"FLUX": (19, 38, 4096, 512), "HunyuanVideo": (20, 40, 32760, 256)}


@dataclass(frozen=True)
class Given:
    """What the blocks run on: streams `(1, L, H)`, the modulation's vector `(1, H)`."""

    img: Tensor
    txt: Tensor
    vec: Tensor
    pe: Tensor


@dataclass(frozen=True)
class Listed:
    """A schedule written out: what each step predicts. The last step computes all."""

    predicted: tuple[frozenset[Kind], ...]
    kinds: frozenset[Kind] = MODULES

    def table(self, timeline: Timeline) -> Table:
        return Table(MODULES, tuple(MODULES - state for state in self.predicted))


def synchronise(device: torch.device) -> None:
    if device.type == "cuda":
        torch.cuda.synchronize()


def seconds(work: Callable[[], object], device: torch.device, repeats: int) -> float:
    """Median wall time of `work`, after one call to warm up."""
    found = []
    for _ in range(repeats + 1):
        synchronise(device)
        start = perf_counter()
        work()
        synchronise(device)
        found.append(perf_counter() - start)
    return median(found[1:])


def blocks_forward(model: Flux, given: Given) -> Tensor:
    """The two lists of blocks, as the model runs them."""
    img, txt = given.img, given.txt
    for block in model.double_blocks:
        img, txt = block(img=img, txt=txt, vec=given.vec, pe=given.pe, transformer_options={})
    x = torch.cat((txt, img), 1)
    for block in model.single_blocks:
        x = block(x, vec=given.vec, pe=given.pe, transformer_options={})
    return x


def attention_of(block: nn.Module, given: Given) -> None:
    """What a block's attention computes, and nothing else."""
    if isinstance(block, DoubleStreamBlock):
        qkv = [torch.cat(pair, 2) for pair in zip(block.txt_attn(given.txt), block.img_attn(given.img), strict=True)]
        texts = given.txt.shape[1]
        mixed = attend(*qkv, given.pe, None, {})
        block.txt_attn.proj(mixed[:, :texts])
        block.img_attn.proj(mixed[:, texts:])
    elif isinstance(block, SingleStreamBlock):
        hidden, x = block.hidden_size, torch.cat((given.txt, given.img), 1)
        qkv = F.linear(x, block.linear1.weight[: 3 * hidden], block.linear1.bias[: 3 * hidden])
        q, k, v = qkv.view(*qkv.shape[:2], 3, block.num_heads, -1).permute(2, 0, 3, 1, 4)
        F.linear(attend(*block.norm(q, k, v), v, given.pe, None, {}), block.linear2.weight[:, :hidden])


def mlp_of(block: nn.Module, given: Given) -> None:
    """What a block's MLP computes, and nothing else."""
    if isinstance(block, DoubleStreamBlock):
        block.txt_mlp(given.txt)
        block.img_mlp(given.img)
    elif isinstance(block, SingleStreamBlock):
        hidden, x = block.hidden_size, torch.cat((given.txt, given.img), 1)
        wide = F.linear(x, block.linear1.weight[3 * hidden :], block.linear1.bias[3 * hidden :])
        F.linear(block.mlp_act(wide), block.linear2.weight[:, hidden:], block.linear2.bias)


def parts(model: Flux, given: Given, repeats: int) -> dict[str, float]:
    """Seconds of a whole step, of its attention, of its MLP, and of the rest."""
    device, blocks = given.img.device, [*model.double_blocks, *model.single_blocks]
    whole = seconds(lambda: blocks_forward(model, given), device, repeats)
    attention = seconds(lambda: [attention_of(block, given) for block in blocks], device, repeats)
    mlp = seconds(lambda: [mlp_of(block, given) for block in blocks], device, repeats)
    return {"whole": whole, "attention": attention, "mlp": mlp, "rest": max(0.0, whole - attention - mlp)}


def steps_of(model: Flux, given: Given, state: frozenset[Kind], rung: Rung, repeats: int) -> tuple[float, Run]:
    """Median seconds of a step in `state`, between computed ones, and the run."""
    schedule = Listed((frozenset(),) * 2 + (state, frozenset()) * (repeats + 1))
    timeline = Timeline.even(len(schedule.predicted))
    run = Run((Plan(schedule, merge=rung.merged),), timeline)
    run.store.ladder = (rung,)
    run.choose_rung(
        footprint(model, match(model), run.table, given.img.shape[1], given.txt.shape[1], given.img.element_size()),
        Budget(),
    )
    mounts, found = Mounts(model, match(model), run), []
    for sigma, predicted in zip(timeline.sigmas, schedule.predicted, strict=False):
        synchronise(given.img.device)
        start = perf_counter()
        run.begin(sigma)
        with run.calling(("cond",), ()), mounts.installed():
            blocks_forward(model, given)
        synchronise(given.img.device)
        found += [perf_counter() - start] if predicted == state else []
    run.close()
    return median(found[2:]), run


def rows(name: str, model: Flux, given: Given, repeats: int) -> list[dict]:
    part, found = parts(model, given, repeats), []
    print(json.dumps({"model": name, **part}), flush=True)
    for state, kinds in STATES.items():
        alone = part["rest"] + part["attention"] * (Kind.ATTENTION not in kinds) + part["mlp"] * (Kind.MLP not in kinds)
        stores = (
            {**STORES, "merged": Rung(merged=True), "merged in host memory": Rung(merged=True, offloaded=True)}
            if kinds == MODULES
            else STORES
        )
        for store, rung in stores.items() if kinds else {"nothing": Rung()}.items():
            taken, run = steps_of(model, given, kinds, rung, repeats)
            found.append(
                {
                    "model": name,
                    "state": state,
                    "store": store,
                    "seconds": round(taken, 5),
                    "sum_of_parts": round(alone, 5),
                    "ratio": round(taken / alone, 4) if alone else None,
                    "speedup": round(part["whole"] / taken, 3),
                    "device_gb": round(run.store.peak_bytes / 2**30, 3),
                    "host_gb": round(run.store.peak_host_bytes / 2**30, 3),
                }
            )
            print(json.dumps(found[-1]), flush=True)
    return found


def build(hidden: int, heads: int, double: int, single: int, device: torch.device, dtype: torch.dtype) -> Flux:
    axes = (16, 56, 56) if hidden // heads == 128 else (hidden // heads, 0, 0)
    with torch.device(device):
        model = Flux(FluxConfig(hidden=hidden, heads=heads, depth=double, depth_single=single, axes=axes))
    return model.to(dtype).eval().requires_grad_(False)


def given_for(model: Flux, images: int, texts: int, device: torch.device, dtype: torch.dtype) -> Given:
    hidden, columns = model.config.hidden, 1 << (images.bit_length() // 2)
    img, txt, vec = (torch.randn(1, n, hidden, device=device, dtype=dtype) for n in (images, texts, 1))
    pe = model.positions(1, texts, -(-images // columns), columns, device)[:, :, : images + texts]
    return Given(img, txt, vec[:, 0], pe)


@torch.no_grad()
def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--device", default="cuda")
    parser.add_argument("--hidden", type=int, default=3072)
    parser.add_argument("--heads", type=int, default=24)
    parser.add_argument("--blocks", type=int, nargs=2, help="double and single blocks, in place of the models' own")
    parser.add_argument("--tokens", type=int, help="image tokens, in place of the models' own")
    parser.add_argument("--repeats", type=int, default=5)
    parser.add_argument("--out", type=Path, default=RESULTS)
    args = parser.parse_args()
    device, found = torch.device(args.device), []
    dtype = torch.bfloat16 if device.type == "cuda" else torch.float32
    for name, (double, single, images, texts) in SIZES.items():
        model = build(args.hidden, args.heads, *(args.blocks or (double, single)), device, dtype)
        found += rows(name, model, given_for(model, args.tokens or images, texts, device, dtype), args.repeats)
        del model
    machine = torch.cuda.get_device_name(device) if device.type == "cuda" else "CPU"
    args.out.write_text(
        json.dumps({"machine": machine, "torch": torch.__version__, "dtype": str(dtype), "rows": found}, indent=1)
        + "\n"
    )


if __name__ == "__main__":
    main()
