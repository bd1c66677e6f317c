"""States of an evaluation and of a step, with the words, marks and colours that show them."""

from ..run.evaluation import Evaluation
from ..site import MODULES, OUTPUT, Kind

COMPUTE, PREDICT_MODEL = "compute", "predict model"
STATES = {  # of an evaluation, by the kinds that it predicts
    frozenset(): COMPUTE,
    frozenset({Kind.ATTENTION}): "reuse attention",
    frozenset({Kind.MLP}): "reuse mlp",
    MODULES: "reuse both",
    OUTPUT: PREDICT_MODEL,
}
MARKS = {COMPUTE: "#", "reuse attention": "m", "reuse mlp": "a", "reuse both": ".", PREDICT_MODEL: "."}

# Of a kind at a step; web/js/timeline_strip.js knows these words, too.
COMPUTED, REUSED, PREDICTED = "computed", "reused", "predicted"
RESTING = "resting"  # no block runs, because another plan predicts the whole model
OPEN = "open"  # decided in the run
COLOURS = {COMPUTED: "#0072b2", REUSED: "#d55e00", PREDICTED: "#008060"}  # Okabe and Ito's, dark enough for white paper
WORDS = {RESTING: "not run", None: "not reached"}  # in a picture's key, where they differ from the state


def state_of(evaluation: Evaluation) -> str:
    """State of an evaluation, one of STATES. If the model ran for any conditioning, its blocks say which."""
    predicted = evaluation.predicted_calls
    if predicted[Kind.MODEL] and not evaluation.computed_calls[Kind.MODEL]:
        return PREDICT_MODEL
    return STATES[frozenset(kind for kind in MODULES if predicted[kind])]
