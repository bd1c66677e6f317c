"""Tiny models that make images."""

from tiny_model import FRAME, MASK, Tiny

QWEN = (
    {"image_model": "qwen_image", "num_layers": 2}
    | {"attention_head_dim": 128, "num_attention_heads": 1}
    | {"joint_attention_dim": 64}
)
TEXT_IN = {"target": "torch.nn.Linear", "params": {"in_features": 64, "out_features": 128}}
SD3 = (
    {"in_channels": 16, "out_channels": 16, "input_size": None, "depth": 2, "adm_in_channels": 32, "patch_size": 2}
    | {"context_embedder_config": TEXT_IN, "pos_embed_max_size": 16, "num_patches": 256}
    | {"pos_embed_scaling_factor": None, "qk_norm": "rms", "x_block_self_attn_layers": [0]}
)
LUMINA = (
    {"image_model": "lumina2", "in_channels": 16, "dim": 128, "n_layers": 2, "n_heads": 1, "n_kv_heads": 1}
    | {"cap_feat_dim": 64, "axes_dims": [32, 48, 48], "axes_lens": [300, 512, 512], "qk_norm": True}
    | {"multiple_of": 32, "ffn_dim_multiplier": 1.0}
)
Z_IMAGE = (
    {"dim": 256, "n_heads": 2, "n_kv_heads": 2, "axes_lens": [1536, 512, 512]}
    | {"z_image_modulation": True, "time_scale": 1000.0}
    | {"pad_tokens_multiple": 32, "rope_theta": 256.0}
)
HIDREAM = (
    {"image_model": "hidream", "patch_size": 2, "in_channels": 16, "out_channels": 16, "num_layers": 2}
    | {"num_single_layers": 2, "attention_head_dim": 128, "num_attention_heads": 1, "caption_channels": [64, 64]}
    | {"text_emb_dim": 32, "num_routed_experts": 2, "num_activated_experts": 1, "axes_dims_rope": [64, 32, 32]}
    | {"llama_layers": [0, 1, 0, 1]}
)
AURA = (
    {"in_channels": 4, "out_channels": 4, "dim": 128}
    | {"n_layers": 4, "n_double_layers": 2, "n_heads": 2}
    | {"global_conddim": 128, "cond_seq_dim": 64, "max_seq": 64}
)
PIXART = (
    {"image_model": "pixart_sigma", "input_size": 8, "hidden_size": 96}
    | {"depth": 2, "num_heads": 2, "caption_channels": 64}
    | {"model_max_length": 8, "micro_condition": False}
)
OMNIGEN = (
    {"image_model": "omnigen2", "hidden_size": 96, "num_layers": 2}
    | {"num_refiner_layers": 1, "num_attention_heads": 1, "num_kv_heads": 1}
    | {"multiple_of": 32, "text_feat_dim": 64}
)

IMAGE_MODELS = {
    "qwen_image": Tiny("QwenImage", "Qwen-Image", QWEN, FRAME),
    "sd3": Tiny("SD3", "SD3", SD3),
    "lumina": Tiny("Lumina2", "Lumina 2", LUMINA, extra=MASK),
    "z_image": Tiny("ZImage", "Lumina 2", LUMINA | Z_IMAGE, extra=MASK),
    "hidream": Tiny("HiDream", "HiDream", HIDREAM, extra={"conditioning_llama3": (1, 2, 8, 64)}),
    "aura": Tiny("AuraFlow", "AuraFlow", AURA, (4, 8, 8)),
    "pixart": Tiny("PixArtSigma", "PixArt", PIXART, (4, 40, 40)),
    "omnigen2": Tiny("Omnigen2", "OmniGen2", OMNIGEN, extra=MASK),
}
