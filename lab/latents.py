"""Hashes of the latents that the demo's settings sample, so that a change of the code shows whether pictures
changed, to the bit.

    OMP_NUM_THREADS=1 python3 -m lab.latents     writes lab/results/latents.json

Arithmetic differs between processors and builds of torch, so hashes compare only where those of the uncached latents
are the same.
"""

import json
from hashlib import sha256
from pathlib import Path

import torch

from .demo import GUIDANCE
from .families import FAMILIES, Family
from .rows import SETTINGS, Setting
from .sample import flow_sigmas, load, noise_of, sample, timeline_of

RESULTS = Path(__file__).parent / "results" / "latents.json"
STEPS, PICTURES = 50, 1


def latent_hashes(family: Family) -> dict[str, str]:
    """A hash of the final latent of each of the demo's settings, sampled on one thread."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        return {setting.name: _hash_of(family, setting) for setting in SETTINGS}
    finally:
        torch.set_num_threads(threads)


def _hash_of(family: Family, setting: Setting) -> str:
    sigmas = flow_sigmas(STEPS, family.shift)
    noise, labels = noise_of(list(range(PICTURES)), family.latents), torch.arange(PICTURES)
    plans = setting.plans(timeline_of(sigmas, GUIDANCE))
    latent, _ = sample(load(family)[0], noise, labels, sigmas, plans, GUIDANCE)
    return sha256(latent.contiguous().numpy().tobytes()).hexdigest()[:32]


def main() -> None:
    found = {name: latent_hashes(family) for name, family in FAMILIES.items()}
    RESULTS.write_text(json.dumps(found, indent=1) + "\n")
    print(json.dumps(found, indent=1))


if __name__ == "__main__":
    main()
