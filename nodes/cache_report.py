"""Cache Report."""

from ..cache_core.show.chart import lines, picture
from ..cache_core.show.report import RunReport, measured_rate
from .comfy.mailbox import Mailbox
from .widgets import inputs

NOTHING_YET = (
    "No run has finished with this model yet. Connect the sampler's LATENT to this node, and the sampler's MODEL to "
    "the node that this REPORT comes from. Of two models in one guider, the first one's node counts."
)
OFF = "{}, by its preset: it cached nothing, and the model is as it was before that node."
NO_CACHE = "No REPORT is connected, or its node is bypassed: nothing was cached."
TOOLTIPS = {
    "latent": "The sampler's output, so that this node runs after sampling. It is passed on unchanged.",
    "report": "From FEB-Cache Apply or AB-Cache Apply. Without one, as when it is bypassed, nothing was cached.",
}


class CacheReport:
    """The node Cache Report."""

    CATEGORY = "model/patch"
    SEARCH_ALIASES = ["cache report", "timing"]
    DESCRIPTION = (
        "What the cache did in the last run: steps computed and predicted, measured time saved, memory, and what was "
        "cached less than planned; and a picture of it."
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
        """The report of the last run, or of two that were one sampling by two models, as text and as a picture."""
        letters = report.newest if report else []
        text = told([letter.report for letter in letters]) if letters else silent(report)
        drawn = [part for letter in letters for part in letter.drawn] or lines(text)
        ui: dict = {"text": (text,)}
        if letters:
            ui["reports"] = [letter.report.table() for letter in letters]
        return {"ui": ui, "result": (latent, text, picture(drawn))}


def silent(report: Mailbox | None) -> str:
    """The reason why there is no report."""
    if report is None:
        return NO_CACHE
    return OFF.format(report.off) if report.off else NOTHING_YET


def told(reports: list[RunReport]) -> str:
    """The text of a report, or of two: that of both together, then one after the other."""
    texts = [report.text() for report in reports]
    if len(reports) < 2:
        return texts[0]
    seconds, gains = sum(report.seconds for report in reports), [report.seconds_saved for report in reports]
    saved = sum(gain for gain in gains if gain is not None)
    rate = f"; saved {saved:.2f} s, {measured_rate(seconds, saved):.2f}x, as measured" if None not in gains else ""
    steps = " + ".join(str(report.steps) for report in reports)
    return "\n\n".join([f"two models, one after the other: {steps} steps, {seconds:.2f} s{rate}", *texts])
