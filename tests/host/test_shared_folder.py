"""Two servers behind one folder of plans; the whole of it: python3 -m tests.stress.shared."""

import sys

from comfy_models import COMFYUI

from tests.stress.shared import failures, shared


def test_what_one_server_learned_the_other_uses_and_no_file_is_damaged(tmp_path):
    found = shared(COMFYUI, sys.executable, tmp_path, queues=8)
    assert failures(found) == [], found
    assert found["plans"] == found["settings"] + 1
    assert found["by_plan"] >= 8
