"""What several tests of the nodes ask."""

import sys

import pytest


@pytest.fixture
def answer(pack):
    """The answer to the bytes of a request for a preview: a status, and an object."""
    return sys.modules[f"{pack.__name__}.nodes.page.routes"].answer
