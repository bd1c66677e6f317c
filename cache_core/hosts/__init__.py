"""Model families as data, and the one that a model belongs to."""

from .families import HOSTS, REFUSED
from .match import blocks_of, lists_of, match, matches, merging, required, submodule
from .spec import Blocks, Call, Fused, Host, Inline, Joint, Refused, SiteNames, Spec, UNet
