"""Tiny models of every family, of ComfyUI's own classes, and how each is sampled."""

from collections.abc import Callable
from dataclasses import dataclass, field

import pytest
import torch
from comfy_models import comfy_model_from, conditioning
from tiny_sound_and_shape import SOUND_AND_SHAPE


@dataclass(frozen=True)
class Tiny:
    """`kind`: class in comfy.supported_models. `config`: arguments of the diffusion model. `shape`: one latent's,
    without the batch. `extra`: further conditionings, by shape, or made from a seed. `weights`, `change`: as of
    `comfy_model_from`. `context`: makes a text of another shape from a seed."""

    kind: str
    host: str
    config: dict
    shape: tuple[int, ...] = (16, 8, 8)
    width: int = 64
    vector: int = 32
    extra: dict = field(default_factory=dict)
    sound: tuple[int, ...] = ()  # a second latent's shape
    weights: Callable[[], dict] = dict
    change: Callable | None = None
    context: Callable | None = None

    def build(self, dtype=torch.float32):
        import comfy.supported_models

        if not hasattr(comfy.supported_models, self.kind):
            pytest.skip(f"this ComfyUI has no {self.kind}")
        model = comfy_model_from(self.kind, self.config, dtype, self.weights, self.change)
        positions = getattr(model.model.diffusion_model, "pos_embed", None)
        if positions is not None:  # a buffer, which ComfyUI leaves uninitialised
            positions.copy_(0.02 * noise(positions.shape, 0))
        return model

    def prompts(self) -> tuple[list, list]:
        found = tuple(conditioning(seed, width=self.width, vector=self.vector) for seed in (1, 2))
        for seed, prompt in enumerate(found):
            prompt[0][1].pop("guidance")
            if self.context:
                prompt[0][0] = self.context(seed)
            prompt[0][1].update({name: self._given(name, shape, seed) for name, shape in self.extra.items()})
        return found

    def _given(self, name: str, shape, seed: int):
        if callable(shape):
            return shape(seed)
        return torch.ones(shape, dtype=torch.long) if "mask" in name else noise(shape, seed)


def noise(shape, seed: int) -> torch.Tensor:
    return torch.randn(tuple(shape), generator=torch.Generator().manual_seed(seed))


VIDEO = (16, 3, 8, 8)
FRAME = (16, 1, 8, 8)
MASK = {"attention_mask": (1, 8)}
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
LTX = (
    {"image_model": "ltxv", "in_channels": 128, "num_layers": 2}
    | {"attention_head_dim": 32, "num_attention_heads": 2}
    | {"caption_channels": 64, "cross_attention_dim": 64}
)
SOUND = (
    {"image_model": "ltxav", "audio_in_channels": 128}
    | {"audio_attention_head_dim": 32, "audio_num_attention_heads": 2}
    | {"audio_cross_attention_dim": 64}
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
MOCHI = (
    {"image_model": "mochi_preview", "in_channels": 12, "hidden_size_x": 128, "hidden_size_y": 64, "depth": 2}
    | {"num_heads": 2, "mlp_ratio_x": 96.0, "learn_sigma": False, "qk_norm": True, "qkv_bias": False, "use_t5": True}
    | {"t5_feat_dim": 64, "t5_token_length": 8, "timestep_scale": 1000.0, "posenc_preserve_area": True}
)


def wan(kind: str, host: str, extra: dict | None = None, **changed) -> Tiny:
    """A model of Wan's family; `changed`: arguments that are not those of text to video."""
    return Tiny(kind, host, WAN | changed, VIDEO, extra=extra or {})


POSE = {"pose_video_latent": (1, 16, 2, 8, 8)}
# no host, and refused by name
ANIMATE_2 = wan("WAN_Animate2", "Wan Animate 2", IMAGE | POSE, model_type="animate2", in_dim=36)
TINY = {
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
    "qwen_image": Tiny("QwenImage", "Qwen-Image", QWEN, FRAME),
    "sd3": Tiny("SD3", "SD3", SD3),
    "ltxv": Tiny("LTXV", "LTX-Video", LTX, (128, 2, 4, 4), extra=MASK),
    "ltx2": Tiny("LTXAV", "LTX-2", LTX | SOUND, (128, 2, 4, 4), width=128, extra=MASK, sound=(8, 4, 16)),
    "lumina": Tiny("Lumina2", "Lumina 2", LUMINA, extra=MASK),
    "z_image": Tiny("ZImage", "Lumina 2", LUMINA | Z_IMAGE, extra=MASK),
    "hidream": Tiny("HiDream", "HiDream", HIDREAM, extra={"conditioning_llama3": (1, 2, 8, 64)}),
    "kandinsky5": Tiny("Kandinsky5", "Kandinsky 5", KANDINSKY, VIDEO),
    "cosmos_predict2": Tiny("CosmosT2IPredict2", "Cosmos Predict 2", COSMOS, FRAME),
    "aura": Tiny("AuraFlow", "AuraFlow", AURA, (4, 8, 8)),
    "pixart": Tiny("PixArtSigma", "PixArt", PIXART, (4, 40, 40)),
    "omnigen2": Tiny("Omnigen2", "OmniGen2", OMNIGEN, extra=MASK),
    "mochi": Tiny("GenmoMochi", "Mochi", MOCHI, (12, 2, 4, 4), extra=MASK),
} | {name: Tiny(**given) for name, given in SOUND_AND_SHAPE.items()}


def latent(tiny: Tiny):
    """Noise to start from; two of them, nested, if there is sound."""
    pictures = noise((1, *tiny.shape), 1)
    if not tiny.sound:
        return pictures
    from comfy.nested_tensor import NestedTensor

    return NestedTensor((pictures, noise((1, *tiny.sound), 2)))


def sampled(tiny: Tiny, model, steps: int = 10, cfg: float = 3.0) -> torch.Tensor:
    """What the KSampler node does."""
    import comfy.samplers

    start = latent(tiny)
    positive, negative = tiny.prompts()
    worker = comfy.samplers.KSampler(
        model,
        steps=steps,
        device=model.load_device,
        sampler="euler",
        scheduler="simple",
        denoise=1.0,
        model_options=model.model_options,
    )
    samples = worker.sample(start, positive, negative, cfg=cfg, latent_image=start * 0, disable_pbar=True, seed=1)
    return torch.cat([part.flatten() for part in samples.unbind()]) if tiny.sound else samples
