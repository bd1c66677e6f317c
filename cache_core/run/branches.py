"""The branches of classifier-free guidance: the conditional and the unconditional outputs of one evaluation, and the
prediction of the second from the first."""

from collections.abc import Callable, Hashable

import torch
from torch import Tensor

from ..predictor import Predictor
from ..site import Kind
from ..store import afforded
from .run import Run, site_of

LOW, REST, WHOLE = 0, 1, 2  # places of the difference's parts, for Predictor.of
NARROW = 5  # the low band reaches to this part of the shorter side


def difference(
    run: Run,
    conditioning: Hashable,
    signature: Hashable,
    both: Callable[[], Tensor | None],
    alone: Callable[[], None],
    device: torch.device | None = None,
    grid: bool = True,
) -> Tensor | None:
    """The predicted difference `(B, C, ...)` of the raw outputs, unconditional minus conditional, once `alone` has run
    the conditional branch; None once `both` has run the two. `both` returns their difference, to be kept, or None.

    `conditioning`, `signature`, `device`: as in Run.calling; `conditioning` names the pair. `grid`: whether the last
    two axes are rows and columns, so that there are bands.
    """
    with run.calling((conditioning,), signature, device):
        predicted = _predicted(run, grid)
        if predicted is None:
            computed = both()
            if computed is not None:
                _keep(run, computed, grid)
            return None
        alone()
        return predicted


def _predicted(run: Run, grid: bool) -> Tensor | None:
    """The difference from its kept parts; None where it is computed."""
    sites = [site_of(Kind.GUIDANCE, place) for place in _places(run.agenda.plan(Kind.GUIDANCE).predictor, grid)]
    if not run.predicts(Kind.GUIDANCE, *sites):
        return None
    first, *others = sites

    def summed() -> Tensor:
        total = run.predict(Kind.GUIDANCE, first)
        for site in others:
            total += run.predict(Kind.GUIDANCE, site)
        return total

    return afforded(summed, None)


def _keep(run: Run, computed: Tensor, grid: bool) -> None:
    """Keep the difference, in parts where the predictor tells bands apart."""
    places = _places(run.agenda.plan(Kind.GUIDANCE).predictor, grid)
    if len(places) == 1:
        run.remember(Kind.GUIDANCE, site_of(Kind.GUIDANCE, places[0]), computed)
        return
    low = low_band(computed)
    for place, part in ((LOW, low), (REST, computed - low)):
        run.remember(Kind.GUIDANCE, site_of(Kind.GUIDANCE, place), part)


def _places(predictor: Predictor, grid: bool) -> tuple[int, ...]:
    if predictor.of(LOW) == predictor.of(REST):
        return (LOW,)
    return (LOW, REST) if grid else (WHOLE,)


def low_band(value: Tensor) -> Tensor:
    """Low frequencies `(..., H, W)` of `value`, float32: those of its 2-D FFT within `min(H, W) // 5` of zero.
    FasterCache, arXiv 2410.19355, with the radius of the released code."""
    height, width = value.shape[-2:]
    rows = torch.fft.fftfreq(height, 1 / height, device=value.device).unsqueeze(1)
    columns = torch.fft.rfftfreq(width, 1 / width, device=value.device)
    inside = rows.square() + columns.square() <= (min(height, width) // NARROW) ** 2
    return torch.fft.irfft2(torch.fft.rfft2(value.float()) * inside, s=(height, width))
