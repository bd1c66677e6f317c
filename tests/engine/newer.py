"""Blocks and models with the names, arguments and habits of ComfyUI's newest, that no release of the host tests has."""

import torch
from mirrors import attend
from torch import nn
from toy import HEADS, WIDTH, mlp


def heads(x):
    return x.unflatten(-1, (HEADS, -1)).transpose(1, 2)


class Attention(nn.Module):
    """Attends to its own tokens, or to others."""

    def __init__(self):
        super().__init__()
        self.to_q, self.to_k, self.to_v, self.to_out = (nn.Linear(WIDTH, WIDTH) for _ in range(4))

    def forward(self, x, others=None, transformer_options=None):
        others = x if others is None else others
        q, k, v = (heads(y) for y in (self.to_q(x), self.to_k(others), self.to_v(others)))
        return self.to_out(attend(q, k, v, transformer_options or {}))


class PrefixAttention(Attention):
    """Qwen-Image 2.1's: the caller says how its queries meet its keys and values."""

    def forward(self, x, attn_fn):
        return self.to_out(attn_fn(self.to_q(x), self.to_k(x), self.to_v(x)))


class QwenBlock(nn.Module):
    """Of Qwen-Image 2.1: writes into its one stream, and takes the transformer options by place. The first
    `prefix_len` tokens are modulated as at time 0."""

    def __init__(self):
        super().__init__()
        self.attn, self.img_mlp = PrefixAttention(), mlp()

    def forward(self, x, mod, pe, attn_fn, prefix_len, transformer_options=None):
        gate = torch.cat((torch.ones_like(x[:, :prefix_len]), mod.expand_as(x)[:, prefix_len:]), 1)
        x += gate * self.attn(x * pe, attn_fn)
        x += gate * self.img_mlp(x)
        return x


class QwenImage21(nn.Module):
    """Qwen-Image 2.1: text, then the picture. The text does not depend on the time, so that its keys and values can be
    kept for the next steps (`keeps`); the blocks then run on the picture alone, and once on the text apart."""

    def __init__(self, blocks=3, keeps=False):
        super().__init__()
        torch.manual_seed(0)
        self.transformer_blocks = nn.ModuleList(QwenBlock() for _ in range(blocks))
        self.modulation, self.txt_in = nn.Linear(1, WIDTH), nn.Module()
        self.txt_in.text_norm = nn.Identity()
        self.keeps, self.kept = keeps, {}

    def forward(self, x, t, text, options):
        mod, texts = 1 + 0.1 * self.modulation(t.view(-1, 1, 1)), text.shape[1]
        pe = torch.linspace(0.5, 1.5, texts + x.shape[1])[:, None]
        if not self.keeps:
            joined = torch.cat((text, x), 1)
            for block in self.transformer_blocks:
                joined = block(joined, mod, pe, self.causal(texts, options), texts, options)
            return joined[:, texts:]
        x, text, filled = x.clone(), text.clone(), len(self.kept) == len(self.transformer_blocks)
        for i, block in enumerate(self.transformer_blocks):
            if not filled:
                text = block(text, mod, pe[:texts], self.causal(texts, options, i), texts, options)
            x = block(x, mod, pe[texts:], self.after(*self.kept[i], options), 0, options)
        return x

    def causal(self, texts, options, index=None):
        def attention(q, k, v):
            if index is not None:
                self.kept[index] = k[:, :texts], v[:, :texts]
            pieces = ((slice(0, texts), texts), (slice(texts, None), k.shape[1]))
            return torch.cat(
                [attend(heads(q[:, rows]), heads(k[:, :end]), heads(v[:, :end]), options) for rows, end in pieces], 1
            )

        return attention

    def after(self, keys, values, options):
        return lambda q, k, v: attend(
            heads(q), heads(torch.cat((keys, k), 1)), heads(torch.cat((values, v), 1)), options
        )


class Side(nn.Module):
    """A block of Kandinsky 5, of which its next version has one for video and one for sound."""

    def __init__(self):
        super().__init__()
        self.self_attention, self.cross_attention, self.feed_forward = Attention(), Attention(), mlp()


class KandinskyBlock(nn.Module):
    """Of Kandinsky 6: two streams, given and returned by place, that attend to themselves, to texts and to each
    other."""

    def __init__(self):
        super().__init__()
        self.videoT, self.audioT = Side(), Side()
        self.va_cross_attention, self.av_cross_attention = Attention(), Attention()

    def forward(self, visual_embed, audio_embed, video_text, audio_text, time, transformer_options=None):
        video, audio, named = visual_embed, audio_embed, {"transformer_options": transformer_options}
        video = video + time * self.videoT.self_attention(video, **named)
        before = video
        video = video + time * self.videoT.cross_attention(video, video_text, **named)
        audio = audio + time * self.audioT.self_attention(audio, **named)
        audio = audio + time * self.audioT.cross_attention(audio, audio_text, **named)
        seen = self.va_cross_attention(video, audio)
        audio = audio + time * self.av_cross_attention(audio, before)
        video = video + time * seen
        video = video + time * self.videoT.feed_forward(video)
        return video, audio + time * self.audioT.feed_forward(audio)


class Kandinsky6(nn.Module):
    """Kandinsky 6: the picture is the video, the text is text and sound."""

    def __init__(self, blocks=3):
        super().__init__()
        torch.manual_seed(0)
        self.visual_blocks, self.time = nn.ModuleList(KandinskyBlock() for _ in range(blocks)), nn.Linear(1, WIDTH)

    def forward(self, x, t, text, options):
        time, video, audio = 1 + 0.1 * self.time(t.view(-1, 1, 1)), x, 2 * text
        for block in self.visual_blocks:
            video, audio = block(video, audio, text, text, time, transformer_options=options)
        return torch.cat((video, audio), 1)
