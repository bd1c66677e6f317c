"""How long the timeline's route takes to answer, on this machine's CPU: python3 -m lab.preview [STEPS]."""

import json
import sys
from statistics import median
from time import perf_counter

from .in_comfyui import load_pack

ALLOWED = 20.0  # milliseconds for 100 steps: a slider that moves asks ten times a second
REQUESTS = {
    "FEB-Cache": {"class": "FEBCacheApply", "widgets": {"preset": "auto"}},
    "FEB-Cache, an edit": {
        "class": "FEBCacheApply",
        "widgets": {"preset": "auto"},
        "edit": {"kind": "mlp", "steps": [60], "compute": False},
    },
    "AB-Cache": {"class": "ABCacheApply", "widgets": {"preset": "custom", "order": 3}},
    "both on one model": {
        "class": "FEBCacheApply",
        "widgets": {"preset": "auto"},
        "beside": [{"class": "ABCacheApply", "widgets": {"learn": False}}],
    },
}


def milliseconds(steps: int, times: int = 50) -> dict[str, tuple[float, float]]:
    """Median and longest time of an answer, by request."""
    answer = sys.modules[f"{load_pack().__name__}.nodes.page.routes"].answer
    found = {}
    for name, request in REQUESTS.items():
        body, taken = json.dumps({**request, "sampling": {"steps": steps}}).encode(), []
        for _ in range(times):
            start = perf_counter()
            status, _ = answer(body)
            taken.append(1000 * (perf_counter() - start))
            assert status == 200
        found[name] = median(taken), max(taken)
    return found


if __name__ == "__main__":
    steps = int(sys.argv[1]) if sys.argv[1:] else 100
    print(f"{steps} steps; {ALLOWED:g} ms are allowed for 100")
    for name, (middle, longest) in milliseconds(steps).items():
        print(f"{name:20s} {middle:6.2f} ms, at most {longest:6.2f} ms{'' if longest <= ALLOWED else ', too slow'}")
