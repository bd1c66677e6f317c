"""Small models made from the hosts' own data: the names, block lists and streams of every family, without ComfyUI."""

import torch
import torch.nn.functional as F
from torch import nn

from cache_core.hosts import Call, Fused, Inline, Joint, submodule

WIDTH, HEADS, WIDE = 8, 2, 12


def plant(root, path, module):
    """Put `module` at a dotted path below `root`."""
    *parents, last = path.split(".")
    for name in parents:
        if not hasattr(root, name):
            root.add_module(name, nn.Module())
        root = getattr(root, name)
    root.add_module(last, module)


def attend(q, k, v, options):
    """Attention of `(B, heads, L, D)`, through the override that ComfyUI's models consult."""

    def kernel(q, k, v, heads, **_):
        return F.scaled_dot_product_attention(q, k, v).transpose(1, 2).flatten(2)

    override = options.get("optimized_attention_override")
    return (
        override(kernel, q, k, v, HEADS, skip_reshape=True, transformer_options=options)
        if override
        else kernel(q, k, v, HEADS)
    )


class Several(nn.Module):
    """Returns a tuple."""

    def __init__(self, outputs, others):
        super().__init__()
        self.others = others
        self.layers = nn.ModuleList(nn.Linear(WIDTH, WIDTH) for _ in range(outputs))

    def forward(self, x):
        return *(layer(x) for layer in self.layers), *(None for _ in range(self.others))


class Norm(nn.Module):
    """Of queries and keys, together or one by one."""

    def forward(self, *qk):
        normed = tuple(F.rms_norm(x, x.shape[-1:]) for x in qk[:2])
        return normed if len(qk) > 1 else normed[0]


class Stream(nn.Module):
    """The learned parts of one stream of a joint attention."""

    def __init__(self, norms):
        super().__init__()
        self.num_heads, self.head_dim = HEADS, WIDTH // HEADS
        self.qkv, self.proj, self.norms = nn.Linear(WIDTH, 3 * WIDTH), nn.Linear(WIDTH, WIDTH), norms
        for norm in norms:
            self.add_module(norm, Norm())

    def split(self, x):
        qkv = self.qkv(x)
        if len(self.norms) == 1:
            q, k, v = qkv.unflatten(-1, (3, HEADS, -1)).permute(2, 0, 3, 1, 4)
            return *getattr(self, self.norms[0])(q, k, v), v
        q, k, v = qkv.unflatten(-1, (3, -1, self.head_dim)).permute(2, 0, 3, 1, 4)
        return *(getattr(self, norm)(x) for norm, x in zip(self.norms, (q, k), strict=True)), v


class Block(nn.Module):
    """Runs every mount of its kind in turn. Its inputs and outputs are the streams that the host says it carries."""

    def __init__(self, spec):
        super().__init__()
        self.spec, self.hidden_size = spec, WIDTH
        for mount in spec.mounts:
            if isinstance(mount, Call):
                for name in mount.names:
                    plant(
                        self, name, Several(mount.outputs, mount.others) if mount.is_tuple else nn.Linear(WIDTH, WIDTH)
                    )
            elif isinstance(mount, Joint):
                for name in mount.streams:
                    plant(self, name, Stream(mount.norms))
            elif isinstance(mount, Inline):
                for name in mount.needs:
                    plant(self, name, nn.Linear(WIDTH, WIDTH))
            else:
                plant(self, mount.first, nn.Linear(WIDTH, 3 * WIDTH + WIDE))
                plant(self, mount.last, nn.Linear(WIDTH + WIDE, WIDTH))
                plant(self, mount.norm, Norm())
                plant(self, mount.act, nn.GELU())

    def forward(self, *args, vec, transformer_options, **kwargs):
        streams = [kwargs[name] if name in kwargs else args[name] for name in self.spec.carries] or [args[0]]
        for mount in self.spec.mounts:
            added = vec * self.added(mount, sum(streams) * vec, transformer_options)
            streams = [x + added for x in streams]
        return streams[0] if len(streams) == 1 else tuple(streams)

    def added(self, mount, x, options):
        if isinstance(mount, Call):
            outputs = [submodule(self, name)(x) for name in mount.names]
            return sum([x for several in outputs for x in several[: mount.outputs]] if mount.is_tuple else outputs)
        if isinstance(mount, Joint):
            streams = [submodule(self, name) for name in mount.streams]
            q, k, v = (torch.cat(parts, 2) for parts in zip(*(stream.split(x) for stream in streams), strict=True))
            mixed = attend(q, k, v, options).chunk(len(streams), 1)
            return sum(stream.proj(part) for stream, part in zip(streams, mixed, strict=True))
        if isinstance(mount, Inline):
            return sum(submodule(self, name)(x) for name in mount.needs)
        assert isinstance(mount, Fused)
        first, last, norm, act = (submodule(self, name) for name in mount.needs)
        qkv, wide = first(x).split([3 * WIDTH, WIDE], -1)
        q, k, v = qkv.unflatten(-1, (3, HEADS, -1)).permute(2, 0, 3, 1, 4)
        return last(torch.cat((attend(*norm(q, k, v), v, options), act(wide)), -1))


def turned(x, batch):
    """`(B, L, C)` as `(L, 1, ..., B, C)`, with the batch at that axis."""
    return x.transpose(0, 1)[(slice(None), *[None] * (batch - 1))] if batch else x


class Mirror(nn.Module):
    """A model with the names of `host`: `(B, L, WIDTH)` in and out, and times `(B,)`."""

    def __init__(self, host, blocks=2):
        super().__init__()
        torch.manual_seed(0)
        self.host, self.time = host, nn.Linear(1, WIDTH)
        for spec in host.blocks:
            plant(self, spec.path, nn.ModuleList(Block(spec) for _ in range(blocks)))
        for need in host.needs:
            plant(self, need, nn.Identity())

    def forward(self, x, t, options):
        vec = 1 + 0.1 * self.time(t.view(-1, 1, 1))
        for spec in self.host.blocks:
            carries = spec.carries or (0,)
            x, times = turned(x, spec.batch), turned(vec, spec.batch)
            streams = [x for _ in carries]
            for block in submodule(self, spec.path):
                named = {name: s for name, s in zip(carries, streams, strict=True) if isinstance(name, str)}
                out = block(*([] if named else streams), vec=times, transformer_options=options, **named)
                streams = [out] if isinstance(out, torch.Tensor) else list(out)
            x = sum(streams) / len(streams)
            x = x.flatten(0, spec.batch - 1).transpose(0, 1) if spec.batch else x
        return x
