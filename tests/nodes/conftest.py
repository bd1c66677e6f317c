"""What several tests of the nodes ask."""

import json
import sys

import pytest


@pytest.fixture
def answer(pack):
    """The answer to the bytes of a request for a preview: a status, and an object."""
    return sys.modules[f"{pack.__name__}.nodes.page.routes"].answer


@pytest.fixture
def ask(answer):
    def ask(cls, steps=20, edit=None, sampling=None, **widgets):
        asked = {
            "class": cls,
            "node": "1",
            "widgets": widgets,
            "sampling": {"steps": steps, **(sampling or {})},
            "edit": edit,
        }
        status, found = answer(json.dumps(asked).encode())
        assert status == 200, found
        return found

    return ask
