"""Finished runs compared image by image."""

import json
import math

import numpy as np
import pytest
from scipy.stats import ttest_ind
from sklearn.metrics import roc_auc_score

import adframe
from adframe.engine.compare import compare
from adframe.errors import UserError

SETS = {"inliers": 40, "near": 30, "far": 20}


@pytest.fixture
def made(fake_run, tmp_path):
    """``made(name, shift, noise)``: a run whose outliers have higher scores by ``shift``."""

    def made(name, shift=1.0, noise=0, **options):
        draw = np.random.default_rng(0)  # the images are the same in all runs
        own = np.random.default_rng(noise)
        scores = {
            title: (draw.normal(shift * (title != "inliers"), size=size)
                    + 0.2 * own.normal(size=size)).tolist()
            for title, size in SETS.items()
        }  # fmt: skip
        return fake_run(tmp_path / name, scores, **options), scores

    return made


def auroc(scores, title):
    truth = [0] * len(scores["inliers"]) + [1] * len(scores[title])
    return roc_auc_score(truth, scores["inliers"] + scores[title])


def test_figures_are_those_of_scikit_learn_and_differences_are_to_the_first(made):
    (first, a), (second, b) = made("a"), made("b", 2.0, 1, lr=0.2)
    found = compare([first, second], samples=200)
    assert (found.images, found.inliers, found.samples) == (90, 40, 200)
    assert [run.run for run in found.runs] == [str(first), str(second)]
    assert {run.scorer for run in found.runs} == {"near"}
    for run, scores in zip(found.runs, (a, b), strict=True):
        assert list(run.sets) == ["near", "far"]
        for title, figure in run.sets.items():
            expected = auroc(scores, title)
            assert figure.auroc == pytest.approx(expected)
            assert figure.difference == pytest.approx(expected - auroc(a, title))
            assert figure.low < figure.auroc < figure.high
            assert figure.difference_low <= figure.difference <= figure.difference_high
        assert run.mean.auroc == pytest.approx(np.mean([auroc(scores, t) for t in run.sets]))
        (own,) = compare(run.run, samples=200).runs  # alone it has the same interval
        assert (own.mean.low, own.mean.high) == (run.mean.low, run.mean.high)
    assert found.runs[1].mean.more_than_noise
    assert found.runs[1].mean.p_value < 0.05


def test_a_run_and_itself_do_not_differ_at_all(made):
    folder, _ = made("a")
    again = compare([folder, folder], samples=100).runs[1]
    for figure in (*again.sets.values(), again.mean):
        zero = figure.difference, figure.difference_low, figure.difference_high
        assert (*zero, figure.p_value, figure.more_than_noise) == (0.0, 0.0, 0.0, 1.0, False)


def test_the_order_of_the_rows_does_not_matter(made):
    (first, _), (second, _) = made("a"), made("b", 1.1, 1)
    before = compare([first, second], samples=100)
    path = second / "scores.csv"
    head, *rows = path.read_text().splitlines()
    path.write_text("\n".join([head, *reversed(rows)]) + "\n")
    assert compare([first, second], samples=100) == before


def test_the_seed_decides_the_resamples(made):
    folder, _ = made("a")
    assert compare(folder, 50, 1) == compare(folder, 50, 1) != compare(folder, 50, 2)


def test_runs_that_differ_in_the_seed_only_are_a_group(made):
    folders = [made(f"a{seed}", 1.0, seed, seed=seed)[0] for seed in (0, 1, 2)]
    folders += [made(f"b{seed}", 1.5, 9 + seed, seed=seed, lr=0.2)[0] for seed in (0, 1)]
    folders += [made("c", epochs=9)[0]]
    found = compare(folders, samples=20)
    first, second = found.groups
    assert (first.runs, first.seeds) == ([str(path) for path in folders[:3]], [0, 1, 2])
    assert (second.runs, second.seeds) == ([str(path) for path in folders[3:5]], [0, 1])
    means = [run.mean.auroc for run in found.runs]
    assert first.mean.mean == pytest.approx(np.mean(means[:3]))
    assert first.mean.sd == pytest.approx(np.std(means[:3], ddof=1))
    near = [run.sets["near"].auroc for run in found.runs[3:5]]
    assert second.sets["near"].mean == pytest.approx(np.mean(near))
    assert second.sets["near"].sd == pytest.approx(np.std(near, ddof=1))
    assert first.p_value is None
    expected = ttest_ind(means[:3], means[3:5], equal_var=False).pvalue
    assert second.p_value == pytest.approx(expected)


