"""A small transformer with the names of a FLUX and the habits of ComfyUI 0.8.0, and a bench to run it on one step at
a time.

Its blocks write into the image they are given and hand it back, and into whatever their attention and MLP return.
"""

from collections import Counter
from contextlib import nullcontext
from dataclasses import dataclass
from fractions import Fraction

import torch
import torch.nn.functional as F
from torch import nn

import lab.sample
from cache_core import MODULES, Extrapolation, Kind, Plan, Run, Table, Timeline
from cache_core.hosts import match
from cache_core.mount import Mounts, plain_weights
from cache_core.run.engine import evaluate
from cache_core.store import Store
from lab.flux import Flux, FluxConfig
from lab.sample import flow_sigmas

WIDTH, HEADS, WIDE, TEXTS, IMAGES = 8, 2, 12, 3, 5
OVERRIDE = "optimized_attention_override"
COMPUTED = {"#": MODULES, "a": {Kind.ATTENTION}, "m": {Kind.MLP}, ".": frozenset()}  # the report's marks


def kernel(q, k, v, heads, mask=None, **_):
    return F.scaled_dot_product_attention(q, k, v, attn_mask=mask).transpose(1, 2).flatten(2)


def attend(q, k, v, pe, mask, options):
    if pe is not None:
        q, k = q * pe, k * pe
    if OVERRIDE in options:
        return options[OVERRIDE](kernel, q, k, v, HEADS, mask=mask, skip_reshape=True, transformer_options=options)
    return kernel(q, k, v, HEADS, mask=mask)


def by_head(qkv):
    return qkv.unflatten(-1, (3, HEADS, -1)).permute(2, 0, 3, 1, 4)


