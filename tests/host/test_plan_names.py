"""Files of learned plans: named for people, found by the end of their name, replaced where they cannot be read."""

from datetime import date

import pytest
from test_learning import STEPS, evaluations, learning, model  # noqa: F401 (fixtures)

pytestmark = pytest.mark.usefixtures("plans")


def test_the_plan_s_file_says_what_it_is_for_and_is_found_by_the_end_of_its_name(model, learning, plans):  # noqa: F811
    cached = learning(model)[0]
    evaluations(cached)
    (file,) = plans.iterdir()
    day, key = date.today(), file.stem.rpartition("_")[2]
    assert file.stem == f"Flux_euler_{STEPS}-steps_128x128_3.0x_{day}_{key}"
    for name in (f"learned_{key}", f"my portraits_{key}"):  # as older packs named it; as a person may
        file = file.rename(plans / f"{name}.safetensors")
        assert evaluations(cached)[1] == STEPS // 3


def test_a_plan_that_cannot_be_read_is_replaced(model, learning, plans):  # noqa: F811
    cached = learning(model)[0]
    evaluations(cached)
    (file,) = plans.iterdir()
    file.write_bytes(b"no plan")
    assert evaluations(cached)[1] > STEPS
    assert list(plans.iterdir()) == [file]
    assert evaluations(cached)[1] == STEPS // 3
