"""Tiny models that make video."""

from tiny_model import FRAME, MASK, VIDEO, Tiny, noise

IMAGE = {"concat_latent_image": (1, *VIDEO)}
WAN = (
    {"image_model": "wan2.1", "model_type": "t2v", "dim": 128, "ffn_dim": 64}
    | {"num_layers": 3, "num_heads": 1, "text_dim": 64, "freq_dim": 32}
    | {"in_dim": 16, "out_dim": 16, "patch_size": (1, 2, 2)}
)
S2V = (
    {"model_type": "s2v", "audio_dim": 16, "num_audio_token": 4, "audio_inject_layers": [0, 2]}
    | {"enable_adain": True, "adain_mode": "attn_norm"}
    | {"cond_dim": 16, "framepack_drop_mode": "padd"}
)
MUSIC = {"music_dim": 32, "music_heads": 2, "music_latent_dim": 32}
DANCER = {"model_type": "wandancer", "in_dim": 36, "audio_inject_layers": [0, 2]} | MUSIC
LTX = (
    {"image_model": "ltxv", "in_channels": 128, "num_layers": 2}
    | {"attention_head_dim": 32, "num_attention_heads": 2}
    | {"caption_channels": 64, "cross_attention_dim": 64}
)
SOUND = (
    {"image_model": "ltxav", "audio_in_channels": 128}
    | {"audio_attention_head_dim": 32, "audio_num_attention_heads": 2}
    | {"audio_cross_attention_dim": 64, "connector_attention_head_dim": 32}
    | {"connector_num_attention_heads": 2, "connector_num_layers": 1}
)
KANDINSKY = (
    {"image_model": "kandinsky5", "in_visual_dim": 16, "out_visual_dim": 16, "in_text_dim": 64, "in_text_dim2": 32}
    | {"time_dim": 32, "model_dim": 128, "ff_dim": 64, "visual_embed_dim": 132, "num_text_blocks": 1}
    | {"num_visual_blocks": 2, "axes_dims": (32, 48, 48)}
)
COSMOS = (
    {"image_model": "cosmos_predict2", "max_img_h": 24, "max_img_w": 24, "max_frames": 8, "in_channels": 16}
    | {"out_channels": 16, "patch_spatial": 2, "patch_temporal": 1, "model_channels": 128, "num_blocks": 2}
    | {"num_heads": 1, "crossattn_emb_channels": 64, "pos_emb_cls": "rope3d", "use_adaln_lora": True}
    | {"adaln_lora_dim": 16}
)
MOCHI = (
    {"image_model": "mochi_preview", "in_channels": 12, "hidden_size_x": 128, "hidden_size_y": 64, "depth": 2}
    | {"num_heads": 2, "mlp_ratio_x": 96.0, "learn_sigma": False, "qk_norm": True, "qkv_bias": False, "use_t5": True}
    | {"t5_feat_dim": 64, "t5_token_length": 8, "timestep_scale": 1000.0, "posenc_preserve_area": True}
)
ANIMA = {"image_model": "anima"} | {k: v for k, v in COSMOS.items() if k != "image_model"}
ADAPTER = {"source_dim": 64, "target_dim": 64, "model_dim": 64, "num_layers": 1, "num_heads": 1}
H3 = (
    {"image_model": "minimax_h3", "hidden_size": 128, "num_layers": 3, "token_refiner_num_layers": 1}
    | {"num_attention_heads": 1, "ffn_hidden_size": 64, "text_dim": 64, "timestep_input_dim": 32}
    | {"time_embed_hidden_size": 32, "time_embed_dim": 32}
)
COG = {"image_model": "cogvideox", "num_attention_heads": 1, "attention_head_dim": 64, "time_embed_dim": 32} | {
    "text_embed_dim": 64,
    "num_layers": 3,
    "use_rotary_positional_embeddings": True,
}
CLIP = {"kind": "video_audio", "latent_t": 2, "latent_h": 4, "latent_w": 4, "ref_audio_t": 4}
REFERENCES = [
    {"kind": "image", "latent_h": 4, "latent_w": 4, "latent": noise((1, 24, 1, 4, 4), 3)},
    CLIP | {"latent": noise((1, 24, 2, 4, 4), 4), "audio_latent": noise((1, 32, 2, 4), 5)},
]


