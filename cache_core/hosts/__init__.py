"""Model families as data, and the one that a model belongs to."""

from .families import HOSTS, REFUSED, WAN
from .match import blocks_of, match, matches, submodule
from .spec import Blocks, Call, Fused, Host, Joint, Refused, SiteNames
