"""Jobs give the same results in this process, in others, and if one of these is killed."""

import os
import pickle
import signal
from pathlib import Path

import pytest
import torch

import adframe
from adframe.errors import ConfigError, Problem, Stopped, UserError
from adframe.io.locks import lock_folder
from adframe.jobs import RunJob, job, run_job
from adframe.jobs.executors import executor
from adframe.jobs.local import TRIES, LocalExecutor, _work, _Worker

PLUGIN = """
from adframe import hookimpl
from adframe.interfaces import Loss

class Tiny(Loss):
    \"\"\"A tiny loss.\"\"\"
    def forward(self, embeddings, views):
        return embeddings.square().mean()

@hookimpl
def adframe_register(add):
    add("loss", "tiny", Tiny)
"""


def statuses(ends):
    """Index -> status of each job that has ended."""
    return {index: ended.status for index, ended in ends if ended is not None}


def test_errors_survive_a_way_through_another_process():
    stopped = pickle.loads(pickle.dumps(Stopped(signal.SIGTERM, "at step 3")))
    assert (stopped.status, str(stopped)) == (143, "at step 3")
    problems = [Problem(("a", 0), "wrong", "x.yaml:1")]
    assert pickle.loads(pickle.dumps(ConfigError(problems))).problems == problems


def test_a_config_is_pickled_as_text_with_its_plugin_files(toy_file, tmp_path):
    (tmp_path / "tiny.py").write_text(PLUGIN)
    settings = ["objective=[{loss: tiny}]", "seed=3"]
    config = adframe.load_config(
        toy_file, settings, plugins=tmp_path / "tiny.py", without="adframe:csi"
    )
    again = pickle.loads(pickle.dumps(config))
    assert again.yaml() == config.yaml()
    assert again.plugins == [str(tmp_path / "tiny.py")]
    names = {plugin.name for plugin in again.loaded.registry.plugins}
    assert "tiny" in names
    assert "csi" not in names


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("loca", r"^--on: no executor 'loca'; did you mean 'local'\?$"),
        ("local:0", r"^--on local: give a number of processes, 1 to 256, not '0'$"),
        ("local:two", r"^--on local: give a number of processes"),
        ("local:9999999999", r"^--on local: give a number of processes"),
    ],
)
def test_an_executor_that_is_not_there_is_one_line(name, message):
    with pytest.raises(UserError, match=message):
        executor(name)


def test_a_job_says_how_it_ended(toy, tmp_path, monkeypatch):
    good, folder = RunJob(toy("train.epochs=1"), tmp_path / "a"), tmp_path / "b"
    ends = statuses(executor("local").run([good, RunJob(toy("dataset.root=/nowhere"), folder)]))
    assert ends == {0: "done", 1: "failed"}
    before = (tmp_path / "a/result.json").stat().st_mtime_ns
    assert run_job(good).status == "done"
    assert (tmp_path / "a/result.json").stat().st_mtime_ns == before  # it is not run again
    with lock_folder(folder):
        assert run_job(RunJob(toy(), folder)).status == "held"

    def stopped(*_, **__):
        raise Stopped(signal.SIGTERM, "at step 3")

    monkeypatch.setattr(job, "run_locked", stopped)
    ended = run_job(RunJob(toy(), folder))
    assert (ended.status, ended.reason, ended.number) == ("stopped", "at step 3", signal.SIGTERM)


@pytest.mark.slow
def test_a_killed_process_costs_what_it_did_since_its_checkpoint_and_no_job(toy, tmp_path):
    configs = [toy(f"seed={seed}", "train.epochs=3") for seed in range(3)]
    jobs = [RunJob(config, tmp_path / str(config.seed)) for config in configs]
    local, killed, ends = LocalExecutor("2"), [], {}
    workers: list[_Worker] = []
    begin = _Worker.start

    def start(self, of):
        workers.append(self)
        begin(self, of)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(_Worker, "start", start)
        for index, ended in local.run(jobs):
            if ended is not None:
                ends[index] = ended.status
            elif not killed:
                killed.append(index)
                os.kill(workers[-1].process.pid, signal.SIGKILL)
    assert ends == dict.fromkeys(range(3), "done")
    assert len(workers) == 4  # three jobs, one of them twice
    assert not any(worker.process.is_alive() for worker in workers)
    for config, of in zip(configs, jobs, strict=True):
        adframe.run(config, tmp_path / f"alone{config.seed}")
        alone = (tmp_path / f"alone{config.seed}/scores.csv").read_bytes()
        assert (of.out / "scores.csv").read_bytes() == alone


def test_a_job_whose_process_is_lost_again_and_again_is_given_up(toy, tmp_path, monkeypatch):
    started = []

    class Mortal:
        def __init__(self, _, number):
            self.connection, self.number = os.pipe(), number
            self.process = None

        def start(self, of):
            started.append(of)

        def end(self):
            return job.Ended("lost", "its process was lost")

        def close(self):
            for end in self.connection:
                os.close(end)

    monkeypatch.setattr("adframe.jobs.local._Worker", Mortal)
    monkeypatch.setattr("adframe.jobs.local.wait", lambda busy: busy)
    monkeypatch.setattr("adframe.jobs.local._end", lambda workers: None)
    ends = statuses(LocalExecutor("1").run([RunJob(toy(), Path("a")), RunJob(toy(), Path("b"))]))
    assert ends == {0: "lost", 1: "lost"}
    assert len(started) == 2 * TRIES


def test_processes_take_the_gpus_in_turn(monkeypatch):
    taken = []

    class Ended:
        def recv(self):
            raise EOFError

    monkeypatch.setattr(signal, "signal", lambda *given: None)
    monkeypatch.setattr(torch.cuda, "set_device", taken.append)
    for devices in (0, 2):
        monkeypatch.setattr(torch.cuda, "device_count", lambda of=devices: of)
        for number in range(3):
            _work(Ended(), 1, number)
    assert taken == [0, 1, 0]
