"""What each way of keeping less costs: bytes, and distance from keeping every site.

    OMP_NUM_THREADS=2 python3 -m lab.memory

Writes lab/results/memory.json. "rungs": the trained lab models at 50 steps. "codes": the 8-bit types on the lab's
FLUX. "budgets": FLUX's block counts with random weights, so many rows that the plan wants 6 GB; the bytes are what
the storages of all kept tensors sum up to. On a CPU the host's memory and the device's are one: the copies are made,
but to the same place.
"""

import argparse
import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import product
from pathlib import Path
from unittest import mock

import torch
from torch import Tensor

from cache_core import Run, RunReport, Timeline
from cache_core.settings import FEBSettings
from cache_core.store import Budget, Rung, Store, eight_bit
from cache_core.store.value import Form

from .demo import GUIDANCE, as_pictures, psnr
from .families import FAMILIES, Family
from .flux import Flux, FluxConfig
from .sample import flow_sigmas, foresee, load, noise_of, sample, timeline_of
from .scenes import CLASSES

RESULTS = Path(__file__).parent / "results" / "memory.json"
SETTINGS = {
    "balanced": FEBSettings.of("balanced", {}),
    "fast, order 2": FEBSettings.of("fast", {"predictor": "order 2"}),
    "stage rule": FEBSettings.of("custom", {"fragile_interval": 2, "warmup_steps": 8}),
}
GIGABYTE = 2**30


class Standing(Run):
    """A run that keeps by one rung, whatever would fit."""

    rung = Rung()

    def __init__(self, *args: object):
        super().__init__(*args)
        self.store.ladder = (self.rung,)
        self.stand()


@contextmanager
def standing(rung: Rung) -> Iterator[None]:
    """Inside, the lab samples by `rung`."""
    import lab.sample as sampling

    sampling.Run = type("Standing", (Standing,), {"rung": rung})
    try:
        yield
    finally:
        sampling.Run = Run


@dataclass(frozen=True)
class Coded(Rung):
    """A rung with an 8-bit type of its own."""

    codes: torch.dtype = torch.int8

    @property
    def form(self) -> Form:
        return Form(self.offloaded, self.codes)


def relative(a: Tensor, b: Tensor) -> float:
    return float((a - b).norm() / b.norm())


def rungs(family: Family, clips: int, steps: int) -> list[dict]:
    """Each rung of each setting, against every site and against the uncached run."""
    model, _ = load(family)
    noise, labels = noise_of(list(range(clips)), family.latents), torch.arange(clips) % len(CLASSES)
    sigmas, rows = flow_sigmas(steps, family.shift), []
    uncached = sample(model, noise, labels, sigmas, (), GUIDANCE)[0]
    for name, settings in SETTINGS.items():
        plans = (settings.plan(timeline_of(sigmas, GUIDANCE)),)
        every_site = None
        for rung in dict.fromkeys((Rung(), *Run(plans, Timeline.flow(sigmas)).store.ladder)):
            with standing(rung):
                latents, report = sample(model, noise, labels, sigmas, plans, GUIDANCE)
            every_site = latents if every_site is None else every_site
            rows.append(
                {
                    "model": family.title,
                    "setting": name,
                    "kept": str(rung),
                    "device_mb": round(report.peak_bytes / 2**20, 2),
                    "host_mb": round(report.peak_host_bytes / 2**20, 2),
                    "psnr_db": round(psnr(as_pictures(latents), as_pictures(uncached)), 2),
                    "relative_l2_to_every_site": round(relative(latents, every_site), 5),
                }
            )
            print(json.dumps(rows[-1]), flush=True)
    return rows


def codes(pictures: int, steps: int) -> list[dict]:
    """Each 8-bit type, with a scale for 64 features and for a whole token: distance from the same plan without."""
    model, _ = load()
    noise, labels = noise_of(list(range(pictures))), torch.arange(pictures) % len(CLASSES)
    sigmas, rows = flow_sigmas(steps), []
    for name, merged in (("balanced", True), ("stage rule", False)):
        plans = (SETTINGS[name].plan(timeline_of(sigmas, GUIDANCE)),)
        with standing(Rung(merged)):
            plain, _ = sample(model, noise, labels, sigmas, plans, GUIDANCE)
        for kind, group in product((torch.int8, eight_bit.FP8), (eight_bit.GROUP, model.config.hidden)):
            with standing(Coded(merged, codes=kind)), mock.patch.object(eight_bit, "GROUP", group):
                latents, _ = sample(model, noise, labels, sigmas, plans, GUIDANCE)
            rows.append(
                {
                    "setting": name,
                    "merged": merged,
                    "codes": str(kind),
                    "features_per_scale": group,
                    "relative_l2": round(relative(latents, plain), 5),
                }
            )
            print(json.dumps(rows[-1]), flush=True)
    return rows


