"""A small transformer with the structure and the key names of MiniMax H3: text, sound and video in one sequence, so
that ComfyUI's own class loads its weights."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import accumulate

import torch
import torch.nn.functional as F
from einops import rearrange
from torch import Tensor, nn

from .flux import attend, sinusoid
from .packed import AUDIO, CARRIED, SIZES, VIDEO, pack, unpack

VIDEO_TAG, TEXT_TAG, AUDIO_TAG = TAGS = range(3)  # of the rows of modulation
SPANS = (5 / 3, 20 / 3, 20 / 3, 20 / 3, 20 / 3)  # of latent frames, in frames of sound: the first is a still
CANVAS = 32.0  # positions from edge to edge of a square frame
Segments = Sequence[tuple[int, int, int]]  # of the sequence: first token, the one behind the last, row of modulation


@dataclass(frozen=True)
class MiniMaxConfig:
    """Sizes of a MiniMax H3. The defaults are the shipped lab model."""

    hidden: int = 128
    heads: int = 2
    depth: int = 6
    refiners: int = 1
    wide: int = 320  # of the MLP
    context: int = 32
    vector: int = 16  # of the pooled text, which this family ignores
    times: int = 64  # of the time embedding
    frequencies: int = 8  # of rotary positions, for each of three axes
    patch: int = 2
    eps: float = 1e-5


class TimeEmbedder(nn.Module):
    def __init__(self, config: MiniMaxConfig):
        super().__init__()
        self.proj_in, self.proj_out = nn.Linear(256, config.hidden), nn.Linear(config.hidden, config.times)

    def forward(self, t: Tensor) -> Tensor:
        return self.proj_out(F.silu(self.proj_in(sinusoid(t.flatten(), scale=1.0)))).unflatten(0, t.shape)


class Attention(nn.Module):
    def __init__(self, config: MiniMaxConfig):
        super().__init__()
        hidden, self.heads = config.hidden, config.heads
        self.qkv_proj, self.out_proj = nn.Linear(hidden, 3 * hidden, bias=False), nn.Linear(hidden, hidden, bias=False)
        self.q_norm, self.k_norm = (nn.RMSNorm(hidden // config.heads, config.eps) for _ in range(2))

    def forward(self, x: Tensor, rope_freqs: Tensor | None = None, transformer_options: dict | None = None) -> Tensor:
        q, k, v = rearrange(self.qkv_proj(x), "b l (n h d) -> n b h l d", n=3, h=self.heads)
        q, k = self.q_norm(q).to(v), self.k_norm(k).to(v)
        if rope_freqs is not None:
            q, k = turned(q, rope_freqs), turned(k, rope_freqs)
        return self.out_proj(attend(q, k, v, None, None, transformer_options or {}))


def turned(x: Tensor, angles: Tensor) -> Tensor:
    """`x` `(B, heads, L, D)` with feature i of the first `angles` `(L, R)` turned against feature R + i; those from 2 R
    on stay."""
    width = angles.shape[-1]
    a, b, rest = x.split([width, width, x.shape[-1] - 2 * width], -1)
    cos, sin = angles.cos().to(x), angles.sin().to(x)
    return torch.cat([a * cos - b * sin, a * sin + b * cos, rest], -1)


class MLP(nn.Module):
    def __init__(self, config: MiniMaxConfig):
        super().__init__()
        self.fc1 = nn.Linear(config.hidden, 2 * config.wide, bias=False)
        self.fc2 = nn.Linear(config.wide, config.hidden, bias=False)

    def forward(self, x: Tensor) -> Tensor:
        gate, up = self.fc1(x).chunk(2, -1)
        return self.fc2(F.silu(gate) * up)


class Modulation(nn.Module):
    """`parts` vectors `(B, L, hidden)` for the tokens of a sequence: rows of them for each time and modality, made of
    time embeddings `(B, M, times)`, and each segment's row for all of its tokens."""

    def __init__(self, config: MiniMaxConfig, parts: int, tags: int):
        super().__init__()
        self.parts, self.tags = parts, tags
        self.linear = nn.Linear(config.times, parts * config.hidden * tags)

    def forward(self, t_emb: Tensor, segments: Segments) -> tuple[Tensor, ...]:
        rows = rearrange(self.linear(F.silu(t_emb)), "b m (g w) -> b (m g) w", g=self.tags)
        parts = [rows[:, row : row + 1].expand(-1, end - start, -1) for start, end, row in segments]
        return torch.cat(parts, 1).chunk(self.parts, -1)


