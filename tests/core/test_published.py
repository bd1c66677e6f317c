"""What the registry's archive holds is the whole pack, and little else."""

import importlib.util
import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
README = (ROOT / "README.md").read_text(encoding="utf-8")


@pytest.fixture(scope="module")
def script():
    sys.path.insert(0, str(ROOT / "scripts"))
    try:
        spec = importlib.util.spec_from_file_location("published", ROOT / "scripts" / "published.py")
        module = importlib.util.module_from_spec(spec)
        spec.loader.exec_module(module)
        return module
    finally:
        sys.path.remove(str(ROOT / "scripts"))


@pytest.fixture(scope="module")
def paths(script):
    try:
        return script.published()
    except script.SkipError as reason:
        pytest.skip(f"what is published is not known here: {reason}")


def test_nothing_is_published_that_only_developers_need(script, paths):
    tops = {path.split("/")[0] for path in paths}
    assert not tops & {".ci", ".github", "lab", "scripts", "tests", "requirements-dev.txt"}
    assert script.megabytes(paths) <= script.LIMIT


def test_what_the_pack_its_page_and_its_readme_need_is_published(paths):
    folders = [ROOT / name for name in ("cache_core", "nodes", "web", "locales", "example_workflows", "subgraphs")]
    whole = [each for folder in folders for each in folder.rglob("*") if each.is_file() and each.suffix != ".pyc"]
    named = [ROOT / name for name in ("__init__.py", "pyproject.toml", "requirements.txt", "README.md", "LICENSE")]
    shown = [ROOT / name for name in re.findall(r"!\[[^\]]*\]\(([^)]+)\)", README)]
    listed = subprocess.run(["git", "-C", ROOT, "ls-files"], capture_output=True, encoding="utf-8")
    tracked = set(listed.stdout.split("\n"))
    assert {each.relative_to(ROOT).as_posix() for each in (*whole, *named, *shown)} & tracked <= set(paths)
    assert shown


def test_what_is_published_loads_alone(script, paths, tmp_path):
    alone = script.copied(paths, tmp_path / "feb-ab-cache")
    code = (
        "import importlib.util as u, pathlib, pkgutil, sys; root = pathlib.Path(sys.argv[1]); "
        "s = u.spec_from_file_location('p', root / '__init__.py', submodule_search_locations=[str(root)]); "
        "m = u.module_from_spec(s); sys.modules['p'] = m; s.loader.exec_module(m); "
        "[__import__(f'p.{each.name}') for name in ('cache_core', 'nodes') "
        "for each in pkgutil.walk_packages([str(root / name)], f'{name}.')]; "
        "print(len(m.NODE_CLASS_MAPPINGS), (root / m.WEB_DIRECTORY).is_dir())"
    )
    done = subprocess.run([sys.executable, "-B", "-c", code, alone], capture_output=True, text=True, cwd=tmp_path)
    assert done.stdout.split() == [str(len(list((ROOT / "web" / "docs").glob("*.md")))), "True"], done.stderr


def test_python_that_is_published_can_be_shown_on_every_windows(script, paths):
    texts = {path: (ROOT / path).read_text(encoding="utf-8") for path in paths if path.endswith(".py")}
    assert texts
    assert not [path for path, text in texts.items() if text.encode("cp1252", "ignore").decode("cp1252") != text]


@pytest.mark.parametrize(
    ("code", "skipped"), [("raise SystemExit(3)", True), ("raise ValueError", True), ("raise SystemExit(1)", False)]
)
def test_a_checker_that_breaks_is_skipped_and_one_that_finds_something_is_not(script, code, skipped):
    if skipped:
        with pytest.raises(script.SkipError):
            script.said(sys.executable, "-c", code, good=(0, 1))
    else:
        assert script.said(sys.executable, "-c", code, good=(0, 1)) == ""


def test_checkers_that_cannot_be_installed_are_no_failure(script, monkeypatch, capsys):
    def offline():
        raise script.SkipError("no network")

    monkeypatch.setattr(script, "checkers", offline)
    assert script.wrong_with([]) == []
    assert "skipped" in capsys.readouterr().out