def rms(x):
    return F.rms_norm(x, (WIDTH // HEADS,))


class Norm(nn.Module):
    def forward(self, q, k, v):
        return F.rms_norm(q, q.shape[-1:]), F.rms_norm(k, k.shape[-1:])


class Attention(nn.Module):
    def __init__(self):
        super().__init__()
        self.num_heads, self.norm = HEADS, Norm()
        self.qkv, self.proj = nn.Linear(WIDTH, 3 * WIDTH), nn.Linear(WIDTH, WIDTH)

    def split(self, x):
        q, k, v = by_head(self.qkv(x))
        return *self.norm(q, k, v), v


def mlp():
    return nn.Sequential(nn.Linear(WIDTH, WIDE), nn.GELU(), nn.Linear(WIDE, WIDTH))


class Double(nn.Module):
    def __init__(self):
        super().__init__()
        self.img_attn, self.txt_attn, self.img_mlp, self.txt_mlp = Attention(), Attention(), mlp(), mlp()

    def forward(self, img, txt, vec, pe, attn_mask=None, transformer_options=None):
        streams = ((txt, self.txt_attn, self.txt_mlp), (img, self.img_attn, self.img_mlp))
        q, k, v = (torch.cat(parts, 2) for parts in zip(*(attn.split(x + vec) for x, attn, _ in streams), strict=True))
        mixed = attend(q, k, v, pe, attn_mask, transformer_options).split([txt.shape[1], img.shape[1]], 1)
        for (x, attn, mlp), part in zip(streams, mixed, strict=True):
            x += attn.proj(part).mul_(vec)
            x += mlp(x + vec).mul_(vec)
        return img, txt


class Single(nn.Module):
    def __init__(self):
        super().__init__()
        self.hidden_size, self.norm, self.mlp_act = WIDTH, Norm(), nn.GELU()
        self.linear1, self.linear2 = nn.Linear(WIDTH, 3 * WIDTH + WIDE), nn.Linear(WIDTH + WIDE, WIDTH)

    def forward(self, x, vec, pe, attn_mask=None, transformer_options=None):
        qkv, wide = self.linear1(x + vec).split([3 * WIDTH, WIDE], -1)
        q, k, v = by_head(qkv)
        mixed = attend(*self.norm(q, k, v), v, pe, attn_mask, transformer_options)
        x += self.linear2(torch.cat((mixed, self.mlp_act(wide)), -1)).mul_(vec)
        return x


class Toy(nn.Module):
    """`(B, IMAGES, WIDTH)` of images `x` like it, times `t` `(B,)` and texts `(B, TEXTS, WIDTH)`. Its blocks are
    those given."""

    def __init__(self, double=(), single=()):
        super().__init__()
        self.double_blocks, self.single_blocks = nn.ModuleList(double), nn.ModuleList(single)
        self.time = nn.Linear(1, WIDTH)

    def forward(self, x, t, text, options):
        img, txt, vec = x.clone(), text.clone(), self.time(t.view(-1, 1, 1))
        pe = torch.linspace(0.5, 1.5, x.shape[1] + text.shape[1])[:, None]
        for block in reached(self.double_blocks, "double", options):
            img, txt = block(img=img, txt=txt, vec=vec, pe=pe, attn_mask=None, transformer_options=options)
        joined = torch.cat((txt, img), 1)
        for block in reached(self.single_blocks, "single", options):
            joined = block(joined, vec=vec, pe=pe, attn_mask=None, transformer_options=options)
        return joined[:, txt.shape[1] :]


def reached(blocks, kind, options):
    """The blocks that are not skipped: `options["skipped"]` holds pairs like ("double", 0)."""
    return (block for i, block in enumerate(blocks) if (kind, i) not in options.get("skipped", ()))


def toy(double=(Double, Double), single=(Single, Single)):
    """A toy with blocks of these classes, and weights that are always the same."""
    torch.manual_seed(0)
    return Toy([block() for block in double], [block() for block in single])


def inputs(seed=0, batch=1):
    """Image, time and text for the toy."""
    chance = torch.Generator().manual_seed(seed)
    image, text = (torch.randn(batch, tokens, WIDTH, generator=chance) for tokens in (IMAGES, TEXTS))
    return image, torch.rand(batch, generator=chance), text


def small_flux(depth=1, depth_single=2):
    """The lab's FLUX, small and with random weights that are always the same."""
    torch.manual_seed(0)
    return Flux(FluxConfig(hidden=32, heads=2, depth=depth, depth_single=depth_single, channels=4, axes=(4, 6, 6)))


def flux_inputs():
    """Latent, time, context and vector for the small FLUX."""
    chance = torch.Generator().manual_seed(0)
    latent, time = torch.randn(1, 4, 4, 4, generator=chance), torch.rand(1, generator=chance)
    return latent, time, *(torch.randn(shape, generator=chance) for shape in ((1, 4, 32), (1, 16)))


@dataclass(frozen=True)
class Marks:
    """A schedule as the report draws it: # computes all `kinds`, a attention, m the MLP, . nothing. After the last
    mark all is computed."""

    text: str
    kinds: frozenset[Kind] = MODULES

    def table(self, timeline):
        marks = self.text.ljust(timeline.steps, "#")
        return Table(self.kinds, tuple(self.kinds if mark == "#" else self.kinds & COMPUTED[mark] for mark in marks))


def plan(marks, kinds=MODULES, order=1, merge=False):
    return Plan(Marks(marks, kinds), Extrapolation(order=order), merge=merge)


class Bench:
    """A model in a run: each call is the next evaluation."""

    def __init__(self, model, *plans, steps=10, read=plain_weights, host=None, outside=nullcontext):
        timeline = Timeline.flow(flow_sigmas(steps))
        self.model, self.sigmas, self.run = model, iter(timeline.sigmas), Run(plans, timeline, outside)
        self.mounts = Mounts(model, host or match(model), self.run, read)

    def __call__(self, *given, options=None, conditionings=("cond",)):
        self.run.begin(next(self.sigmas))
        signature = (len(given[0]) // len(conditionings), tuple(given[0].shape[1:]))
        options = {} if options is None else options
        self.mounts.notice(options)
        return evaluate(self.run, conditionings, signature, lambda: self.model(*given, options), self.mounts)


def measured(store):
    """Bytes of the tensors that a store keeps, each storage once: on the device, values fetched ahead included, and
    in host memory."""
    away = {t.data_ptr() for key in store for kept in store[key].kept if kept.form.offloaded for t in kept.parts}
    sizes = {
        t.untyped_storage().data_ptr(): (t.untyped_storage().nbytes(), t.data_ptr() in away) for t in store.tensors()
    }
    return tuple(sum(size for size, is_away in sizes.values() if is_away == wanted) for wanted in (False, True))


def watch_stores(monkeypatch, look=measured):
    """A list that gets `look(store)` whenever, from here on, a store has kept, combined or fetched values."""
    found = []

    def watched(work):
        def call(self, *given):
            result = work(self, *given)
            found.append(look(self))
            return result

        return call

    for name in ("push", "combine", "begin"):
        monkeypatch.setattr(Store, name, watched(getattr(Store, name)))
    return found


def prepare_runs(monkeypatch, prepare):
    """The list of the runs that `lab.sample` makes from here on, each prepared by `prepare(run)` first."""
    runs = []

    def made(*given):
        runs.append(Run(*given))
        prepare(runs[-1])
        return runs[-1]

    monkeypatch.setattr(lab.sample, "Run", made)
    return runs


def standing(*rungs):
    """For `prepare_runs`: a run with only these rungs."""

    def prepare(run):
        run.store.ladder = rungs
        run.stand()

    return prepare


def watch_work(model, monkeypatch):
    """A counter of the work done from here on: for each linear layer the share of its weight that was used, and
    `kernel` runs."""
    owner = {m.weight.data_ptr(): (name, m.weight) for name, m in model.named_modules() if isinstance(m, nn.Linear)}
    work, linear, attention = Counter(), F.linear, F.scaled_dot_product_attention

    def counted_linear(x, weight, bias=None):
        name, whole = owner[weight.untyped_storage().data_ptr()]
        work[name] += Fraction(weight.numel(), whole.numel())
        return linear(x, weight, bias)

    def counted_attention(*args, **kwargs):
        work["kernel"] += 1
        return attention(*args, **kwargs)

    monkeypatch.setattr(F, "linear", counted_linear)
    monkeypatch.setattr(F, "scaled_dot_product_attention", counted_attention)
    return work
