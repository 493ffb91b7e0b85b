"""Jobs on Ray; on a stand-in where Ray is not installed."""

import importlib.util
import socket
import sys
from collections.abc import Sequence
from functools import partial
from types import SimpleNamespace

import pytest

from adframe import UserError
from adframe.jobs import Ended, RunJob
from adframe_ray import executor


class LostError(Exception):
    """What Ray raises if a process is lost for good."""


class FakeRay:
    """The calls of Ray that are used, in this process."""

    exceptions = SimpleNamespace(RayError=LostError)

    def __init__(self):
        self.started, self.options, self.lost, self.cancelled = 0, [], set(), []

    def is_initialized(self):
        return bool(self.started)

    def init(self, address, **_):
        if address == "nowhere":
            raise ConnectionError
        if address == "odd":
            raise ValueError("no such\naddress")
        self.started += 1

    def cluster_resources(self):
        return {"CPU": 1.0}

    def shutdown(self):
        self.started -= 1

    def remote(self, **_):
        def task(function):
            def options(**wanted):
                self.options.append(wanted)
                return SimpleNamespace(remote=lambda job: partial(function, job))

            return SimpleNamespace(options=options)

        return task

    def wait(self, running, num_returns):
        return running[:num_returns], running[num_returns:]

    def get(self, one):
        if one.args[0].out.name in self.lost:
            raise LostError
        return one()

    def cancel(self, one):
        self.cancelled.append(one)


@pytest.fixture
def fake(monkeypatch):
    ray = FakeRay()
    monkeypatch.setitem(sys.modules, "ray", ray)
    monkeypatch.setattr(executor, "run_job", lambda job: Ended("done"))
    return ray


def test_each_job_is_a_task_with_its_resources(fake, toy, tmp_path):
    jobs = [RunJob(toy(f"train.device={on}"), tmp_path / on) for on in ("cpu", "cuda")]
    fake.lost = {"cuda"}
    ends = [end for end in executor.RayExecutor().run(jobs) if end[1] is not None]
    assert [(index, ended.status) for index, ended in ends] == [(0, "done"), (1, "lost")]
    assert fake.options == [{"num_cpus": 1, "num_gpus": 0}, {"num_cpus": 1, "num_gpus": 1}]
    assert not fake.started


def test_tasks_are_cancelled_if_the_command_is_stopped(fake, toy, tmp_path):
    ends = executor.RayExecutor().run([RunJob(toy(), tmp_path / name) for name in "ab"])
    assert next(ends) == (0, None)
    ends.close()
    assert len(fake.cancelled) == 1
    assert not fake.started


def test_no_cluster_and_no_ray_are_one_line(fake, toy, tmp_path, monkeypatch):
    with pytest.raises(UserError, match="no Ray cluster at nowhere"):
        list(executor.RayExecutor("nowhere").run([RunJob(toy(), tmp_path)]))
    with pytest.raises(UserError, match="^Ray does not start: no such address$"):
        list(executor.RayExecutor("odd").run([RunJob(toy(), tmp_path)]))
    monkeypatch.setitem(sys.modules, "ray", None)
    with pytest.raises(UserError, match="the extra 'ray'"):
        executor.RayExecutor()


def test_a_dead_address_is_one_line_without_ray_waiting_for_it(fake, tmp_path, monkeypatch):
    with socket.socket() as bound:
        bound.bind(("127.0.0.1", 0))  # nothing listens there
        dead = f"127.0.0.1:{bound.getsockname()[1]}"
        for address in (dead, f"ray://{dead}", "127.0.0.1:99999999"):
            with pytest.raises(UserError, match=f"^no Ray cluster at {address}$"):
                next(executor.RayExecutor(address).run([]))
        monkeypatch.setenv("RAY_TMPDIR", str(tmp_path))
        monkeypatch.delenv("RAY_ADDRESS", raising=False)
        assert list(executor.RayExecutor("auto").run([])) == []  # none is noted: Ray looks for one
        (tmp_path / "ray").mkdir()
        (tmp_path / "ray/ray_current_cluster").write_text(dead)
        with pytest.raises(UserError, match=f"^no Ray cluster at {dead}, which auto stands for$"):
            next(executor.RayExecutor("auto").run([]))
        bound.listen()
        assert list(executor.RayExecutor(dead).run([])) == []
        assert list(executor.RayExecutor("auto").run([])) == []


def test_ray_has_few_jobs_at_once_and_each_is_made_when_it_can_start(fake, toy, tmp_path):
    made = []

    class Jobs(Sequence):
        def __len__(self):
            return 9

        def __getitem__(self, index):
            made.append(index)
            return RunJob(toy(), tmp_path / str(index))

    ended = 0
    for _, end in executor.RayExecutor().run(Jobs()):
        ended += end is not None
        assert len(made) <= ended + 2  # twice the one core
    assert made == list(range(9))


@pytest.mark.slow
@pytest.mark.skipif(importlib.util.find_spec("ray") is None, reason="Ray is not installed")
@pytest.mark.filterwarnings("ignore")
def test_a_run_on_ray_is_that_of_this_process(toy, tmp_path):
    jobs = [RunJob(toy(f"seed={seed}", "train.epochs=1"), tmp_path / str(seed)) for seed in (0, 1)]
    ends = {at: ended.status for at, ended in executor.RayExecutor().run(jobs) if ended}
    assert ends == {0: "done", 1: "done"}
    import adframe

    adframe.run(jobs[0].config, tmp_path / "alone")
    alone = (tmp_path / "alone/scores.csv").read_bytes()
    assert (tmp_path / "0/scores.csv").read_bytes() == alone
