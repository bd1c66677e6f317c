"""A ControlNet, as the sampler sees one."""

from tiny import noise


class Control:
    """Residuals for every block, from the step at `start` on (1 = from the first), that change with time."""

    def __init__(self, tokens, width, start):
        self.residual, self.start, self.first = noise((1, tokens, width), 3), start, None
        self.extra_hooks = self.previous_controlnet = None
        self.multigpu_clones = {}

    def get_control(self, x, t, cond, batched_number, transformer_options):
        self.first = self.first or float(t.max())
        if float(t.max()) > self.start * self.first:
            return None
        residual = self.residual.expand(x.shape[0], -1, -1) * float(t.max()) / self.first
        return {"input": [residual] * 2, "output": [residual] * 3}

    def get_models(self):
        return []

    def inference_memory_requirements(self, dtype):
        return 0

    def get_extra_hooks(self):
        return []

    def pre_run(self, model, percent_to_timestep):
        self.first = None

    def cleanup(self):
        pass
