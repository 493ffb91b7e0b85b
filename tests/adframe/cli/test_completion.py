"""Completions of a shell, as argcomplete requests them."""

import os
import subprocess
import sys

import pytest

from adframe.cli.main import main
from adframe.config.bundled import bundled_configs
from adframe.registry.loading import load_plugins
from adframe.registry.registry import KINDS
from adframe.registry.verbs import find_verbs

REPORT = (
    "import atexit, sys\n"
    "from adframe.cli.main import main\n"
    "import os\n"
    "real = os._exit\n"
    "def leave(status):\n"
    "    print([name for name in ('torch', 'pydantic') if name in sys.modules], flush=True)\n"
    "    real(status)\n"
    "os._exit = leave\n"
    "sys.exit(main())\n"
)


@pytest.fixture
def completed(tmp_path):
    """``completed(line)``: the words offered after a line; no torch is imported for them."""

    def ask(line):
        answer = tmp_path / "answer"
        environment = {
            **os.environ,
            "_ARGCOMPLETE": "1",
            "_ARGCOMPLETE_STDOUT_FILENAME": str(answer),
            "_ARGCOMPLETE_IFS": "\n",
            "_ARGCOMPLETE_SUPPRESS_SPACE": "1",
            "COMP_LINE": line,
            "COMP_POINT": str(len(line)),
        }
        done = subprocess.run(
            [sys.executable, "-c", REPORT], env=environment, capture_output=True, text=True,
            check=False,
        )  # fmt: skip
        assert done.stdout == "[]\n", done.stderr
        return set(filter(None, answer.read_text().split("\n")))

    return ask


def test_verbs_and_options(completed):
    assert set(find_verbs()) <= completed("adframe ")
    assert completed("adframe rep") == {"report", "reproduce"}
    assert completed("adframe run --res") == {"--resume"}
    assert completed("adframe check --res") == {"--resolved"}


def test_kinds_names_and_configs(completed):
    assert set(KINDS) <= completed("adframe list ")
    assert completed("adframe show sc") == {"schedule", "scorer"}
    assert completed("adframe show tr") == {"train"}
    names = load_plugins().registry.names("loss")
    assert completed("adframe show loss ") >= set(names)
    assert completed("adframe run quick") == {"quickstart"}
    assert "unicon_ha/cifar10" in bundled_configs()
    assert "unicon_ha/cifar10" in completed("adframe check unicon_ha/")


def test_a_broken_verb_does_not_end_completion(completed, tmp_path, monkeypatch):
    info = tmp_path / "site/bad-1.dist-info"
    info.mkdir(parents=True)
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: bad\nVersion: 1\n")
    (info / "entry_points.txt").write_text("[adframe.verbs]\nbad = no_such_module\n")
    monkeypatch.setenv("PYTHONPATH", str(tmp_path / "site"))
    assert {"bad", "run"} <= completed("adframe ")
    assert completed("adframe bad --x") == set()


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_the_code_for_a_shell(shell, capsys):
    assert main(["completion", shell]) == 0
    assert "adframe" in capsys.readouterr().out


def test_bash_reads_the_code(capsys, tmp_path):
    assert main(["completion", "bash"]) == 0
    (tmp_path / "code.sh").write_text(capsys.readouterr().out)
    done = subprocess.run(
        ["bash", "-c", f". {tmp_path}/code.sh && complete -p adframe"],
        capture_output=True, text=True, check=True,
    )  # fmt: skip
    assert "adframe" in done.stdout
