"""Tiny models that make sound and shapes, and others built unlike most: the arguments of `tiny.Tiny` for each."""

import torch


def tokens(count: int, of: int):
    """Conditionings of `count` tokens below `of`, by seed."""
    return lambda seed: torch.randint(1, of, (1, count), generator=torch.Generator().manual_seed(seed))


ACE_STEP_15 = (
    {"audio_model": "ace1.5", "hidden_size": 64, "text_hidden_dim": 64, "num_dit_layers": 3}
    | {"num_lyric_layers": 1, "num_timbre_layers": 1, "num_tokenizer_layers": 1}
    | {"num_heads": 2, "num_kv_heads": 1, "head_dim": 32, "intermediate_size": 96, "fsq_dim": 64}
    | {"encoder_hidden_size": 64, "encoder_intermediate_size": 64, "encoder_num_heads": 2, "sliding_window": 4}
)
ACE_STEP = (
    {"audio_model": "ace", "in_channels": 8, "out_channels": 8, "num_layers": 3, "attention_head_dim": 32}
    | {"num_attention_heads": 2, "inner_dim": 64, "mlp_ratio": 1.5, "max_position": 64, "max_width": 64}
    | {"text_embedding_dim": 64, "ssl_latent_dims": [32, 32], "lyric_encoder_vocab_size": 32}
    | {"lyric_hidden_size": 1024}
)
STABLE_AUDIO = {"audio_model": "dit1.0", "io_channels": 64, "embed_dim": 96, "cond_token_dim": 768, "num_heads": 3} | {
    "global_cond_dim": 1536,
    "project_cond_tokens": True,
    "depth": 3,
}
STABLE_AUDIO_3 = STABLE_AUDIO | (
    {"io_channels": 256, "global_cond_shared_embed": True, "global_cond_type": "adaLN", "global_cond_dim": 768}
    | {"local_add_cond_dim": 257, "num_memory_tokens": 1}
    | {"timestep_features_type": "expo", "norm_type": "rms_norm"}
    | {"attn_kwargs": {"qk_norm": "rms", "differential": True}}
)
HUNYUAN_3D = {
    "image_model": "hunyuan3d2",
    "in_channels": 64,
    "context_in_dim": 64,
    "hidden_size": 64,
    "num_heads": 2,
} | {"depth": 2, "depth_single_blocks": 2}
HUNYUAN_3D_21 = {
    "image_model": "hunyuan3d2_1",
    "in_channels": 64,
    "context_dim": 64,
    "hidden_size": 64,
    "num_heads": 2,
} | {"depth": 5, "num_moe_layers": 1, "num_experts": 3, "guidance_cond_proj_dim": None}
COSMOS_1 = (
    {"image_model": "cosmos", "max_img_h": 24, "max_img_w": 24, "max_frames": 8, "in_channels": 16, "out_channels": 16}
    | {"patch_spatial": 2, "patch_temporal": 1, "model_channels": 64, "num_blocks": 3, "num_heads": 2}
    | {"crossattn_emb_channels": 64, "block_config": "FA-CA-MLP", "block_x_format": "THWBD", "pos_emb_cls": "rope3d"}
    | {"affline_emb_norm": True, "use_adaln_lora": True, "adaln_lora_dim": 16, "extra_per_block_abs_pos_emb": True}
    | {"extra_per_block_abs_pos_emb_type": "learnable"}
)
HIDREAM_O1 = {
    "image_model": "hidream_o1",
    "text_config_overrides": {"vocab_size": 32, "hidden_size": 64, "intermediate_size": 96, "num_hidden_layers": 3}
    | {"num_attention_heads": 2, "num_key_value_heads": 1, "head_dim": 32, "rope_dims": [6, 5, 5]},
    "vision_config_overrides": {"hidden_size": 32, "num_heads": 2, "intermediate_size": 32, "depth": 1},
}
HUNYUAN_DIT = {"image_model": "hydit", "hidden_size": 96, "depth": 4, "num_heads": 2, "text_states_dim": 64} | {
    "text_states_dim_t5": 64,
    "text_len": 8,
    "text_len_t5": 6,
    "size_cond": True,
    "use_style_cond": True,
}
TRIPO_SPLAT = {
    "image_model": "triposplat",
    "q_token_length": 24,
    "model_channels": 64,
    "num_blocks": 3,
    "cond_channels": 64,
} | {"num_refiner_blocks": 1, "num_head_channels": 32, "cond2_channels": 16}


def seconds(*names: str, **kind: str):
    """Weights of Stable Audio's embedders of lengths, which its constructor asks for; `kind`: as ComfyUI's embedder
    takes it."""

    def weights() -> dict:
        from comfy.ldm.audio.embedders import NumberConditioner
        from comfy_models import fill

        found = {}
        for name in names:
            embedder = NumberConditioner(768, **kind)
            fill(embedder)
            found |= {f"conditioner.conditioners.{name}.{key}": value for key, value in embedder.state_dict().items()}
        return found

    return weights


def rotary(path: str):
    """Fills the frequencies of a rotary embedding, a buffer that ComfyUI leaves uninitialised."""

    def change(model) -> None:
        frequencies = model.get_submodule(path).inv_freq
        frequencies.copy_(torch.logspace(0, -3, frequencies.numel()))

    return change


