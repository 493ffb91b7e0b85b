"""Jobs through submitit; on a stand-in with its calls, and on its local executor where it is."""

import importlib.util
import sys
from dataclasses import dataclass
from types import ModuleType, SimpleNamespace

import pytest

import adframe
from adframe import UserError
from adframe.jobs import Ended, Job, RunJob
from adframe_submitit import executor


class UncompletedJobError(RuntimeError):
    """What submitit raises for a job without a result."""


@dataclass(frozen=True)
class Step(Job):
    """Ends as it is given: by a text why it failed."""

    text: str = ""
    needs: int = 0

    @property
    def gpus(self):
        return self.needs

    def work(self):
        return self.text


class Submitted:
    """A job of the stand-in: done at the second look, lost as often as the stand-in is given."""

    def __init__(self, call, lost):
        self.call, self.lost, self.looks, self.cancelled = call, lost, 0, False

    def done(self):
        self.looks += 1
        return self.looks > 1

    def result(self):
        assert self.looks > 1
        if self.lost:
            raise UncompletedJobError("Job 1 (task: 0) with path x\nhas not produced any output")
        return self.call()

    def cancel(self):
        self.cancelled = True


@pytest.fixture
def fake(monkeypatch):
    """The module ``submitit`` with the calls that are used; ``lost`` counts losses to come."""
    seen = SimpleNamespace(lost=0, submitted=[], parameters=[])

    class AutoExecutor:
        def __init__(self, folder, cluster=None):
            if cluster == "nowhere":
                raise ValueError("AutoExecutor doesn't know any executor named nowhere")

        def update_parameters(self, **parameters):
            if "wrong" in parameters:
                raise NameError("Parameter 'wrong' need to be prefixed\nKnown executors: slurm")
            seen.parameters.append(parameters)

        def submit(self, function, *arguments):
            seen.lost, lost = max(0, seen.lost - 1), seen.lost > 0
            seen.submitted.append(Submitted(lambda: function(*arguments), lost))
            return seen.submitted[-1]

    module = ModuleType("submitit")
    module.AutoExecutor = AutoExecutor
    module.core = SimpleNamespace(utils=SimpleNamespace(UncompletedJobError=UncompletedJobError))
    monkeypatch.setitem(sys.modules, "submitit", module)
    monkeypatch.setattr(executor, "PAUSE", 0.0)
    return seen


def ends(one, jobs):
    return {index: ended for index, ended in one.run(jobs) if ended is not None}


def test_each_job_is_submitted_with_its_resources(fake):
    one = executor.SubmititExecutor("slurm,slurm_partition=gpu,timeout_min=600,at_once=2")
    found = ends(one, [Step(text="wrong"), Step(needs=1), Step()])
    assert found == {0: Ended("failed", "wrong"), 1: Ended("done"), 2: Ended("done")}
    plain = {"name": "adframe", "cpus_per_task": 1, "slurm_partition": "gpu", "timeout_min": 600}
    assert fake.parameters == [plain, {**plain, "gpus_per_node": 1}]


def test_a_lost_job_is_submitted_again_and_given_up_in_the_end(fake):
    fake.lost = 2
    assert ends(executor.SubmititExecutor(), [Step()]) == {0: Ended("done")}
    assert len(fake.submitted) == 3
    fake.lost = executor.TRIES
    (ended,) = ends(executor.SubmititExecutor(), [Step()]).values()
    assert ended.status == "lost"
    assert "Job 1 (task: 0) with path x" in ended.reason


def test_few_are_submitted_at_once_and_cancelled_if_the_command_is_stopped(fake):
    running = executor.SubmititExecutor("slurm,at_once=2").run([Step()] * 5)
    assert [next(running), next(running)] == [(0, None), (1, None)]
    assert len(fake.submitted) == 2
    running.close()
    assert all(one.cancelled for one in fake.submitted)


@pytest.mark.parametrize(
    ("text", "line"),
    [
        ("nowhere", "doesn't know any executor named nowhere"),
        ("slurm,wrong=1", "need to be prefixed; Known executors"),
        ("slurm,partition", "write CLUSTER,KEY=VALUE"),
        ("slurm,at_once=many", "at_once: give a number of jobs"),
        ("slurm,at_once=0", "at_once: give a number of jobs"),
    ],
)
def test_what_submitit_refuses_is_one_line(fake, text, line):
    with pytest.raises(UserError, match=line) as caught:
        executor.SubmititExecutor(text)
    assert "\n" not in str(caught.value)


def test_without_submitit_one_line_names_the_extra(monkeypatch):
    monkeypatch.setitem(sys.modules, "submitit", None)
    with pytest.raises(UserError, match="the extra 'submitit'"):
        executor.SubmititExecutor()


@pytest.mark.slow
@pytest.mark.skipif(importlib.util.find_spec("submitit") is None, reason="is not installed")
@pytest.mark.filterwarnings("ignore")
def test_a_run_of_its_local_executor_is_that_of_this_process(toy, tmp_path):
    job = RunJob(toy("train.epochs=1"), tmp_path / "run")
    one = executor.SubmititExecutor(f"local,folder={tmp_path / 'logs'}")
    assert ends(one, [job]) == {0: Ended("done")}
    adframe.run(job.config, tmp_path / "alone")
    assert (job.out / "scores.csv").read_bytes() == (tmp_path / "alone/scores.csv").read_bytes()
