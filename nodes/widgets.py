"""Inputs of the nodes, as ComfyUI declares them; tooltips apart from ranges, so that each reads in one piece."""

from collections.abc import Container, Mapping

from ..cache_core.settings.presets import CUSTOM, OFF

Input = tuple  # ComfyUI's: the type, or a list of options; then a dict of details

FOR_SPEED = (
    "cache",
    "speed",
    "speed up",
    "faster",
    "fast",
    "turbo",
    "accelerate",
    "acceleration",
)  # what people search for
OTHERS = ("teacache", "magcache", "easycache", "fbcache", "spectrum", "taylorseer", "cache-dit")  # and by other names
OF_BOTH = {  # tooltips of widgets that both Apply nodes have
    "warmup_steps": "Steps at the start that are always computed. More keeps the composition closer.",
    "final_steps": "Steps at the end that are always computed. More keeps fine detail closer.",
    "start_percent": "Share of the sampling, from its start, before which every step is computed. 0 = cache from the "
    "start. More keeps more of the composition untouched.",
    "end_percent": "Share of the sampling after which every step is computed. 1 = cache to the end. Less keeps more of "
    "the fine detail untouched.",
    "model_2": "The second model of a pair, such as Wan 2.2's low-noise one, or a guider's negative model. It gets the "
    "same settings. A pair sampled in turn learns a plan for each.",
}


def inputs(
    tooltips: Mapping[str, str], at_sight: Container[str] | None = None, **groups: Mapping[str, Input]
) -> dict[str, dict[str, Input]]:
    """INPUT_TYPES with the groups `required`, `optional` and so on, each input with its tooltip. `at_sight`: names of
    the widgets that the page shows at first, the others on request; None = all."""

    def described(name: str, kind: Input) -> Input:
        details = {**_details(kind), "tooltip": tooltips[name]}
        hidden = at_sight is not None and name not in at_sight and len(kind) > 1  # what has no details is no widget
        return (kind[0], {**details, "advanced": True} if hidden else details)

    return {group: {name: described(name, kind) for name, kind in given.items()} for group, given in groups.items()}


def _details(kind: Input) -> dict:
    return kind[1] if len(kind) > 1 else {}


def integer(default: int, low: int, high: int) -> Input:
    """A field of whole numbers from `low` to `high`."""
    return ("INT", {"default": default, "min": low, "max": high, "step": 1})


def number(default: float, low: float, high: float, step: float, **details: object) -> Input:
    """A field of numbers."""
    return ("FLOAT", {"default": default, "min": low, "max": high, "step": step, "round": False, **details})


def choice(options: tuple[str, ...], **details: object) -> Input:
    """A list of options, the first one the default."""
    return (list(options), {"default": options[0], **details})


def preset(presets: Mapping[str, Mapping[str, object]]) -> Input:
    """The list of presets, with the widgets that each one sets; `custom` and `off` set none."""
    return choice((*presets, CUSTOM, OFF), presets=presets)


def of_a_sampling() -> dict[str, Input]:
    """The inputs of a node that samples by itself, as SamplerCustom has them."""
    return {
        "model": ("MODEL",),
        "positive": ("CONDITIONING",),
        "negative": ("CONDITIONING",),
        "latent_image": ("LATENT",),
        "sampler": ("SAMPLER",),
        "sigmas": ("SIGMAS",),
        "seed": ("INT", {"default": 0, "min": 0, "max": 2**64 - 1, "control_after_generate": False}),
        "cfg": ("FLOAT", {"default": 1.0, "min": 0.0, "max": 100.0, "step": 0.1, "round": 0.01}),
    }


def percents() -> dict[str, Input]:
    """The two widgets that limit caching to a part of the sampling, counted as ComfyUI's own nodes count it."""
    return {"start_percent": number(0.0, 0.0, 1.0, 0.01), "end_percent": number(1.0, 0.0, 1.0, 0.01)}
