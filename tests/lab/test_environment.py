"""What the scripts say that they will download, and what they let pip take."""

import subprocess
from types import SimpleNamespace

import pytest

from scripts import environment

REQUIREMENTS = "numpy==2.2.6\ntorch==2.13.0\ntorchsde==0.2\n"


@pytest.fixture
def asked(monkeypatch):
    """Commands that were run; pip finds a CPU build where `found`."""
    commands = []

    def install(found: bool, system: str = "Linux") -> list[list[str]]:
        def run(command: list[str], **_: object) -> SimpleNamespace:
            commands.append(command)
            return SimpleNamespace(returncode=0 if found else 1)

        monkeypatch.setattr(subprocess, "run", run)
        monkeypatch.setattr(environment.platform, "system", lambda: system)
        return commands

    return install


def test_linux_takes_the_cpu_build_where_pip_finds_it(asked):
    commands = asked(found=True)
    small, words = environment.cpu_build(["pip", "install"], REQUIREMENTS)
    assert small == ["torch==2.13.0+cpu"]
    assert "200 MB" in words
    assert "gigabytes" not in words
    assert commands == [["pip", "install", "--dry-run", "--no-deps", "torch==2.13.0+cpu"]]


def test_linux_says_gigabytes_where_it_does_not(asked):
    asked(found=False)
    small, words = environment.cpu_build(["pip", "install"], REQUIREMENTS)
    assert small == []
    assert "gigabytes" in words
    assert "PIP_EXTRA_INDEX_URL" in words


def test_other_systems_have_the_small_build_anyway(asked):
    commands = asked(found=False, system="Darwin")
    assert environment.cpu_build(["pip", "install"], REQUIREMENTS) == ([], "torch is a download of about 200 MB.")
    assert not commands


def test_the_pin_of_torch_is_found_or_missed():
    assert environment.torch_pin(REQUIREMENTS) == "torch==2.13.0"
    assert environment.torch_pin(environment.REQUIREMENTS.read_text()).startswith("torch==")
    with pytest.raises(ValueError, match="pins torch"):
        environment.torch_pin("torchsde==0.2\n")
