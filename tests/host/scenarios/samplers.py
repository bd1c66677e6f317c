"""Every sampler of the KSampler list, and the step of each of its evaluations."""

from scenarios.row import AB, Clock, Row
from scenarios.scene import STEPS, Scene

LAST = STEPS - 1
ONCE: Clock = tuple(range(STEPS))
# the second evaluation is at the next step's sigma
CORRECTED: Clock = (0, *(step for s in range(1, STEPS) for step in (s, s)))
MIDPOINT: Clock = (*(step for s in range(LAST) for step in (s, s)), LAST)  # at a sigma between the two
THRICE: Clock = (*(step for s in range(LAST) for step in (s, s, s)), LAST)
# heunpp2 looks two steps ahead and returns
BACK: Clock = (*(step for s in range(LAST - 1) for step in (s, s + 1, s + 2)), LAST - 1, LAST, LAST)

SINGLE = (
    *("euler", "euler_cfg_pp", "euler_ancestral", "euler_ancestral_cfg_pp", "lms"),
    *("dpmpp_2m", "dpmpp_2m_cfg_pp", "dpmpp_2m_sde", "dpmpp_2m_sde_gpu", "dpmpp_2m_sde_heun", "dpmpp_2m_sde_heun_gpu"),
    *("dpmpp_3m_sde", "dpmpp_3m_sde_gpu", "ddpm", "lcm", "ipndm", "ipndm_v", "deis"),
    *("res_multistep", "res_multistep_cfg_pp", "res_multistep_ancestral", "res_multistep_ancestral_cfg_pp"),
    *("gradient_estimation", "gradient_estimation_cfg_pp", "er_sde", "sa_solver", "ddim", "uni_pc", "uni_pc_bh2"),
)
TWICE = (
    *("heun", "exp_heun_2_x0", "exp_heun_2_x0_sde"),
    *("dpm_2_ancestral", "dpmpp_2s_ancestral_cfg_pp", "sa_solver_pece"),
)
CLOCKS: dict[str, Clock | None] = {
    **dict.fromkeys(SINGLE, ONCE),
    **dict.fromkeys(TWICE, CORRECTED),
    **dict.fromkeys(("dpm_2", "dpmpp_2s_ancestral", "dpmpp_sde", "dpmpp_sde_gpu", "seeds_2"), MIDPOINT),
    "seeds_3": THRICE,
    "heunpp2": BACK,
    "dpm_fast": None,
    "dpm_adaptive": None,  # None: at sigmas of their own
}
NOISY = ("ancestral", "sde", "ddpm", "lcm", "sa_solver", "seeds")
UNET_CLOCK = "not run: AB-Cache sees the output only, of whatever model; on a U-Net it is shown with euler and uni_pc"
SHOWN_ON_UNET = ("euler", "uni_pc")


def source(name: str) -> str:
    if name.startswith("uni_pc"):
        return "H11"
    if "cfg_pp" in name:
        return "HOOKS 0b"
    if name in ("heunpp2", "dpm_adaptive", "dpm_fast"):
        return "H10"
    return "PEERS 2.6" if any(word in name for word in NOISY) else "PEERS 2.5" if CLOCKS[name] != ONCE else "HOOKS 5"


def described(name: str) -> str:
    clock = CLOCKS[name]
    evaluations = "evaluations at sigmas of its own" if clock is None else f"{len(clock)} evaluations in {STEPS} steps"
    return f"{evaluations}{', outputs reused, not predicted' if any(word in name for word in NOISY) else ''}"


def play(name: str):
    def sampled(scene: Scene, node):
        import comfy.samplers
        import pytest

        if name not in comfy.samplers.SAMPLER_NAMES:
            pytest.skip(f"this ComfyUI has no {name}")
        return [scene.sample(node(scene.model), sampler=name)]

    return sampled


ROWS = tuple(
    Row(
        f"sampler {name}",
        source(name),
        described(name),
        play(name),
        None if clock is None else (clock,),
        exact=clock is not None,
        ways=1,
        absent={} if name in SHOWN_ON_UNET else {"U-Net": UNET_CLOCK},
        says={AB: "new noise"} if any(word in name for word in NOISY) else {},
    )
    for name, clock in CLOCKS.items()
)
