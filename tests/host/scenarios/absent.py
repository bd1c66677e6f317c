"""What cannot be shown on a CPU, or not through ComfyUI, with the reason and where else it is looked at."""

from scenarios.row import Row

REASONS = (
    (
        "in-place residuals",
        "H1",
        "blocks that write into their inputs",
        "every row of this table runs ComfyUI's own in-place blocks of each version; by itself in "
        "tests/engine/test_in_place.py",
    ),
    (
        "returned values are written to",
        "H2",
        "callers multiply what a site returned in place",
        "tests/engine/test_in_place.py",
    ),
    (
        "input aliases the sampler's x",
        "H4",
        "whoever writes into it spoils the sampler",
        "never reuse is bit-identical only if x is untouched",
    ),
    (
        "attributes called `to` or `cleanup`",
        "H8",
        "ComfyUI calls them on what is in model options",
        "ours have none of them (test_what_the_nodes_leave_on_a_model_is_left_alone_by_comfyui)",
    ),
    (
        "torch.compile",
        "H12",
        "graphs and recompilations",
        "tests/host/test_compile.py; passed on 0.3.64 (inductor not tried), 0.8.0 and 0.33.0",
    ),
    ("Comfy Compiler", "H13", "allocation graphs", "needs CUDA and comfy-aimdo"),
    (
        "fused paths past submodules",
        "H14",
        "sites that are never called",
        "a CUDA kernel path; a site that is not called is demoted (tests/engine/test_demotion.py)",
    ),
    ("attention containers", "H15", "q in a container", "only with quantised attention on CUDA"),
    (
        "batch dimension elsewhere",
        "H18",
        "Cosmos 1, Hunyuan3D",
        "none of these columns; tests/host/test_rows.py has those families",
    ),
    (
        "replaced classes",
        "H21",
        "GGUF, nunchaku",
        "tests/host/test_weights.py has packed layers; the packs themselves are not installed",
    ),
    ("synchronisations", "H23", "one a step", "needs a GPU to see"),
    ("threads, one for each GPU", "H24", "PEERS 2.16", "needs two GPUs"),
    (
        "cache in host memory",
        "PEERS 2.12",
        "pinned, on a stream of its own",
        "needs CUDA; by itself in tests/engine/test_store.py",
    ),
)
ROWS = tuple(Row(id, source, does, None, absent={"*": why}) for id, source, does, why in REASONS)