def few_words(model) -> None:
    """The token that the time replaces is one of the few that there are."""
    model.tms_token_id = 31


def prompt(seed: int):
    """A text of HiDream-O1, which ends with that token."""
    return torch.cat((tokens(7, 31)(seed), torch.tensor([[31]])), 1)


def small_music(model) -> None:
    """MiniMax Music 3 knows one size only: narrower layers, and fewer, of its own class."""
    import comfy.ldm.minimax_music.dit as dit
    from comfy.ops import manual_cast as ops
    from torch import nn

    model.latent_conditioners = nn.Sequential(ops.Conv1d(4096, 64, 1))
    inner = model.diffusion_transformer
    inner.preprocess_conv = ops.Conv1d(320, 320, 1, bias=False)
    inner.to_timestep_embed = nn.Sequential(ops.Linear(256, 64), nn.SiLU(), ops.Linear(64, 64))
    inner.transformer.project_in = ops.Linear(320, 64, bias=False)
    inner.transformer.project_out = ops.Linear(64, 128, bias=False)
    inner.transformer.layers = nn.ModuleList(
        dit.TransformerBlock(64, 32, 96, torch.float32, None, ops) for _ in range(3)
    )
    for norm in (norm for layer in inner.transformer.layers for norm in (layer.pre_norm, layer.ff_norm)):
        norm.beta.zero_()
    rotary("diffusion_transformer.transformer.rotary_pos_emb")(model)


def music(frames: int, latents: int) -> dict:
    """A song of so many frames of MiniMax Music 3, and of so many latents."""

    def heard(seed: int):
        return torch.randn(1, 8 * 4096, generator=torch.Generator().manual_seed(seed)).expand(1, frames, -1)

    return {
        "kind": "MiniMaxMusic3",
        "host": "MiniMax Music 3",
        "config": {"audio_model": "minimax_music3"},
        "shape": (128, latents),
        "context": heard,
        "extra": {"conditioning_scale": lambda seed: torch.full((1, 1, 1), 1.0 - seed)},
        "change": small_music,
    }


SOUND_AND_SHAPE = {
    "ace_step_15": {
        "kind": "ACEStep15",
        "host": "ACE-Step 1.5",
        "config": ACE_STEP_15,
        "shape": (64, 20),
        "extra": {"conditioning_lyrics": (1, 6, 64)},
    },
    "stable_audio": {
        "kind": "StableAudio",
        "host": "Stable Audio",
        "config": STABLE_AUDIO,
        "shape": (64, 40),
        "width": 768,
        "weights": seconds("seconds_start", "seconds_total"),
        "change": rotary("transformer.rotary_pos_emb"),
    },
    "stable_audio_3": {
        "kind": "StableAudio3",
        "host": "Stable Audio",
        "config": STABLE_AUDIO_3,
        "shape": (256, 40),
        "width": 768,
        "weights": seconds("seconds_total", fourier_features_type="expo"),
        "change": rotary("transformer.rotary_pos_emb"),
    },
    "ace_step": {
        "kind": "ACEStep",
        "host": "ACE-Step",
        "config": ACE_STEP,
        "shape": (8, 16, 12),
        "extra": {"conditioning_lyrics": tokens(6, 32)},
    },
    "hunyuan_3d": {"kind": "Hunyuan3Dv2", "host": "Hunyuan3D 2.0", "config": HUNYUAN_3D, "shape": (64, 40)},
    "hunyuan_3d_21": {"kind": "Hunyuan3Dv2_1", "host": "Hunyuan3D 2.1", "config": HUNYUAN_3D_21, "shape": (64, 40)},
    "minimax_music": music(6, 20),
    "minimax_music_long": music(204, 700),
    "hidream_o1": {
        "kind": "HiDreamO1",
        "host": "HiDream-O1",
        "config": HIDREAM_O1,
        "shape": (3, 64, 64),
        "extra": {"text_input_ids": prompt},
        "change": few_words,
    },
    "cosmos": {"kind": "CosmosT2V", "host": "Cosmos", "config": COSMOS_1, "shape": (16, 3, 8, 8)},
    "hunyuan_dit": {
        "kind": "HunyuanDiT",
        "host": "Hunyuan-DiT",
        "config": HUNYUAN_DIT,
        "shape": (4, 8, 8),
        "extra": {"attention_mask": (1, 8), "conditioning_mt5xl": (1, 6, 64), "attention_mask_mt5xl": (1, 6)},
    },
    "tripo_splat": {
        "kind": "TripoSplat",
        "host": "TripoSplat",
        "config": TRIPO_SPLAT,
        "shape": (24, 16),
        "sound": (1, 5),
    },
}
TRELLIS_2 = {
    "image_model": "trellis2",
    "resolution": 32,
    "model_channels": 144,
    "cond_channels": 64,
    "num_blocks": 1,
} | {"mlp_ratio": 2.0}
UNHOSTED = {
    "trellis_2": {  # its first stage; the later ones sample points, each with a model of its own
        "kind": "Trellis2",
        "host": "",
        "config": TRELLIS_2,
        "shape": (32, 16, 16, 16),
        "extra": {"embeds": (1, 8, 64)},
    },
}
