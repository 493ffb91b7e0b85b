"""Curves are scikit-learn's; a figure is safe to put in a page."""

import xml.etree.ElementTree as ET

import numpy as np
from sklearn.metrics import precision_recall_curve, roc_curve

from adframe.reports.figures import counts, curves, histogram, losses, validated


def test_curves_are_those_of_scikit_learn_with_ties():
    draw = np.random.default_rng(0)
    good, bad = draw.integers(0, 9, 60) / 7, draw.integers(3, 12, 40) / 7
    false, true = counts(good, bad)
    truth, scores = np.repeat([0, 1], [60, 40]), np.concatenate([good, bad])
    expected = roc_curve(truth, scores, drop_intermediate=False)
    np.testing.assert_allclose([false / 60, true / 40], expected[:2])
    precision, recall, _ = precision_recall_curve(truth, scores)
    np.testing.assert_allclose((true[1:] / (true[1:] + false[1:]))[::-1], precision[:-1])
    np.testing.assert_allclose((true[1:] / 40)[::-1], recall[:-1])


def test_figures_are_xml_with_names_as_text_and_equal_for_equal_data():
    scores = {"inliers": np.arange(5.0), "$a_<b>&": np.arange(3.0, 8), "x\x00": np.ones(2)}
    figures = [histogram(scores, 2.5), *curves(scores)]
    figures.append(losses([{"epoch": 1, "loss": 0.5}, {"epoch": 2, "loss": None}]))
    for figure in figures:
        ET.fromstring(figure)
    assert "$a_&lt;b&gt;&amp;" in figures[1]
    assert figures[0] == histogram(scores, 2.5)
    assert losses([]) == ""
    constant = {"inliers": np.ones(3), "odd": np.ones(2)}
    assert histogram(constant, None).startswith("<svg")


def test_the_validation_figure_has_a_line_for_each_scorer_at_its_epochs():
    log = [{"epoch": epoch, "loss": 1.0} for epoch in range(1, 5)]
    assert validated(log) == ""
    log[1] |= {"validation_auroc": 0.6, "validation_auroc_knn": 0.5}
    log[3] |= {"validation_auroc": 0.7, "validation_auroc_knn": None}
    figure = validated(log)
    ET.fromstring(figure)
    assert "main scorer" in figure
    assert "knn" in figure
    alone = validated([{"epoch": 1, "validation_auroc": 0.6, "validation_precision": 1}])
    assert "main scorer" not in alone
    assert "AUROC" in alone
