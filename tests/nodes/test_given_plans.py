"""Plans that come with the pack are listed, loaded and never written; a plan for other sites is refused by name of
the node that takes it."""

import pytest

from cache_core import ConfigError


@pytest.fixture
def nodes(pack):
    return pack.NODE_CLASS_MAPPINGS


def names(nodes):
    return nodes["CachePlanLoad"].INPUT_TYPES()["required"]["plan_name"][0]


def test_bundled_plans_are_listed_under_their_prefix_and_each_loads(nodes):
    listed = [name for name in names(nodes) if name.startswith("bundled/")]
    assert "bundled/flux_hill_psnr_13.safetensors" in listed
    for name in listed:
        (plan,) = nodes["CachePlanLoad"]().load(name)
        assert "published, not ours" in nodes["CachePlanInfo"]().read(plan)["result"][0]
        assert nodes["CachePlanLoad"].IS_CHANGED(name) > 0


@pytest.mark.parametrize(
    "name",
    [
        "bundled/gone.safetensors",
        "bundled/../file.py",
        "bundled/",
        "bundled/../bundled/flux_feb_released.safetensors",
    ],
)
def test_no_other_file_can_be_reached_through_the_prefix(nodes, name):
    with pytest.raises(ValueError, match="no plan"):
        nodes["CachePlanLoad"]().load(name)


def test_a_plan_cannot_be_saved_among_the_bundled_ones(nodes):
    (plan,) = nodes["CachePlanLoad"]().load("bundled/flux_feb_released.safetensors")
    with pytest.raises(ValueError, match="no name of a plan"):
        nodes["CachePlanSave"]().save(plan, "bundled/flux_feb_released")


def test_a_plan_for_the_model_s_output_is_refused_by_feb_cache_with_the_node_that_takes_it(pack, nodes):
    feb = __import__(f"{pack.__name__}.nodes.feb_cache_apply", fromlist=["FEBCacheApply"])
    (output,) = nodes["CachePlanLoad"]().load("bundled/flux_hill_psnr_13.safetensors")
    with pytest.raises(ValueError, match="for model; .*AB-Cache Apply"):
        feb.FEBCacheApply.planned(output, None, 0.0)
    assert issubclass(ConfigError, ValueError)


@pytest.mark.parametrize("memory", [-1.0, 5000.0, float("nan")])
def test_the_memory_widget_is_checked_beside_a_plan_too(pack, nodes, memory):
    feb = __import__(f"{pack.__name__}.nodes.feb_cache_apply", fromlist=["FEBCacheApply"])
    (table,) = nodes["CachePlanLoad"]().load("bundled/flux_feb_released.safetensors")
    with pytest.raises(ValueError, match="memory"):
        feb.FEBCacheApply.planned(table, None, memory)
