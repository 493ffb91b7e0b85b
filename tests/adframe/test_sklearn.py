"""An estimator with scikit-learn's conventions for outlier detectors."""

import pickle

import numpy as np
import pytest
import torch
from PIL import Image
from sklearn.base import clone
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import FunctionTransformer
from sklearn.utils.estimator_checks import estimator_checks_generator

from adframe.errors import UserError
from adframe.sklearn import AnomalyDetector

SMALL = {"train.epochs": 1, "train.batch_size": 4, "backbone.width": 0.0625, "scorer": "raw_pixels"}

ROWS = "it fits rows of numbers, and an image is no row"
#: Checks that need other data than images, each with its reason.
SKIPPED = {
    "check_fit_score_takes_y": ROWS,
    "check_estimators_overwrite_params": ROWS,
    "check_dont_overwrite_parameters": ROWS,
    "check_estimators_fit_returns_self": ROWS,
    "check_readonly_memmap_input": ROWS,
    "check_n_features_in_after_fitting": "images have no fixed number of features",
    "check_n_features_in": "images have no fixed number of features",
    "check_positive_only_tag_during_fit": ROWS,
    "check_estimators_dtypes": ROWS,
    "check_complex_data": "the message for complex pixels names the types that images may have",
    "check_dtype_object": ROWS,
    "check_estimators_empty_data_messages": ROWS,
    "check_pipeline_consistency": ROWS,
    "check_estimators_nan_inf": ROWS,
    "check_estimator_sparse_tag": "there are no sparse images",
    "check_estimator_sparse_array": "there are no sparse images",
    "check_estimator_sparse_matrix": "there are no sparse images",
    "check_estimators_pickle": ROWS,
    "check_f_contiguous_array_estimator": ROWS,
    "check_outliers_fit_predict": ROWS,
    "check_outliers_train": ROWS,
    "check_classifier_data_not_an_array": ROWS,
    "check_methods_sample_order_invariance": ROWS,
    "check_methods_subset_invariance": ROWS,
    "check_fit2d_1sample": ROWS,
    "check_fit2d_1feature": ROWS,
    "check_dict_unchanged": ROWS,
    "check_fit_idempotent": ROWS,
    "check_fit_check_is_fitted": ROWS,
    "check_fit1d": ROWS,
    "check_fit2d_predict1d": ROWS,
}


class Checked(AnomalyDetector):
    """Claims to take rows of numbers, without which scikit-learn checks nothing."""

    def __sklearn_tags__(self):
        tags = super().__sklearn_tags__()
        tags.input_tags.two_d_array = True
        return tags


@pytest.mark.parametrize(
    ("estimator", "check"),
    [
        pytest.param(
            estimator, check, id=name,
            marks=[pytest.mark.skip(reason=SKIPPED[name])] if name in SKIPPED else [],
        )
        for estimator, check in estimator_checks_generator(Checked(settings=SMALL))
        for name in [getattr(check, "func", check).__name__]
    ],
)  # fmt: skip
def test_scikit_learns_check(estimator, check):
    check(estimator)


@pytest.fixture(scope="module")
def images(shapes):
    return {name: sorted((shapes / name).iterdir()) for name in ("left", "dark")}


@pytest.fixture(scope="module")
def fitted(images):
    torch.set_num_threads(1)
    return AnomalyDetector(settings=SMALL).fit(images["left"])


def test_lower_is_more_anomalous_and_minus_one_is_an_anomaly(fitted, images):
    normal, odd = (fitted.score_samples(images[name]) for name in ("left", "dark"))
    assert normal.min() > odd.max()
    np.testing.assert_array_equal(odd, -fitted.detector_.score(images["dark"]))
    shifted = fitted.decision_function(images["dark"])
    np.testing.assert_array_equal(shifted, odd - fitted.offset_)
    both = [*images["left"], *images["dark"]]
    np.testing.assert_array_equal(fitted.predict(both), [1] * 12 + [-1] * 8)


def test_contamination_is_the_share_of_held_out_inliers(images):
    one, other = (
        AnomalyDetector(settings=SMALL, calibration=0.5, contamination=share).fit(images["left"])
        for share in ("auto", 0.5)
    )
    trained = set(one.detector_.names)
    held = [path for path in images["left"] if str(path) not in trained]
    assert len(held) == 6
    np.testing.assert_array_equal(one.predict(held), 1)
    assert (other.predict(held) == -1).sum() == 3


def test_fitting_again_gives_the_same_scores_and_pickle_too(fitted, images):
    expected = fitted.score_samples(images["dark"])
    again = clone(fitted).fit(images["left"])
    np.testing.assert_array_equal(again.score_samples(images["dark"]), expected)
    restored = pickle.loads(pickle.dumps(fitted))
    np.testing.assert_array_equal(restored.score_samples(images["dark"]), expected)
    assert restored.offset_ == fitted.offset_


def test_images_of_any_kind_and_a_pipeline(images):
    pixels = np.stack([np.asarray(Image.open(path)) for path in images["left"]])
    mirrored = make_pipeline(
        FunctionTransformer(lambda images: images[:, :, ::-1]),
        AnomalyDetector(settings=[f"{key}={value}" for key, value in SMALL.items()], size=8),
    )
    assert mirrored.fit(pixels).predict(pixels).shape == (12,)
    assert mirrored[-1].detector_.size == (3, 8, 8)
    kinds = [
        [Image.open(path) for path in images["left"]],
        [path.read_bytes() for path in images["left"]],
        torch.from_numpy(pixels).permute(0, 3, 1, 2),
    ]
    for given in kinds:
        assert AnomalyDetector(settings=SMALL).fit(given).detector_.size == (3, 16, 16)


def test_wrong_parameters_are_refused_in_fit(images):
    for options, text in [
        ({"contamination": 0.9}, "contamination must be"),
        ({"calibration": 1}, "calibration must be"),
        ({"settings": {"train.epoch": 1}}, "did you mean"),
    ]:
        with pytest.raises((ValueError, UserError), match=text):
            AnomalyDetector(**options).fit(images["left"])
    with pytest.raises(UserError, match="^3 images; at least 4 are needed$"):
        AnomalyDetector(settings=SMALL).fit(images["left"][:3])
    with pytest.raises(UserError, match="^no images$"):
        AnomalyDetector(settings=SMALL).fit([])
