"""A small transformer with the structure and the key names of the released FLUX, so that ComfyUI's own class loads
its weights."""

import math
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from einops import rearrange
from torch import Tensor, nn


@dataclass(frozen=True)
class FluxConfig:
    """Sizes of a FLUX. The defaults are the shipped lab model; head width is the sum of `axes`."""

    hidden: int = 128
    heads: int = 1
    depth: int = 3
    depth_single: int = 6
    channels: int = 16
    context: int = 32
    vector: int = 16
    axes: tuple[int, int, int] = (16, 56, 56)
    theta: int = 10_000
    patch: int = 2
    mlp_ratio: int = 4
    image_first: bool = False  # the order of the two streams where they are joined


def attention(
    q: Tensor, k: Tensor, v: Tensor, heads: int, mask: Tensor | None = None, skip_reshape: bool = True, **_: object
) -> Tensor:
    """Softmax attention of `(B, heads, L, D)` tensors, returned as `(B, L, heads * D)`."""
    return rearrange(F.scaled_dot_product_attention(q, k, v, attn_mask=mask), "b h l d -> b l (h d)")


def attend(q: Tensor, k: Tensor, v: Tensor, pe: Tensor | None, mask: Tensor | None, options: dict) -> Tensor:
    """`attention` with rotary positions, through the same override that ComfyUI models consult."""
    if pe is not None:
        q, k = rotate(q, pe), rotate(k, pe)
    override = options.get("optimized_attention_override")
    if override is None:
        return attention(q, k, v, q.shape[1], mask=mask)
    return override(attention, q, k, v, q.shape[1], mask=mask, skip_reshape=True, transformer_options=options)


def rotary(ids: Tensor, axes: tuple[int, ...], theta: int) -> Tensor:
    """Rotation matrices `(B, 1, L, sum(axes) / 2, 2, 2)` for positions `ids` `(B, L, len(axes))`."""
    angles = []
    for axis, width in enumerate(axes):
        frequency = theta ** -(torch.arange(0, width, 2, dtype=torch.float64, device=ids.device) / width)
        angles.append(ids[..., axis, None].double() * frequency)
    angle = torch.cat(angles, -1)
    cos, sin = angle.cos(), angle.sin()
    return torch.stack([cos, -sin, sin, cos], -1).unflatten(-1, (2, 2)).float().unsqueeze(1)


def rotate(x: Tensor, pe: Tensor) -> Tensor:
    """`x` `(B, heads, L, D)` with each neighbouring pair of features turned by its position."""
    pairs = x.to(pe.dtype).unflatten(-1, (-1, 1, 2))
    return (pe[..., 0] * pairs[..., 0] + pe[..., 1] * pairs[..., 1]).flatten(-2).type_as(x)


def sinusoid(t: Tensor, width: int = 256, period: float = 10_000, scale: float = 1000.0) -> Tensor:
    """Features `(B, width)` of times `t` `(B,)` in [0, 1]: cosines first, then sines."""
    half = width // 2
    frequency = torch.exp(-math.log(period) / half * torch.arange(half, dtype=torch.float32, device=t.device))
    angle = (scale * t)[:, None].float() * frequency
    return torch.cat([angle.cos(), angle.sin()], -1)


class RMSNorm(nn.Module):
    def __init__(self, width: int):
        super().__init__()
        self.scale = nn.Parameter(torch.ones(width))

    def forward(self, x: Tensor) -> Tensor:
        return F.rms_norm(x, self.scale.shape, self.scale.to(x.dtype), eps=1e-6)


class QKNorm(nn.Module):
    def __init__(self, width: int):
        super().__init__()
        self.query_norm, self.key_norm = RMSNorm(width), RMSNorm(width)

    def forward(self, q: Tensor, k: Tensor, v: Tensor) -> tuple[Tensor, Tensor]:
        return self.query_norm(q).to(v), self.key_norm(k).to(v)


