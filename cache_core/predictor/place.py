"""Places of sigmas in the run, for predictors whose weights depend on the step."""

from collections.abc import Sequence

import numpy as np


def place_of(sigmas: Sequence[float], sigma: float) -> float:
    """Step of `sigma` in a run at `sigmas` `(N + 1,)`, descending, from 0 to N; a fraction between two steps."""
    return float(np.interp(-sigma, [-known for known in sigmas], range(len(sigmas))))
