"""A small transformer with the structure and the key names of HunyuanVideo, so that ComfyUI's stock loader takes its
weights."""

import torch
from einops import rearrange
from torch import Tensor, nn

from .flux import (
    DoubleStreamBlock,
    Embedder,
    FluxConfig,
    LastLayer,
    SingleStreamBlock,
    attention,
    mlp,
    rotary,
    sinusoid,
)

POOLED = 768  # the width of the pooled text vector, which ComfyUI's model detection takes for granted
CONFIG = FluxConfig(vector=POOLED, theta=256, image_first=True)
REFINERS = 2
TICKS = 1000.0  # the network sees times of [0, 1] in thousandths


class RefinerAttention(nn.Module):
    def __init__(self, hidden: int):
        super().__init__()
        self.qkv, self.proj = nn.Linear(hidden, 3 * hidden), nn.Linear(hidden, hidden)


class RefinerBlock(nn.Module):
    """A block over text tokens alone, whose two branches are gated by the time and the mean token."""

    def __init__(self, config: FluxConfig):
        super().__init__()
        hidden, self.heads = config.hidden, config.heads
        self.adaLN_modulation = nn.Sequential(nn.SiLU(), nn.Linear(hidden, 2 * hidden))
        self.norm1, self.norm2 = nn.LayerNorm(hidden, eps=1e-6), nn.LayerNorm(hidden, eps=1e-6)
        self.self_attn = RefinerAttention(hidden)
        self.mlp = mlp(hidden, 4 * hidden)
        self.mlp[1] = nn.SiLU()

    def forward(self, x: Tensor, c: Tensor) -> Tensor:
        attention_gate, mlp_gate = self.adaLN_modulation(c)[:, None].chunk(2, -1)
        qkv = self.self_attn.qkv(self.norm1(x))
        q, k, v = qkv.view(*qkv.shape[:2], 3, self.heads, -1).permute(2, 0, 3, 1, 4)
        x = x + attention_gate * self.self_attn.proj(attention(q, k, v, self.heads))
        return x + mlp_gate * self.mlp(self.norm2(x))


class Refiners(nn.Module):
    def __init__(self, config: FluxConfig):
        super().__init__()
        self.blocks = nn.ModuleList(RefinerBlock(config) for _ in range(REFINERS))


class TokenRefiner(nn.Module):
    """Text features `(B, L, context)` to tokens `(B, L, hidden)`."""

    def __init__(self, config: FluxConfig):
        super().__init__()
        self.input_embedder = nn.Linear(config.context, config.hidden)
        self.t_embedder, self.c_embedder = Embedder(256, config.hidden), Embedder(config.context, config.hidden)
        self.individual_token_refiner = Refiners(config)

    def forward(self, x: Tensor, ticks: Tensor) -> Tensor:
        c = self.t_embedder(sinusoid(ticks, scale=1.0).to(x.dtype)) + self.c_embedder(x.mean(1))
        x = self.input_embedder(x)
        for block in self.individual_token_refiner.blocks:
            x = block(x, c)
        return x


class PatchEmbed(nn.Module):
    def __init__(self, config: FluxConfig):
        super().__init__()
        size = (1, config.patch, config.patch)
        self.proj = nn.Conv3d(config.channels, config.hidden, size, stride=size)

    def forward(self, x: Tensor) -> Tensor:
        return rearrange(self.proj(x), "b c t h w -> b (t h w) c")


class HunyuanVideo(nn.Module):
    """Velocity `(B, C, T, H, W)` of noisy latents `x` `(B, C, T, H, W)` at times `timestep` `(B,)` in [0, 1]."""

    def __init__(self, config: FluxConfig = CONFIG):
        super().__init__()
        self.config = c = config
        self.img_in, self.txt_in = PatchEmbed(c), TokenRefiner(c)
        self.time_in, self.vector_in = Embedder(256, c.hidden), Embedder(c.vector, c.hidden)
        self.double_blocks = nn.ModuleList(DoubleStreamBlock(c) for _ in range(c.depth))
        self.single_blocks = nn.ModuleList(SingleStreamBlock(c) for _ in range(c.depth_single))
        self.final_layer = LastLayer(c.hidden, c.channels * c.patch**2)

    def positions(self, batch: int, sizes: tuple[int, ...], texts: int, device: torch.device) -> Tensor:
        grid = torch.stack(torch.meshgrid(*(torch.arange(n, device=device) for n in sizes), indexing="ij"), -1).float()
        ids = torch.cat([grid.flatten(0, 2), torch.zeros(texts, 3, device=device)])
        return rotary(ids.expand(batch, -1, -1), self.config.axes, self.config.theta)

    def forward(
        self, x: Tensor, timestep: Tensor, context: Tensor, y: Tensor, transformer_options: dict | None = None
    ) -> Tensor:
        options, p, ticks = transformer_options or {}, self.config.patch, TICKS * timestep
        sizes = (x.shape[2], x.shape[3] // p, x.shape[4] // p)
        img, txt = self.img_in(x), self.txt_in(context, ticks)
        vec = self.time_in(sinusoid(ticks, scale=1.0).to(x.dtype)) + self.vector_in(y)
        pe = self.positions(len(x), sizes, txt.shape[1], x.device)
        for block in self.double_blocks:
            img, txt = block(img=img, txt=txt, vec=vec, pe=pe, attn_mask=None, transformer_options=options)
        joined = torch.cat((img, txt), 1)
        for block in self.single_blocks:
            joined = block(joined, vec=vec, pe=pe, attn_mask=None, transformer_options=options)
        out = self.final_layer(joined[:, : img.shape[1]], vec)
        return rearrange(out, "b (t h w) (c p q) -> b c t (h p) (w q)", t=sizes[0], h=sizes[1], w=sizes[2], p=p, q=p)
