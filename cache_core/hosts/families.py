"""Every model family, in the order in which a model is compared with them."""

from .image import IMAGE
from .sound_and_shape import HUNYUAN_3D, SOUND_AND_SHAPE
from .spec import Host, Refused
from .video import VIDEO

# The first that matches a model is its host.
HOSTS: tuple[Host, ...] = (*VIDEO, HUNYUAN_3D, *IMAGE, *SOUND_AND_SHAPE)

# Looked at before all of these.
REFUSED: tuple[Refused, ...] = (
    Refused(
        "Wan Animate 2",
        ("WanAnimate2Model",),
        "Wan Animate 2",
        ("blocks.0.forward_gen", "blocks.0.forward_pose"),
        "its blocks run two branches by methods of their own",
    ),
)