def h3(**given) -> Tiny:
    """MiniMax H3; `given`: what its nodes put into the conditioning."""
    return Tiny("MiniMaxH3", "MiniMax H3", H3, (24, 3, 4, 4), sound=(32, 2, 8), given=given)


def wan(kind: str, host: str, extra: dict | None = None, **changed) -> Tiny:
    """A model of Wan's family; `changed`: arguments that are not those of text to video."""
    return Tiny(kind, host, WAN | changed, VIDEO, extra=extra or {})


POSE = {"pose_video_latent": (1, 16, 2, 8, 8)}
# no host, and refused by name
ANIMATE_2 = wan("WAN_Animate2", "Wan Animate 2", IMAGE | POSE, model_type="animate2", in_dim=36)
VIDEO_MODELS = {
    "h3": h3(),
    "h3_references": h3(minimax_refs=REFERENCES),
    "cogvideox": Tiny("CogVideoX_T2V", "CogVideoX", COG, VIDEO),
    "void": Tiny("CogVideoX_Inpaint", "CogVideoX", COG | {"in_channels": 48}, VIDEO),
    "ltx25": Tiny(
        "LTXAV",
        "LTX-2",
        LTX | SOUND | {"cross_attention_adaln": True, "apply_gated_attention": True},
        (128, 2, 4, 4),
        width=128,
        extra=MASK,
        sound=(8, 4, 16),
    ),
    "anima": Tiny("Anima", "Anima", ANIMA, FRAME, smaller={"comfy.ldm.anima.model.LLMAdapter": ADAPTER}),
    "scail": wan("WAN21_SCAIL", "SCAIL", POSE, model_type="scail", in_dim=20),
    "scail2": wan("WAN21_SCAIL2", "SCAIL", POSE, model_type="scail2", in_dim=20),
    "wan": wan("WAN21_T2V", "Wan"),
    "wan_i2v": wan("WAN21_I2V", "Wan", IMAGE, model_type="i2v", in_dim=36),
    "wan_camera": wan("WAN21_Camera", "Wan", model_type="camera", in_dim=32, in_dim_control_adapter=24),
    "wan_vace": wan("WAN21_Vace", "Wan VACE", model_type="vace", vace_layers=2, vace_in_dim=96, num_layers=4),
    "wan_s2v": wan("WAN22_S2V", "Wan S2V", {"audio_embed": (1, 25, 16, 12)}, **S2V),
    "wan_animate": wan("WAN22_Animate", "Wan Animate", IMAGE, model_type="animate", num_layers=5, in_dim=36),
    "wan_dancer": wan("WAN22_WanDancer", "WanDancer", IMAGE | {"audio_embed": (1, 24, 35)}, **DANCER),
    "wan_humo": wan(
        "WAN21_HuMo", "Wan", {"audio_embed": (1, 3, 8, 5, 1280)}, model_type="humo", in_dim=36, audio_token_num=16
    ),
    "ltxv": Tiny("LTXV", "LTX-Video", LTX, (128, 2, 4, 4), extra=MASK),
    "ltx2": Tiny("LTXAV", "LTX-2", LTX | SOUND, (128, 2, 4, 4), width=128, extra=MASK, sound=(8, 4, 16)),
    "kandinsky5": Tiny("Kandinsky5", "Kandinsky 5", KANDINSKY, VIDEO),
    "cosmos_predict2": Tiny("CosmosT2IPredict2", "Cosmos Predict 2", COSMOS, FRAME),
    "mochi": Tiny("GenmoMochi", "Mochi", MOCHI, (12, 2, 4, 4), extra=MASK),
}