def watch(peaks: dict[str, int]) -> None:
    """From here on, note the largest sums of kept storages, on the device and in host memory, as they are after
    every value kept or fetched."""
    push, combine = Store.push, Store.combine

    def measured(work: object) -> object:
        def call(self: Store, *args: object) -> object:
            result = work(self, *args)
            kept = [
                part
                for history in self._histories.values()
                for value in history.kept
                for part in value.parts
                if not value.form.offloaded
            ]
            away = [
                part
                for history in self._histories.values()
                for value in history.kept
                for part in value.parts
                if value.form.offloaded
            ]
            ahead = [part for arrivals, _ in self._ahead.values() for arrival in arrivals for part in arrival.tensors()]
            for place, tensors in (("device", kept + ahead), ("host", away)):
                size = sum({t.untyped_storage().data_ptr(): t.untyped_storage().nbytes() for t in tensors}.values())
                peaks[place] = max(peaks[place], size)
            return result

        return call

    Store.push, Store.combine = measured(push), measured(combine)


def budgets(wanted: float, allowed: tuple[float, ...]) -> list[dict]:
    """A plan that wants `wanted` GB, within `allowed` GB."""
    torch.manual_seed(0)
    model = (
        Flux(FluxConfig(hidden=64, heads=1, axes=(16, 24, 24), depth=19, depth_single=38)).eval().requires_grad_(False)
    )
    sigmas = flow_sigmas(10)
    plans = (FEBSettings.of("custom", {"fragile_interval": 2, "warmup_steps": 2}).plan(Timeline.flow(sigmas)),)
    run, one = Run(plans, Timeline.flow(sigmas)), noise_of([0], (16, 8, 8))
    noise = noise_of(list(range(round(wanted * GIGABYTE / foresee(model, run, one, 1.0).whole))), (16, 8, 8))
    labels, peaks, rows, unlimited = torch.arange(len(noise)) % len(CLASSES), {}, [], None
    watch(peaks)
    for gigabytes in (float("inf"), *allowed):
        peaks.update(device=0, host=0)
        latents, report = sample(model, noise, labels, sigmas, plans, budget=Budget(gigabytes * GIGABYTE))
        unlimited = latents if unlimited is None else unlimited
        rows.append(budget_row(gigabytes, report, peaks, relative(latents, unlimited)))
        print(json.dumps(rows[-1]), flush=True)
    return rows


def budget_row(gigabytes: float, report: RunReport, peaks: dict[str, int], apart: float) -> dict:
    measured = {f"measured_{place}_gb": round(size / GIGABYTE, 4) for place, size in peaks.items()}
    return {
        "allowed_gb": gigabytes if gigabytes < float("inf") else None,
        "kept": report.store,
        **measured,
        "relative_l2_to_unlimited": round(apart, 6),
        "finished": report.finished,
        "demotions": list(report.demotions),
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--steps", type=int, default=50)
    parser.add_argument("--pictures", type=int, default=12)
    parser.add_argument("--clips", type=int, default=4)
    parser.add_argument("--wanted", type=float, default=6.0, help="GB that the budgets' plan wants")
    args = parser.parse_args()
    counts = {"flux": args.pictures, "hunyuan_video": args.clips}
    found = {
        "rungs": [row for name, family in FAMILIES.items() for row in rungs(family, counts[name], args.steps)],
        "codes": codes(args.pictures, args.steps),
        "budgets": budgets(args.wanted, (args.wanted * 4 / 6, args.wanted / 6, args.wanted / 60)),
    }
    RESULTS.write_text(json.dumps(found, indent=1) + "\n")


if __name__ == "__main__":
    main()
