"""Tiny models that make images."""

import torch
from comfy_models import FLUX
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
KREA = {
    "image_model": "krea2",
    "features": 128,
    "tdim": 32,
    "txtdim": 16,
    "heads": 1,
    "kvheads": 1,
    "multiplier": 1,
} | {"layers": 2, "txtlayers": 4, "txtheads": 1, "txtkvheads": 1}
ERNIE = {"image_model": "ernie", "hidden_size": 128, "num_attention_heads": 1, "num_layers": 2} | {
    "ffn_hidden_size": 64,
    "text_in_dim": 64,
}
JOY = {"image_model": "joyimage", "hidden_size": 128, "num_attention_heads": 1, "text_dim": 64} | {
    "mlp_width_ratio": 1.0,
    "num_layers": 2,
}
BOOGU = (
    {"image_model": "boogu", "hidden_size": 96, "num_layers": 2, "num_double_stream_layers": 2}
    | {"num_refiner_layers": 1, "num_attention_heads": 1, "num_kv_heads": 1, "multiple_of": 32}
    | {"axes_dim_rope": (32, 32, 32), "instruction_feat_dim": 64}
)
PIXELDIT = {"image_model": "pixeldit_t2i", "num_groups": 1, "hidden_size": 64, "pixel_attn_hidden_size": 32} | {
    "pixel_num_groups": 1,
    "patch_depth": 2,
    "txt_embed_dim": 64,
    "txt_max_length": 8,
}
PID = PIXELDIT | {"image_model": "pid", "lq_hidden_dim": 32, "lq_num_res_blocks": 1, "patch_depth": 3}
LENS = {"image_model": "lens", "num_layers": 2, "attention_head_dim": 64, "num_attention_heads": 1} | {
    "enc_hidden_dim": 16
}
IDEOGRAM = {"image_model": "ideogram4", "num_layers": 2, "num_attention_heads": 1, "attention_head_dim": 128} | {
    "intermediate_size": 64,
    "adaln_dim": 32,
    "llm_features_dim": 64,
}
PIXELS = {"image_model": "zimage_pixel", "in_channels": 3, "decoder_hidden_size": 32, "decoder_num_res_blocks": 1} | {
    "decoder_max_freqs": 4
}
LONGCAT = FLUX | {"guidance_embed": False, "vec_in_dim": None, "txt_ids_dims": [1, 2]}
OVIS = FLUX | {"vec_in_dim": None, "guidance_embed": False, "yak_mlp": True, "txt_norm": True}
# no model of the tests of every host: of its single blocks only the kernel of the attention can be predicted
OVIS_IMAGE = Tiny("Flux", "FLUX", OVIS)
SPACED = (128, 4, 4)  # latents of FLUX.2

CLIP = {"clip_text_dim": 32}  # of NewBie
IMAGE_MODELS = {
    "krea2": Tiny("Krea2", "Krea-2", KREA, FRAME),
    "ernie": Tiny("ErnieImage", "ERNIE-Image", ERNIE, SPACED),
    "joyimage": Tiny("JoyImage", "JoyImage", JOY, FRAME),
    "boogu": Tiny("Boogu", "Boogu", BOOGU, extra=MASK),
    "pixeldit": Tiny("PixelDiTT2I", "PixelDiT", PIXELDIT, (3, 32, 32)),
    "pid": Tiny(
        "PiD", "PiD", PID, (3, 64, 64), extra={"lq_latent": (1, 16, 2, 2)}, given={"degrade_sigma": torch.zeros(1)}
    ),
    "lens": Tiny("Lens", "Lens", LENS, SPACED),
    "mage_flow": Tiny("MageFlow", "Qwen-Image", QWEN | {"image_model": "mage_flow"}, SPACED),
    "ideogram4": Tiny(
        "Ideogram4",
        "Ideogram 4",
        {"image_model": "ideogram4", "num_layers": 2},
        SPACED,
        smaller={"comfy.supported_models.Ideogram4.unet_extra_config": IDEOGRAM},
    ),
    "z_image_pixels": Tiny("ZImagePixelSpace", "Z-Image in pixels", LUMINA | Z_IMAGE | PIXELS, (3, 16, 16), extra=MASK),
    "newbie": Tiny("Lumina2", "Lumina 2", LUMINA | CLIP, extra=MASK, takes=("comfy.ldm.lumina.model.NextDiT", *CLIP)),
    "longcat": Tiny("LongCatImage", "FLUX", LONGCAT),
    "qwen_image": Tiny("QwenImage", "Qwen-Image", QWEN, FRAME),
    "sd3": Tiny("SD3", "SD3", SD3),
    "lumina": Tiny("Lumina2", "Lumina 2", LUMINA, extra=MASK),
    "z_image": Tiny("ZImage", "Lumina 2", LUMINA | Z_IMAGE, extra=MASK),
    "hidream": Tiny("HiDream", "HiDream", HIDREAM, extra={"conditioning_llama3": (1, 2, 8, 64)}),
    "aura": Tiny("AuraFlow", "AuraFlow", AURA, (4, 8, 8)),
    "pixart": Tiny("PixArtSigma", "PixArt", PIXART, (4, 40, 40)),
    "omnigen2": Tiny("Omnigen2", "OmniGen2", OMNIGEN, extra=MASK),
}
