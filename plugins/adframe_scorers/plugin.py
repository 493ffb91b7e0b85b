"""Registers the components of adframe_scorers."""

from adframe import Add, hookimpl


@hookimpl
def adframe_register(add: Add) -> None:
    add("scorer", "nearest_cosine", ".nearest:NearestCosine", default=True)
    add("scorer", "dense", ".dense:Dense")
    add("scorer", "feature_map", ".dense:FeatureMap")
    add("scorer", "gaussian_density", ".density:GaussianDensity")
    add("scorer", "kde", ".density:KDE")
    add("scorer", "knn", ".nearest:KNN")
    add("scorer", "linear_probe", ".softmax:LinearProbe")
    add("scorer", "max_softmax", ".softmax:MaxSoftmax")
    add("scorer", "method_output", ".method_output:MethodOutput")
    add("scorer", "nearest_grid", ".layout:NearestGrid")
    add("scorer", "one_class_svm", ".svm:OneClassSVM")
    add("scorer", "padim", ".patchcore:PaDiM")
    add("scorer", "patchcore", ".patchcore:PatchCore")
    add("scorer", "raw_pixels", ".pixels:RawPixels")
    add("scorer", "true_shift", ".true_shift:TrueShift")
