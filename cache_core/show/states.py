"""States of an evaluation and of a step, with the words, marks and colours that show them."""

from ..run.evaluation import Evaluation
from ..site import BRANCHES, LATENT, MODULES, OUTPUT, Kind

COMPUTE, PREDICT_MODEL = "compute", "predict model"
ONE_BRANCH = "one branch"  # the unconditional one is predicted
_BOTH = {  # branches of the guidance are computed
    frozenset(): COMPUTE,
    frozenset({Kind.ATTENTION}): "reuse attention",
    frozenset({Kind.MLP}): "reuse mlp",
    MODULES: "reuse both",
}
_ONE = {kinds | BRANCHES: f"{state}, {ONE_BRANCH}" if kinds else ONE_BRANCH for kinds, state in _BOTH.items()}
STATES = {**_BOTH, **_ONE, OUTPUT: PREDICT_MODEL, LATENT: PREDICT_MODEL}  # of an evaluation, by the kinds it predicts
_MARKS = {COMPUTE: "#", "reuse attention": "m", "reuse mlp": "a", "reuse both": ".", PREDICT_MODEL: "."}
MARKS = {state: _MARKS.get(state.removesuffix(f", {ONE_BRANCH}"), "1") for state in STATES.values()}

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
    return STATES[frozenset(kind for kind in MODULES | BRANCHES if predicted[kind])]
