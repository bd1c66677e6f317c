"""What the strip of Cache Method gets to put into words, for test_words.py."""

from collections.abc import Callable

RELEASED = {"method": "MagCache", "curves": "as released"}
LEARNED = {"method": "MagCache", "curves": "learned on this model"}
THRESHOLD = {"name": "magcache_thresh", "value": "0.064", "strength": 0.5}


def method_cases(plan: Callable[..., dict], known: dict, ran: dict) -> dict:
    """Plans and runs of Cache Method. `plan`: asks the pack's route; `known`: the answer for a plan that saves, of any
    node; `ran`: a state of its run."""

    def asked(**widgets: object) -> dict:
        return {"plans": [plan("CacheMethod", widgets=widgets)]}

    by_hand = {**THRESHOLD, "strength": None}
    return {
        "method": {"plans": [{**known, "threshold": THRESHOLD}]},
        "method by hand": {"plans": [{**known, "threshold": by_hand}], "runs": [ran]},
        "method of a model that has not run": asked(**RELEASED),
        "method to be learned": asked(**LEARNED),
        "threshold to be learned": asked(**LEARNED, threshold=0.1),
        "method off": asked(**RELEASED, strength=0.0),
    }
