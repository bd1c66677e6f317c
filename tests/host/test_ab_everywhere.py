"""AB-Cache on ComfyUI's own class of every family: it needs no host, so it runs where FEB-Cache cannot, too."""

import pytest
from tiny import TINY, Tiny, sampled
from tiny_sound_and_shape import UNHOSTED

EVERY = TINY | {name: Tiny(**given) for name, given in UNHOSTED.items()}


@pytest.mark.parametrize("steps", [8, 12])
@pytest.mark.parametrize("name", EVERY)
def test_ab_cache_runs_on_the_model(name, steps, ab):
    cached, mailbox = ab(EVERY[name].build())
    assert sampled(EVERY[name], cached, steps=steps).isfinite().all()
    report = mailbox.latest
    assert report.steps == steps
    assert report.computed < report.evaluations
    assert report.demotions == ()
    assert report.restarts == 0


@pytest.mark.parametrize("name", UNHOSTED)
def test_feb_cache_refuses_what_it_cannot_separate_and_names_ab_cache(name, feb, pack):
    model = EVERY[name].build()
    with pytest.raises(Exception, match=r"no attention and MLP that FEB-Cache knows.*use AB-Cache Apply instead"):
        feb(model)