class SelfAttention(nn.Module):
    """The three learned parts of an attention; the block joins the streams and attends."""

    def __init__(self, hidden: int, heads: int):
        super().__init__()
        self.num_heads = heads
        self.qkv = nn.Linear(hidden, 3 * hidden)
        self.norm = QKNorm(hidden // heads)
        self.proj = nn.Linear(hidden, hidden)

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        qkv = self.qkv(x)
        q, k, v = qkv.view(*qkv.shape[:2], 3, self.num_heads, -1).permute(2, 0, 3, 1, 4)
        return *self.norm(q, k, v), v


class Modulation(nn.Module):
    """`parts` triples of (shift, scale, gate), each `(B, 1, hidden)`."""

    def __init__(self, hidden: int, parts: int):
        super().__init__()
        self.parts = parts
        self.lin = nn.Linear(hidden, 3 * parts * hidden)

    def forward(self, vec: Tensor) -> list[tuple[Tensor, ...]]:
        chunks = self.lin(F.silu(vec))[:, None].chunk(3 * self.parts, -1)
        return [chunks[i : i + 3] for i in range(0, len(chunks), 3)]


def mlp(hidden: int, wide: int) -> nn.Sequential:
    return nn.Sequential(nn.Linear(hidden, wide), nn.GELU(approximate="tanh"), nn.Linear(wide, hidden))


def norm(hidden: int) -> nn.LayerNorm:
    return nn.LayerNorm(hidden, elementwise_affine=False, eps=1e-6)


class DoubleStreamBlock(nn.Module):
    def __init__(self, config: FluxConfig):
        super().__init__()
        hidden, self.num_heads, self.flipped_img_txt = config.hidden, config.heads, config.image_first
        for stream in ("img", "txt"):
            setattr(self, f"{stream}_mod", Modulation(hidden, 2))
            setattr(self, f"{stream}_norm1", norm(hidden))
            setattr(self, f"{stream}_attn", SelfAttention(hidden, config.heads))
            setattr(self, f"{stream}_norm2", norm(hidden))
            setattr(self, f"{stream}_mlp", mlp(hidden, config.mlp_ratio * hidden))

    def forward(
        self,
        img: Tensor,
        txt: Tensor,
        vec: Tensor,
        pe: Tensor,
        attn_mask: Tensor | None = None,
        transformer_options: dict | None = None,
    ) -> tuple[Tensor, Tensor]:
        (i_shift, i_scale, i_gate), (i_shift2, i_scale2, i_gate2) = self.img_mod(vec)
        (t_shift, t_scale, t_gate), (t_shift2, t_scale2, t_gate2) = self.txt_mod(vec)
        i_qkv = self.img_attn(self.img_norm1(img) * (1 + i_scale) + i_shift)
        t_qkv = self.txt_attn(self.txt_norm1(txt) * (1 + t_scale) + t_shift)
        first, second = (i_qkv, t_qkv) if self.flipped_img_txt else (t_qkv, i_qkv)
        q, k, v = (torch.cat(pair, 2) for pair in zip(first, second, strict=True))
        lengths = [first[0].shape[2], second[0].shape[2]]
        mixed = attend(q, k, v, pe, attn_mask, transformer_options or {}).split(lengths, 1)
        i_mixed, t_mixed = mixed if self.flipped_img_txt else reversed(mixed)

        img = img + i_gate * self.img_attn.proj(i_mixed)
        img = img + i_gate2 * self.img_mlp(self.img_norm2(img) * (1 + i_scale2) + i_shift2)
        txt = txt + t_gate * self.txt_attn.proj(t_mixed)
        txt = txt + t_gate2 * self.txt_mlp(self.txt_norm2(txt) * (1 + t_scale2) + t_shift2)
        return img, txt


class SingleStreamBlock(nn.Module):
    """Attention and MLP side by side, with fused first and last linear layers."""

    def __init__(self, config: FluxConfig):
        super().__init__()
        self.num_heads, self.hidden_size = config.heads, config.hidden
        self.mlp_hidden_dim = config.mlp_ratio * config.hidden
        self.linear1 = nn.Linear(config.hidden, 3 * config.hidden + self.mlp_hidden_dim)
        self.linear2 = nn.Linear(config.hidden + self.mlp_hidden_dim, config.hidden)
        self.norm = QKNorm(config.hidden // config.heads)
        self.pre_norm, self.mlp_act = norm(config.hidden), nn.GELU(approximate="tanh")
        self.modulation = Modulation(config.hidden, 1)

    def forward(
        self,
        x: Tensor,
        vec: Tensor,
        pe: Tensor,
        attn_mask: Tensor | None = None,
        transformer_options: dict | None = None,
    ) -> Tensor:
        ((shift, scale, gate),) = self.modulation(vec)
        widths = [3 * self.hidden_size, self.mlp_hidden_dim]
        qkv, wide = self.linear1(self.pre_norm(x) * (1 + scale) + shift).split(widths, -1)
        q, k, v = qkv.view(*qkv.shape[:2], 3, self.num_heads, -1).permute(2, 0, 3, 1, 4)
        q, k = self.norm(q, k, v)
        mixed = attend(q, k, v, pe, attn_mask, transformer_options or {})
        return x + gate * self.linear2(torch.cat((mixed, self.mlp_act(wide)), -1))


class Embedder(nn.Module):
    def __init__(self, width: int, hidden: int):
        super().__init__()
        self.in_layer, self.out_layer = nn.Linear(width, hidden), nn.Linear(hidden, hidden)

    def forward(self, x: Tensor) -> Tensor:
        return self.out_layer(F.silu(self.in_layer(x)))


class LastLayer(nn.Module):
    def __init__(self, hidden: int, out: int):
        super().__init__()
        self.norm_final, self.linear = norm(hidden), nn.Linear(hidden, out)
        self.adaLN_modulation = nn.Sequential(nn.SiLU(), nn.Linear(hidden, 2 * hidden))

    def forward(self, x: Tensor, vec: Tensor) -> Tensor:
        shift, scale = self.adaLN_modulation(vec)[:, None].chunk(2, -1)
        return self.linear(self.norm_final(x) * (1 + scale) + shift)


class Flux(nn.Module):
    """Velocity `(B, C, H, W)` of noisy latents `x` `(B, C, H, W)` at times `timestep` `(B,)` in [0, 1]."""

    def __init__(self, config: FluxConfig | None = None):
        super().__init__()
        self.config = c = config or FluxConfig()
        pixels = c.channels * c.patch**2
        self.img_in, self.txt_in = nn.Linear(pixels, c.hidden), nn.Linear(c.context, c.hidden)
        self.time_in, self.vector_in = Embedder(256, c.hidden), Embedder(c.vector, c.hidden)
        self.double_blocks = nn.ModuleList(DoubleStreamBlock(c) for _ in range(c.depth))
        self.single_blocks = nn.ModuleList(SingleStreamBlock(c) for _ in range(c.depth_single))
        self.final_layer = LastLayer(c.hidden, pixels)

    def positions(self, batch: int, texts: int, rows: int, columns: int, device: torch.device) -> Tensor:
        grid = torch.zeros(rows, columns, 3, device=device)
        grid[..., 1] = torch.arange(rows, device=device)[:, None]
        grid[..., 2] = torch.arange(columns, device=device)
        ids = torch.cat([torch.zeros(texts, 3, device=device), grid.flatten(0, 1)])
        return rotary(ids.expand(batch, -1, -1), self.config.axes, self.config.theta)

    def forward(
        self, x: Tensor, timestep: Tensor, context: Tensor, y: Tensor, transformer_options: dict | None = None
    ) -> Tensor:
        options, p = transformer_options or {}, self.config.patch
        rows, columns = x.shape[2] // p, x.shape[3] // p
        img = self.img_in(rearrange(x, "b c (h p) (w q) -> b (h w) (c p q)", p=p, q=p))
        txt = self.txt_in(context)
        vec = self.time_in(sinusoid(timestep).to(x.dtype)) + self.vector_in(y)
        pe = self.positions(len(x), txt.shape[1], rows, columns, x.device)
        for block in self.double_blocks:
            img, txt = block(img=img, txt=txt, vec=vec, pe=pe, attn_mask=None, transformer_options=options)
        joined = torch.cat((txt, img), 1)
        for block in self.single_blocks:
            joined = block(joined, vec=vec, pe=pe, attn_mask=None, transformer_options=options)
        out = self.final_layer(joined[:, txt.shape[1] :], vec)
        return rearrange(out, "b (h w) (c p q) -> b c (h p) (w q)", h=rows, w=columns, p=p, q=p)
