"""The driver of a cluster, on a stand-in for Ray: what is tried again, where, and what is written."""

from types import SimpleNamespace

import pytest
import torch

from cache_core.saved_plan.file import save
from cache_core.saved_plan.saved_plan import Origin, SavedPlan
from cache_core.schedule import TableAt, from_steps
from cache_core.site import OUTPUT
from scripts.fleet.errors import InputError
from scripts.fleet.on_ray import Cluster, Place, Work, _check_reachable, chosen, known_keys
from scripts.fleet.report import KNOWN, LEARNED, Result
from scripts.fleet.tasks import Task

SIGMAS = (1.0, 0.75, 0.5, 0.25, 0.0)
PLAN = SavedPlan(Origin("Flux", "w", "euler", 64, 1, "2026-01-01"), TableAt(from_steps(OUTPUT, (0, 1, 3), 4), SIGMAS))


class Gone(Exception):
    """As Ray's RayError."""


class TaskError(Gone):
    """As Ray's RayTaskError."""

    def __init__(self, cause):
        super().__init__(str(cause))
        self.cause = cause


class SimpleRef:
    """As Ray's references to results."""

    def __init__(self, outcome):
        self.outcome = outcome


class Ray:
    """A stand-in. `script`: for each task's name what its tries do: an exception, or results with files."""

    exceptions = SimpleNamespace(RayError=Gone, RayTaskError=TaskError)

    def __init__(self, script):
        self.script, self.begun, self.actors, self.over = script, [], 0, False

    def remote(self, **how):
        def made(cls):
            return SimpleNamespace(remote=self.actor)

        return made

    def actor(self, *arguments):
        self.actors += 1
        number = self.actors

        def learn(task, known):
            self.begun.append((task.name, number, dict(known)))
            return SimpleRef(self.script[task.name].pop(0))

        return SimpleNamespace(learn=SimpleNamespace(remote=learn))

    def wait(self, running, num_returns):
        return running[:1], running[1:]

    def get(self, done):
        if isinstance(done.outcome, Exception):
            raise done.outcome
        return done.outcome

    def shutdown(self):
        self.over = True


def task(name, model="m"):
    return Task(name, {}, "1", model, 10, 3.0)


def learned(name, key="0123", **files):
    return [Result(name, LEARNED, key, f"a_{key}.safetensors")], {f"a_{key}.safetensors": content(), **files}


def content():
    from safetensors.torch import save as packed

    return packed({"x": torch.zeros(1)})


def run(folder, script, workers=2, models=None):
    ray = Ray(script)
    tasks = [task(name, (models or {}).get(name, "m")) for name in script]
    cluster = Cluster(ray, workers, 0.0)
    found = list(cluster.learned(tasks, folder, folder, []))
    cluster.close()
    assert ray.over
    return ray, {own.name: results for own, results in found}


def test_files_are_written_by_the_driver_and_their_keys_known_from_then_on(tmp_path):
    ray, found = run(tmp_path, {"a": [learned("a")], "b": [learned("b", "4567")]}, workers=1)
    assert [path.name for path in sorted(tmp_path.iterdir())] == ["a_0123.safetensors", "a_4567.safetensors"]
    assert [known for *_, known in ray.begun] == [{}, {"0123": ""}]
    assert found["a"][0].tries == 1


def test_a_process_that_is_gone_is_replaced_and_its_task_tried_at_most_twice_more(tmp_path):
    ray, found = run(
        tmp_path, {"a": [Gone("killed"), learned("a")], "b": [Gone("1"), Gone("2"), Gone("3")], "c": [learned("c")]}
    )
    assert (found["a"][0].result, found["a"][0].tries) == (LEARNED, 2)
    assert (found["b"][0].result, found["b"][0].tries) == ("error", 3)
    assert found["c"][0].result == LEARNED
    assert 4 <= ray.actors <= 6  # four died, and new ones are started as long as there is work
    assert len({actor for name, actor, _ in ray.begun if name == "b"}) == 3


def test_a_full_device_is_tried_elsewhere_and_another_error_is_not(tmp_path):
    full = [Result("a", "error", reason="full", error="torch.OutOfMemoryError")], {}
    script = {
        "a": [full, learned("a")],
        "b": [([Result("b", "error", error="ValueError")], {})],
        "c": [TaskError(ValueError("no"))],
    }
    ray, found = run(tmp_path, script)
    first, second = [actor for name, actor, _ in ray.begun if name == "a"]
    assert first != second
    assert (found["a"][0].result, found["b"][0].tries, found["c"][0].reason) == (LEARNED, 1, "no")


def test_a_plan_that_cannot_be_read_is_learned_anew(tmp_path):
    (tmp_path / "a_0123.safetensors").write_bytes(b"damaged")
    known = [Result("a", KNOWN, "0123")], {}
    ray, found = run(tmp_path, {"a": [known, learned("a")]})
    assert [known for *_, known in ray.begun] == [{"0123": ""}, {}]
    assert (found["a"][0].result, found["a"][0].tries) == (LEARNED, 1)


def test_a_known_plan_is_named(tmp_path):
    save(PLAN, tmp_path / "a_0123.safetensors")
    _, found = run(tmp_path, {"a": [([Result("a", KNOWN, "0123")], {})]})
    assert found["a"][0].file == "a_0123.safetensors"


def test_work_goes_to_the_process_that_has_its_model():
    places = [Place(None, "one"), Place(None, "two")]
    waiting = [Work(task("a", "two")), Work(task("b", "three")), Work(task("c", "one"))]
    assert [chosen(waiting, places[0], places).task.name for _ in range(3)] == ["c", "b", "a"]


def test_keys_without_a_plan_have_the_reason(tmp_path):
    save(PLAN, tmp_path / "a_0123.safetensors")
    (tmp_path / "unlearnable_89ab.json").write_text('{"reason": "noise"}')
    (tmp_path / "unlearnable_cdef.json").write_text("{")
    assert known_keys(tmp_path) == {"0123": "", "89ab": "noise"}


@pytest.mark.parametrize("address", ["127.0.0.1:9", "ray://127.0.0.1:9"])
def test_a_cluster_that_does_not_answer_is_named_at_once(address):
    with pytest.raises(InputError, match=f"--ray {address}: no cluster answers"):
        _check_reachable(address)


@pytest.mark.parametrize("address", ["nowhere", "127.0.0.1:x", "127.0.0.1:-1", "127.0.0.1:65536", "127.0.0.1:", ""])
def test_an_address_without_a_port_is_named_so(address):
    with pytest.raises(InputError, match=f"--ray {address}: no cluster answers .it is no HOST:PORT"):
        _check_reachable(address)
