"""Published caches, each one file: when to compute, where, from which predictor, by a threshold of its own."""

from ..errors import check_choice
from .magcache import MAGCACHE
from .method import Method, Sampling, Threshold, Variant, at_strength, reused_share
from .profile import Profile

METHODS: dict[str, Method] = {method.name: method for method in (MAGCACHE,)}


def method_named(name: str) -> Method:
    """The method of this name. Raises ConfigError for another name."""
    check_choice("method", name, tuple(METHODS))
    return METHODS[name]
