"""Published caches, each one file: when to compute, where, from which predictor, by a threshold of its own."""

from ..errors import check_choice
from .cache_dit import CACHE_DIT
from .cfg_gate import CFG_GATE
from .dbcache import DBCACHE, FBCACHE
from .deepcache import DEEPCACHE, DEEPCACHE_UNEVEN
from .dicache import DICACHE
from .displaced import Displaced, trying
from .dyncfg import DYNCFG
from .easycache import EASYCACHE
from .fastercache import FASTERCACHE
from .fastercache_cfg import FASTERCACHE_CFG
from .fora import FORA
from .learning_to_cache import LEARNING_TO_CACHE
from .magcache import MAGCACHE
from .method import Method, Sampling, Threshold, Variant
from .profile import Profile
from .profilingdit import PROFILINGDIT
from .prompttea import PROMPTTEA
from .qandc import QANDC
from .seacache import SEACACHE
from .sencache import SENCACHE
from .smoothcache import SMOOTHCACHE
from .spectrum import SPECTRUM
from .strength import at_strength, reused_share, saved_share
from .teacache import TEACACHE

METHODS: dict[str, Method] = {
    method.name: method
    for method in (
        MAGCACHE,
        SMOOTHCACHE,
        FORA,
        CACHE_DIT,
        SPECTRUM,
        FASTERCACHE,
        QANDC,
        CFG_GATE,
        FASTERCACHE_CFG,
        DYNCFG,
        TEACACHE,
        PROMPTTEA,
        SEACACHE,
        SENCACHE,
        EASYCACHE,
        DEEPCACHE,
        DEEPCACHE_UNEVEN,
        DBCACHE,
        FBCACHE,
        DICACHE,
        PROFILINGDIT,
        LEARNING_TO_CACHE,
    )
}


def method_named(name: str) -> Method:
    """The method of this name. Raises ConfigError for another name."""
    check_choice("method", name, tuple(METHODS))
    return METHODS[name]
