"""AB-Cache on ComfyUI's own class of every family: it needs no host, so it runs where FEB-Cache cannot, too."""

import pytest
from tiny import TINY, Tiny, sampled
from tiny_sound_and_shape import UNHOSTED

OTHERS = {name: Tiny(**given) for name, given in UNHOSTED.items()}
EVERY = TINY | OTHERS


@pytest.mark.parametrize("name", EVERY)
def test_ab_cache_runs_on_the_model(name, ab):
    cached, mailbox = ab(EVERY[name].build(), "auto")
    assert sampled(EVERY[name], cached, steps=12).isfinite().all()
    report = mailbox.latest
    assert report.evaluations == 12
    assert report.computed < report.evaluations
    assert report.demotions == ()
    assert report.restarts == 0


@pytest.mark.parametrize("name", OTHERS)
def test_feb_cache_says_what_works_where_it_cannot_separate_attention_and_mlp(name, feb):
    with pytest.raises(TypeError, match="no attention and MLP that FEB-Cache knows .* use AB-Cache Apply instead"):
        feb(OTHERS[name].build())
