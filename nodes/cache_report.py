"""Cache Report."""

from ..cache_core.show.chart import lines, picture
from .comfy.mailbox import Mailbox
from .widgets import inputs

NOTHING_YET = (
    "No run has finished with this model yet. Connect the sampler's LATENT to this node, and the sampler's MODEL to "
    "the Apply node that this REPORT comes from."
)
NO_CACHE = "No REPORT is connected, or its Apply node is bypassed: nothing was cached."
TOOLTIPS = {
    "latent": "The sampler's output, so that this node runs after sampling. It is passed on unchanged.",
    "report": "From FEB-Cache Apply or AB-Cache Apply. Without one, as when it is bypassed, nothing was cached.",
}


class CacheReport:
    """The node Cache Report."""

    CATEGORY = "model_patches/acceleration"
    SEARCH_ALIASES = ["cache report", "speed-up", "timing"]
    DESCRIPTION = (
        "What the cache did in the last run: steps computed and predicted, measured time saved, memory, demotions; and "
        "a picture of it."
    )
    RETURN_TYPES, RETURN_NAMES = ("LATENT", "STRING", "IMAGE"), ("latent", "text", "picture")
    OUTPUT_TOOLTIPS = (
        "The LATENT, unchanged.",
        "The report, as text.",
        "What each step did, the stage boundary, the noise scale, and the errors that a plan was made from, if it has "
        "them.",
    )
    FUNCTION, OUTPUT_NODE = "read", True

    @classmethod
    def INPUT_TYPES(cls) -> dict:
        return inputs(TOOLTIPS, required={"latent": ("LATENT",)}, optional={"report": ("REPORT",)})

    def read(self, latent: object, report: Mailbox | None = None) -> dict:
        """The report of the last run as text, as JSON, and as a picture."""
        text = NO_CACHE if report is None else report.latest.text() if report.latest else NOTHING_YET
        drawn = report.drawn if report and report.latest else lines(text)
        return {"ui": {"text": (text,)}, "result": (latent, text, picture(drawn))}