class RefinerBlock(nn.Module):
    """A block over text tokens alone, without times and positions."""

    def __init__(self, config: MiniMaxConfig):
        super().__init__()
        self.norm1, self.norm2 = (nn.RMSNorm(config.hidden, config.eps) for _ in range(2))
        self.attn, self.mlp = Attention(config), MLP(config)

    def forward(self, x: Tensor, transformer_options: dict | None = None) -> Tensor:
        x = x + self.attn(self.norm1(x), transformer_options=transformer_options)
        return x + self.mlp(self.norm2(x))


class TokenRefiner(nn.Module):
    def __init__(self, config: MiniMaxConfig):
        super().__init__()
        self.blocks = nn.ModuleList(RefinerBlock(config) for _ in range(config.refiners))
        self.final_norm = nn.RMSNorm(config.hidden, config.eps)

    def forward(self, x: Tensor, transformer_options: dict | None = None) -> Tensor:
        for block in self.blocks:
            x = block(x, transformer_options=transformer_options)
        return self.final_norm(x)


class DiTBlock(nn.Module):
    """A block over all tokens, whose modulation depends on the modality and its own time."""

    def __init__(self, config: MiniMaxConfig):
        super().__init__()
        self.norm1, self.norm2 = (nn.RMSNorm(config.hidden, config.eps) for _ in range(2))
        self.attn, self.mlp = Attention(config), MLP(config)
        self.adaln_proj = Modulation(config, 6, len(TAGS))

    def forward(
        self,
        x: Tensor,
        t_emb: Tensor,
        mod_segments: Segments,
        rope_freqs: Tensor,
        transformer_options: dict | None = None,
    ) -> Tensor:
        shift, scale, gate, shift2, scale2, gate2 = self.adaln_proj(t_emb, mod_segments)
        h = self.norm1(x) * (1 + scale) + shift
        x = x + gate * self.attn(h, rope_freqs=rope_freqs, transformer_options=transformer_options)
        return x + gate2 * self.mlp(self.norm2(x) * (1 + scale2) + shift2)


class FinalLayer(nn.Module):
    def __init__(self, config: MiniMaxConfig):
        super().__init__()
        self.norm, self.adaln_proj = nn.RMSNorm(config.hidden, config.eps), Modulation(config, 2, 1)
        self.video_out = nn.Linear(config.hidden, VIDEO[0] * config.patch**2)
        self.audio_out = nn.Linear(config.hidden, AUDIO[0])

    def forward(self, x: Tensor, t_emb: Tensor, segments: Segments) -> tuple[Tensor, Tensor]:
        """Tokens of video and of audio, of the whole sequence `x` that has them last, modulated by the rows of
        `segments`."""
        (_, start, _), (_, middle, _), _ = segments
        shift, scale = self.adaln_proj(t_emb, segments)
        x = self.norm(x) * (1 + scale) + shift
        return self.video_out(x[:, middle:]), self.audio_out(x[:, start:middle])


