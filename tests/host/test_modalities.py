"""Video with sound, on ComfyUI's own classes: each modality is predicted and learned by itself, and neither is spoilt
for the other."""

import pytest
import torch
from comfy_models import NEVER, comfy_model_from, conditioning
from tiny import TINY, noise

from cache_core.calibrate.recording import relative_l2

pytestmark = pytest.mark.usefixtures("plans")
H3 = (
    {"image_model": "minimax_h3", "hidden_size": 128, "num_layers": 3, "token_refiner_num_layers": 1}
    | {"num_attention_heads": 2, "attention_head_dim": 64, "ffn_hidden_size": 128, "latents_dim": 24}
    | {"audio_latents_dim": 32, "text_dim": 64, "timestep_input_dim": 64, "time_embed_hidden_size": 64}
    | {"time_embed_dim": 64, "rope_inv_freq_len": 8}
)
STEPS, INAUDIBLE = 20, 5e-4  # a drift of 82 dB below the latent's range


class Clip:
    """A tiny model of video with sound. `shapes`: of its two latents, without the batch. `more`: of its prompts."""

    def __init__(self, model, shapes, width, more=None):
        self.model, self.shapes, self.width, self.more = model, shapes, width, more or {}

    def prompts(self):
        for seed in (1, 2):
            [[context, facts]] = conditioning(seed, width=self.width)
            facts.pop("guidance")
            yield [[context, facts | {"attention_mask": torch.ones(1, 8, dtype=torch.long)} | self.more]]

    @torch.inference_mode()
    def sample(self, model, sampler="euler", cfg=1.0, seed=1, batch=1):
        """Video and sound, as the KSampler node samples them."""
        import comfy.samplers
        from comfy.nested_tensor import NestedTensor

        start = NestedTensor([noise((batch, *shape), 10 * seed + i) for i, shape in enumerate(self.shapes)])
        options = {"sampler": sampler, "scheduler": "simple", "denoise": 1.0, "model_options": model.model_options}
        worker = comfy.samplers.KSampler(model, steps=STEPS, device=model.load_device, **options)
        return worker.sample(
            start, *self.prompts(), cfg=cfg, latent_image=start * 0, disable_pbar=True, seed=seed
        ).unbind()


def h3(**more):
    import comfy.supported_models

    if not hasattr(comfy.supported_models, "MiniMaxH3"):
        pytest.skip("this ComfyUI has no MiniMax H3")
    model = comfy_model_from("MiniMaxH3", H3)
    # a buffer, which ComfyUI leaves uninitialised
    model.model.diffusion_model.rope.inv_freq.copy_(1e-4 ** (torch.arange(8) / 8))
    return Clip(model, ((24, 3, 8, 8), (32, 2, 20)), 64, more)


def h3_with_a_reference_clip():
    shown = {"kind": "video_audio", "latent": noise((1, 24, 2, 8, 8), 7), "audio_latent": noise((1, 32, 2, 8), 8)}
    sizes = {"latent_t": 2, "latent_h": 8, "latent_w": 8, "ref_audio_t": 8}
    return h3(minimax_refs=[shown | sizes])


def ltx2():
    tiny = TINY["ltx2"]
    return Clip(tiny.build(), (tiny.shape, tiny.sound), tiny.width)


@pytest.fixture(params=[h3, h3_with_a_reference_clip, ltx2], ids=lambda build: build.__name__)
def clip(request):
    return request.param()


def drifts(cached, plain):
    return tuple(map(relative_l2, cached, plain))


def test_computed_everywhere_both_are_bit_identical(clip, ab):
    cached, _ = ab(clip.model, interval=1)
    assert all(map(torch.equal, clip.sample(cached), clip.sample(clip.model)))


@pytest.mark.parametrize(("sampler", "cfg"), [("res_multistep", 1.0), ("euler", 3.0)])
def test_learned_at_twice_the_speed_sound_drifts_at_most_twice_as_far_as_the_video(clip, ab, sampler, cfg):
    cached, mailbox = ab(clip.model, "quality", learn=True)
    clip.sample(cached, sampler, cfg)
    assert "audio 0." in " ".join(mailbox.latest.notes)
    for seed in (1, 2):
        video, audio = drifts(clip.sample(cached, sampler, cfg, seed), clip.sample(clip.model, sampler, cfg, seed))
        assert mailbox.latest.computed == STEPS // 2
        assert audio <= max(2 * video, INAUDIBLE)
        assert max(video, audio) < 0.1


def test_a_learned_plan_has_weights_of_its_own_for_the_sound(clip, ab, pack):
    cached, _ = ab(clip.model, "quality", learn=True)
    clip.sample(cached)
    folder = __import__(f"{pack.__name__}.nodes.comfy.plan_folder", fromlist=["plan_folder"])
    [plan] = [folder.read(name) for name in folder.available() if not name.startswith(folder.PREFIX)]
    [sound] = plan.others
    assert [fit.at for fit in sound] == [fit.at for fit in plan.fits]
    assert [fit.weights for fit in sound] != [fit.weights for fit in plan.fits]
    assert dict(plan.drifts).keys() == {"video", "audio"}
    assert plan.drift == max(dict(plan.drifts).values())


def test_two_clips_in_a_batch_are_learned_together(ab):
    clip = ltx2()
    cached, mailbox = ab(clip.model, "quality", learn=True)
    clip.sample(cached, batch=2)
    video, audio = drifts(clip.sample(cached, batch=2), clip.sample(clip.model, batch=2))
    assert mailbox.latest.computed == STEPS // 2
    assert max(video, audio) < 0.1


def test_after_guidance_the_two_are_predicted_by_themselves_too(clip, ab):
    plain = clip.sample(clip.model, cfg=3.0)
    cached, mailbox = ab(clip.model, interval=2, order=2, warmup_steps=4, after_guidance=True)
    assert max(drifts(clip.sample(cached, cfg=3.0), plain)) < 0.2
    assert mailbox.latest.computed < STEPS


def test_feb_cache_on_ltx_2_leaves_both_as_they_are_when_nothing_is_reused(feb):
    clip = ltx2()
    cached, _ = feb(clip.model, **NEVER)
    assert all(map(torch.equal, clip.sample(cached), clip.sample(clip.model)))


def test_calibrate_takes_video_with_sound(pack):
    import comfy.samplers
    from comfy.nested_tensor import NestedTensor

    clip = ltx2()
    sigmas = comfy.samplers.calculate_sigmas(clip.model.get_model_object("model_sampling"), "simple", STEPS)
    empty = {"samples": NestedTensor([torch.zeros(1, *shape) for shape in clip.shapes])}
    sampler = comfy.samplers.sampler_object("euler")
    node = pack.NODE_CLASS_MAPPINGS["CacheCalibrate"]()
    made = node.calibrate(clip.model, *clip.prompts(), empty, sampler, sigmas, 1, 1.0, 2.0, 0.0, 2, 12)
    assert "audio 0." in made["result"][1]
