"""What the lists of blocks of a toy add to their streams, without a cache."""

import torch
from toy import TEXTS, plan

STREAMS = ("double_blocks.img", "double_blocks.txt", "single_blocks.x")


def merged(marks, order=1):
    return plan(marks, order=order, merge=True)


def named(streams):
    """The two streams of a list of double blocks, or the one of single blocks, each with its name."""
    return zip(STREAMS[:2] if len(streams) == 2 else STREAMS[2:], streams, strict=True)


def residuals(model, *given):
    """What each list of the uncached model adds to each of its streams: its last output less its first input."""
    found, hooks = {}, []

    def enter(block, args, kwargs):
        streams = (kwargs["img"], kwargs["txt"]) if "img" in kwargs else args[:1]
        found.update({site: x.clone() for site, x in named(streams)})

    def leave(block, args, out):
        found.update({site: x - found[site] for site, x in named(out if isinstance(out, tuple) else (out,))})

    for blocks in (model.double_blocks, model.single_blocks):
        hooks += [blocks[0].register_forward_pre_hook(enter, with_kwargs=True), blocks[-1].register_forward_hook(leave)]
    model(*given, {})
    for hook in hooks:
        hook.remove()
    return found


def by_hand(x, text, added):
    """What the toy makes of an image and a text when its lists add what is given."""
    joined = torch.cat((text + added["double_blocks.txt"], x + added["double_blocks.img"]), 1)
    return (joined + added["single_blocks.x"])[:, TEXTS:]