def test_groups_in_which_no_seed_differs_have_no_p_value(made):
    folders = [made(f"{lr}{seed}", seed=seed, lr=lr)[0] for lr in (0.1, 0.2) for seed in (0, 1)]
    groups = compare(folders, samples=20).groups
    assert [(group.mean.sd, group.p_value) for group in groups] == [(0.0, None), (0.0, None)]


def test_other_test_images_are_refused_with_their_number(made):
    (first, _), (second, _) = made("a"), made("b")
    path = second / "scores.csv"
    path.write_text(path.read_text().replace("near/3.png", "near/x.png"))
    line = f"{second}: other test images than {first}: 89 of 90 match, and {first} has 90"
    with pytest.raises(UserError) as caught:
        compare([first, second])
    assert str(caught.value) == line
    path.write_text(path.read_text().replace("near/x.png,1", "near/3.png,0"))  # another label
    (third, _) = made("c", seed=1)
    with pytest.raises(UserError, match="is it the seed that splits the data set"):
        compare([third, second])
    with pytest.raises(UserError, match="89 of 90 match"):
        compare([first, second])


def test_a_path_that_occurs_twice_is_two_images(made):
    folder, _ = made("a")
    path = folder / "scores.csv"
    path.write_text(path.read_text().replace("near/3.png", "near/4.png"))
    assert compare([folder, folder], samples=10).images == 90


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda text: "", "no inliers"),
        (lambda text: text.replace("path,", "file,"), "damaged"),
        (lambda text: text + "x,1", "damaged"),
        (lambda text: text + "x,1,0.5", "damaged: a row lacks a column"),
        (lambda text: text + "x,1,high,near", "damaged"),
        (lambda text: text + "x,1,nan,near,0", "1 of 91 scores are not finite"),
        (lambda text: "\n".join(line for line in text.splitlines() if ",1," not in line), "no out"),
        (lambda text: "\n".join(line for line in text.splitlines() if ",0," not in line), "no inl"),
    ],
)
def test_damaged_scores_are_one_line(made, change, message):
    folder, _ = made("a")
    path = folder / "scores.csv"
    path.write_text(change(path.read_text()))
    with pytest.raises(UserError) as caught:
        compare([folder])
    assert str(folder) in str(caught.value)
    assert message in str(caught.value)
    assert "\n" not in str(caught.value)


def test_only_finished_runs_are_compared(fake_run, tmp_path):
    half = fake_run(tmp_path / "half")
    with pytest.raises(UserError, match="half: is no finished run: half-finished"):
        compare(half)
    with pytest.raises(UserError, match="nothing: is no finished run"):
        compare(tmp_path / "nothing")
    for arguments in [([],), (half, 1), (half, 10**7), (half, 10, -1)]:
        with pytest.raises(UserError, match="no runs|expected 2 to"):
            compare(*arguments)


def test_the_public_face_gives_plain_values(made):
    from dataclasses import asdict

    folder, _ = made("a")
    found = adframe.compare(folder, samples=10)
    assert isinstance(found, adframe.Comparison)
    plain = json.loads(json.dumps(asdict(found)))
    assert plain["runs"][0]["sets"]["near"]["auroc"] == found.runs[0].sets["near"].auroc
    assert math.isfinite(plain["runs"][0]["mean"]["high"])
