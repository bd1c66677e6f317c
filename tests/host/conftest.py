"""Host tests run where a real ComfyUI can be imported, and are skipped, with the reason, where not."""

from pathlib import Path

import pytest
from comfy_models import applying, flux, import_comfyui


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    here = [item for item in items if Path(__file__).parent in Path(item.fspath).parents]
    reason = import_comfyui() if here else ""
    for item in here if reason else ():
        item.add_marker(pytest.mark.skip(reason=reason))


@pytest.fixture(scope="module")
def model():
    return flux()


@pytest.fixture
def feb(pack):
    return applying(pack, "FEBCacheApply")


@pytest.fixture
def ab(pack):
    return applying(pack, "ABCacheApply")


@pytest.fixture
def plans(pack, tmp_path, monkeypatch):
    """A folder of plans of its own for each test."""
    import folder_paths

    library = __import__(f"{pack.__name__}.nodes.comfy.plan_folder", fromlist=["library"])
    for name in ("unlearnable", "_lessons", "_unsaved"):
        monkeypatch.setattr(library, name, {})
    monkeypatch.setattr(folder_paths, "models_dir", str(tmp_path.parent / f"{tmp_path.name}_models"))
    monkeypatch.setitem(folder_paths.folder_names_and_paths, "cache_plans", ([str(tmp_path)], {".safetensors"}))
    return tmp_path