def positions(texts: int, device: torch.device) -> Tensor:
    """Places `(L, 3)` in time, height and width of text, sound (its sides at the edges of the frame) and video."""
    _, frames, height, width = VIDEO
    edge = math.sqrt(height * width)
    rows, columns = (((2 * torch.arange(n // 2) - n / 2) / edge + 0.5) * CANVAS for n in (height, width))
    starts = texts + torch.tensor([sum(SPANS[k % len(SPANS)] for k in range(n)) for n in range(frames)])
    text, audio = torch.zeros(texts, 3), torch.zeros(*AUDIO[1:], 3)
    text[:, 0], audio[..., 0] = torch.arange(texts), texts + torch.arange(AUDIO[2])
    audio[..., 2] = columns[[0, -1], None]
    video = torch.stack(torch.meshgrid(starts, rows, columns, indexing="ij"), -1)
    return torch.cat([text, audio.flatten(0, 1), video.flatten(0, 2)]).to(device)


class MiniMaxH3(nn.Module):
    """Velocity `(B, 1, L)` of noisy packed latents `x` `(B, 1, L)` at times `timestep` `(B,)` in [0, 1] of the video.

    As ComfyUI samples it: sound has a schedule of its own, and is carried scaled so that one sampler runs both.
    """

    def __init__(self, config: MiniMaxConfig | None = None):
        super().__init__()
        self.config = c = config or MiniMaxConfig()
        self.video_patch_proj = nn.Linear(VIDEO[0] * c.patch**2, c.hidden)
        self.audio_patch_proj = nn.Linear(AUDIO[0], c.hidden)
        self.condition_proj, self.time_embedder = nn.Linear(c.context, c.hidden), TimeEmbedder(c)
        self.rope = nn.Module()
        self.rope.register_buffer("inv_freq", 0.5 ** torch.arange(c.frequencies))  # exact in half precision
        self.token_refiner = TokenRefiner(c)
        self.blocks = nn.ModuleList(DiTBlock(c) for _ in range(c.depth))
        self.final_layer = FinalLayer(c)

    def forward(
        self, x: Tensor, timestep: Tensor, context: Tensor, y: Tensor, transformer_options: dict | None = None
    ) -> Tensor:
        video, audio = unpack(x)
        sigma = sound_sigma(timestep).view(-1, 1, 1, 1)
        own = audio / (CARRIED - (CARRIED - 1) * timestep).view(-1, 1, 1, 1)  # carried: times sigma_video / sigma
        v, a = unpack(self.streams(pack(video, own), timestep, context, transformer_options))
        return pack(v, (1 + (CARRIED - 1) * sigma) * a - (CARRIED - 1) * own)  # the derivative by sigma_video

    def streams(self, x: Tensor, times: Tensor, context: Tensor, transformer_options: dict | None = None) -> Tensor:
        """Velocity `(B, 1, L)` of video at `times` `(B,)` and of sound at its own, neither of them carried."""
        options, tokens = transformer_options or {}, self.tokens(x, context, transformer_options)
        t_emb = self.time_embedder(1 - torch.stack([times, sound_sigma(times)], 1))
        segments = _segments(tokens, (TEXT_TAG, len(TAGS) + AUDIO_TAG, VIDEO_TAG))  # text has the video's time
        angles = (positions(tokens[0].shape[1], x.device)[..., None] * self.rope.inv_freq).flatten(1)
        h = torch.cat(tokens, 1).float()
        for block in self.blocks:
            h = block(h, t_emb, segments, angles, transformer_options=options)
        video, audio = self.final_layer(h, t_emb, _segments(tokens, (0, 1, 0)))
        _, frames, height, width = VIDEO
        sizes = {"t": frames, "h": height // self.config.patch, "p": self.config.patch, "q": self.config.patch}
        video = rearrange(video, "b (t h w) (c p q) -> b c t (h p) (w q)", **sizes)
        return -pack(video, rearrange(audio, "b (s t) c -> b c s t", s=AUDIO[1]))

    def tokens(self, x: Tensor, context: Tensor, transformer_options: dict | None = None) -> tuple[Tensor, ...]:
        """Tokens `(B, L, hidden)` of text, sound and video, in the order of the sequence."""
        p, (video, audio) = self.config.patch, unpack(x)
        rows = rearrange(video, "b c t (h p) (w q) -> b (t h w) (c p q)", p=p, q=p)
        return (
            self.token_refiner(self.condition_proj(context), transformer_options),
            self.audio_patch_proj(rearrange(audio, "b c s t -> b (s t) c")),
            self.video_patch_proj(rows),
        )

    def sigmas(self, times: Tensor) -> Tensor:
        """Noise level `(B, 1, L)` of each element."""
        levels = torch.stack([times, sound_sigma(times)], 1)[:, None]
        return levels.repeat_interleave(torch.tensor(SIZES, device=times.device), -1)


def sound_sigma(sigma: Tensor) -> Tensor:
    """Sigma of the sound where the video is at `sigma`: the same place on a schedule that is shifted less."""
    return sigma / (CARRIED - (CARRIED - 1) * sigma)


def _segments(tokens: Sequence[Tensor], rows: Sequence[int]) -> Segments:
    ends = list(accumulate((part.shape[1] for part in tokens), initial=0))
    return tuple(zip(ends[:-1], ends[1:], rows, strict=True))
