"""Registers the components of adframe_metrics."""

from adframe import Add, hookimpl


@hookimpl
def adframe_register(add: Add) -> None:
    add("metric", "average_precision", ".images:AveragePrecision")
    add("metric", "best_f1", ".images:BestF1")
    add("metric", "fpr", ".images:FPR")
    add("metric", "pixel_auroc", ".pixels:PixelAUROC")
    add("metric", "pixel_average_precision", ".pixels:PixelAveragePrecision")
    add("metric", "pixel_best_f1", ".pixels:PixelBestF1")
    add("metric", "au_pro", ".pixels:AUPRO")
