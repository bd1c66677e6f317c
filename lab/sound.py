"""Video and sound apart: how far each drifts when the lab's MiniMax H3 is sampled in fewer steps, or with AB-Cache as
set and as learned. `python3 -m lab.sound`, which goes on where it was interrupted."""

import argparse
import json
from collections.abc import Iterator
from dataclasses import dataclass, replace
from math import log1p
from pathlib import Path
from statistics import median

from torch import Tensor
from tqdm import tqdm

from cache_core import Kind, Plan
from cache_core.calibrate import Ledger, Request, calibrate_output
from cache_core.saved_plan.saved_plan import Origin
from cache_core.settings import ABSettings
from cache_core.show import similarity

from .bench import FIRST_CALIBRATED, LabBench
from .families import MINIMAX_H3
from .packed import MODALITIES, SHIFT, decode, unpack
from .sample import load, simple_sigmas
from .tones import LOUDNESS

RESULT = Path(__file__).parent / "results" / "sound.json"
STEPS, CLIPS, FIRST_TESTED = 20, 12, 5000
LEARNERS = 4  # plans, each of a clip of its own
PRESETS = {"quality": 2.0, "balanced": 3.0}  # and what they ask of a learned plan
LEAST = 1e-7  # of drifts, as they are kept
PEAKS = (2.0, log1p(LOUDNESS))  # of the values of a picture, and of levels


@dataclass(frozen=True)
class Setting:
    """A sampling. `apart`: video and audio are predicted each with weights of its own."""

    solver: str
    cfg: float
    apart: bool


SETTINGS = [
    Setting(solver, cfg, apart)
    for solver in ("euler", "res_multistep")
    for cfg in (1.0, 3.0)
    for apart in (False, True)
]


class Cell:
    """A setting, with the uncached samples of the tested seeds."""

    def __init__(self, setting: Setting, clips: int):
        self.setting, self.model = setting, load(MINIMAX_H3)[0]
        self.seeds = range(FIRST_TESTED, FIRST_TESTED + clips)
        self.bench = self._bench(FIRST_CALIBRATED)
        self.uncached = self.bench.run(*self.bench.drawn(self.seeds))

    def _bench(self, first: int, steps: int = STEPS) -> LabBench:
        return LabBench(
            MINIMAX_H3,
            steps,
            first,
            self.model,
            sigmas=simple_sigmas(steps, SHIFT),
            solver=self.setting.solver,
            guidance=self.setting.cfg,
            modalities=MODALITIES if self.setting.apart else (),
        )

    def rows(self) -> Iterator[dict]:
        """A preset before anything is learned, learned plans, and as many steps as each computes, which is measured but
        once."""
        found = [self.of_plan("balanced, unlearned", self.unlearned("balanced"))]
        found += [self.learned(name, speedup) for name, speedup in PRESETS.items()]
        counts = sorted({row["evaluations"] for row in found}, reverse=True)
        if not self.setting.apart:
            yield from (self.fewer(count) for count in counts)
        yield from found

    def unlearned(self, preset: str) -> Plan:
        """The plan of a preset for a model that it has not seen."""
        return replace(ABSettings.of(preset, {}), learn=False).plan(self.bench.timeline)

    def learned(self, preset: str, speedup: float) -> dict:
        """Plans learned from one clip each: the median of their rows."""
        rows = [
            self.of_plan(f"{preset}, learned", self._learned(speedup, FIRST_CALIBRATED + number))
            for number in range(LEARNERS)
        ]
        return {
            key: median(row[key] for row in rows) if isinstance(value, float) else value
            for key, value in rows[0].items()
        }

    def _learned(self, speedup: float, first: int) -> Plan:
        request = Request(speedup, samples=1, budget=2)
        found = calibrate_output(Ledger(self._bench(first), request.budget), Origin(""), request)
        return found.plan.plan(self.bench.timeline, "learned")

    def fewer(self, count: int) -> dict:
        """Samples in fewer steps of the same sampler."""
        samples = self._bench(FIRST_CALIBRATED, count).run(*self.bench.drawn(self.seeds))
        return self.row(f"{count} steps", count, samples)

    def of_plan(self, name: str, plan: Plan) -> dict:
        """Samples with a plan."""
        computed = len(plan.schedule.table(self.bench.timeline).computed(Kind.MODEL))
        return self.row(name, computed, self.bench.run(*self.bench.drawn(self.seeds), (plan,)))

    def row(self, name: str, evaluations: int, samples: Tensor) -> dict:
        """How near video and audio are to the uncached ones: PSNR in dB and drift, means over the clips."""
        row = {
            "solver": self.setting.solver,
            "cfg": self.setting.cfg,
            "apart": self.setting.apart,
            "setting": name,
            "evaluations": evaluations,
        }
        values = zip(
            ("video", "audio"),
            PEAKS,
            shown(samples),
            shown(self.uncached),
            unpack(samples),
            unpack(self.uncached),
            strict=True,
        )
        for kind, peak, seen, as_was, latent, before in values:
            row[f"{kind}_psnr_db"] = round(float(similarity.psnr(seen, as_was, peak).mean()), 2)
            row[f"{kind}_drift"] = round(float(drifts(latent, before).mean()), 7)
        return row


def shown(samples: Tensor) -> tuple[Tensor, Tensor]:
    """Clips and levels, as they would be seen and heard."""
    clips, levels = decode(samples)
    return clips.clamp(-1, 1), levels.clamp(0, PEAKS[1])


def drifts(latents: Tensor, before: Tensor) -> Tensor:
    """Relative L2 distance `(B,)` of each latent."""
    return (latents - before).flatten(1).norm(dim=1) / before.flatten(1).norm(dim=1)


def table(rows: list[dict]) -> str:
    """The rows as Markdown."""
    lines = [
        "| sampler | cfg | setting | weights | evaluations | video | audio | drift of video | drift of audio | ratio |",
        "|---|---|---|---|---|---|---|---|---|---|",
    ]
    for row in rows:
        weights = "apart" if row["apart"] else "together"
        lines.append(
            f"| {row['solver']} | {row['cfg']:g} | {row['setting']} | {weights} | {row['evaluations']} | "
            f"{row['video_psnr_db']:.1f} dB | {row['audio_psnr_db']:.1f} dB | {row['video_drift']:.2g} | "
            f"{row['audio_drift']:.2g} | {row['audio_drift'] / max(row['video_drift'], LEAST):.1f} |"
        )
    return "\n".join(lines)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--clips", type=int, default=CLIPS, help="that no plan has seen")
    parser.add_argument("--out", type=Path, default=RESULT)
    parser.add_argument("--again", action="store_true", help="measure anew what is there")
    args = parser.parse_args()
    rows = [] if args.again or not args.out.exists() else json.loads(args.out.read_text())["rows"]
    done = {Setting(row["solver"], row["cfg"], row["apart"]) for row in rows}
    for setting in tqdm([setting for setting in SETTINGS if setting not in done]):
        rows += Cell(setting, args.clips).rows()
        args.out.write_text(json.dumps({"rows": rows}, indent=0) + "\n")
    print(table(rows))


if __name__ == "__main__":
    main()
