"""What adframe_scorers brings."""

from adframe import Add, hookimpl


@hookimpl
def adframe_register(add: Add) -> None:
    add("scorer", "nearest_cosine", ".nearest:NearestCosine", default=True)
    add("scorer", "csi", ".csi:CSI")
    add("scorer", "few_shot_mahalanobis", ".mahalanobis:FewShotMahalanobis")
    add("scorer", "gaussian_density", ".density:GaussianDensity")
    add("scorer", "kde", ".density:KDE")
    add("scorer", "knn", ".nearest:KNN")
    add("scorer", "linear_probe", ".softmax:LinearProbe")
    add("scorer", "mahalanobis", ".mahalanobis:Mahalanobis")
    add("scorer", "max_softmax", ".softmax:MaxSoftmax")
    add("scorer", "one_class_svm", ".svm:OneClassSVM")
