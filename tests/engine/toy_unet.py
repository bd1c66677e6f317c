"""A small U-Net with the names of ComfyUI's, whose forward joins, patches and controls as that one does."""

from collections import Counter

import torch
from torch import nn
from torch.nn import functional as F

WIDTH = 4


class Down(nn.Module):
    def __init__(self):
        super().__init__()
        self.op = nn.Conv2d(WIDTH, WIDTH, 3, stride=2, padding=1)

    def forward(self, x):
        return self.op(x)


class Up(nn.Module):
    def __init__(self):
        super().__init__()
        self.conv, self.out_channels = nn.Conv2d(WIDTH, WIDTH, 3, padding=1), WIDTH

    def forward(self, x, size=None):
        return self.conv(F.interpolate(x, size=size))


def conv(channels=WIDTH):
    return nn.Conv2d(channels, WIDTH, 3, padding=1)


class ToyUNet(nn.Module):
    """Four blocks down, one in the middle, four up: `(B, 4, H, W)` to its like."""

    def __init__(self):
        super().__init__()
        self.time_embed, self.out = nn.Linear(1, 1), nn.Conv2d(WIDTH, WIDTH, 1)
        self.input_blocks = nn.ModuleList(map(nn.Sequential, (conv(), conv(), Down(), conv())))
        self.middle_block = nn.Sequential(conv(), nn.SiLU())
        two = 2 * WIDTH
        self.output_blocks = nn.ModuleList(
            [
                nn.Sequential(conv(two), nn.SiLU()),
                nn.Sequential(conv(two), Up()),
                nn.Sequential(conv(two), nn.SiLU()),
                nn.Sequential(conv(two), nn.SiLU()),
            ]
        )

    def forward(self, x, timesteps, context=None, y=None, control=None, transformer_options=None):
        options = {} if transformer_options is None else transformer_options
        patches, passed, h = options.get("patches", {}), [], x + self.time_embed(timesteps[:, None])[:, :, None, None]
        for place, block in enumerate(self.input_blocks):
            options["block"] = ("input", place)
            h = controlled(run(block, h, options), control, "input")
            for patch in patches.get("input_block_patch", ()):
                h = patch(h, options)
            passed.append(h)
        options["block"] = ("middle", 0)
        h = controlled(run(self.middle_block, h, options), control, "middle")
        for place, block in enumerate(self.output_blocks):
            options["block"] = ("output", place)
            skip = controlled(passed.pop(), control, "output")
            for patch in patches.get("output_block_patch", ()):
                h, skip = patch(h, skip, options)
            h = run(block, torch.cat((h, skip), 1), options, passed[-1].shape[2:] if passed else None)
        return self.out(h)


def run(block, h, options, size=None):
    for layer in block:
        handlers = options.get("patches", {}).get("forward_timestep_embed_patch", ())
        handler = next((own for kind, own in handlers if isinstance(layer, kind)), None)
        if handler:
            h = handler(layer, h, None, None, options, size)
        else:
            h = layer(h, size) if isinstance(layer, Up) else layer(h)
    return h


def controlled(h, control, name):
    residual = control[name].pop() if control and control.get(name) else None
    return h if residual is None else h.add_(residual)


def toy_unet():
    """A toy U-Net with weights that are always the same."""
    torch.manual_seed(0)
    return ToyUNet().eval()


def watch_layers(model, monkeypatch):
    """A counter of convolutions done from here on, by name."""
    owner = {m.weight.data_ptr(): name for name, m in model.named_modules() if isinstance(m, nn.Conv2d)}
    work, convolved = Counter(), F.conv2d

    def counted(x, weight, *args):
        work[owner[weight.data_ptr()]] += 1
        return convolved(x, weight, *args)

    monkeypatch.setattr(F, "conv2d", counted)
    return work
