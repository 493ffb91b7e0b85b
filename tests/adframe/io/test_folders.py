"""Outputs do not replace the files of a run."""

import pytest

import adframe
from adframe.errors import UserError
from adframe.io.folders import check_no_run_file


def test_a_file_of_a_run_is_not_replaced(fake_run, tmp_path):
    run = fake_run(tmp_path / "run", {"inliers": [0.1, 0.2], "odd": [0.3, 0.4]})
    link = tmp_path / "link.html"
    link.symlink_to(run / "config.yaml")
    for out in (run / "config.yaml", run / "state.json", link):
        before = out.read_bytes()
        with pytest.raises(UserError, match=r"is a file of a run; choose another one to write$"):
            adframe.report(run, out)
        assert out.read_bytes() == before
    check_no_run_file(run / "report.html")
    check_no_run_file(run / "new.safetensors")
    check_no_run_file(tmp_path / "no/such.json")


def test_a_file_next_to_a_config_of_no_run_may_be_replaced(tmp_path):
    for name in ("config.yaml", "detector.safetensors"):
        (tmp_path / name).write_text("mine")
    check_no_run_file(tmp_path / "detector.safetensors")
