"""What adframe_baselines brings."""

from adframe import Add, hookimpl


@hookimpl
def adframe_register(add: Add) -> None:
    add("loss", "nt_xent", ".contrastive:NTXent")
    add("loss", "supcon", ".contrastive:SupCon")
    add("loss", "shift_classification", ".classification:ShiftClassification")
    add("loss", "classification", ".classes:Classification")
    add("loss", "joint_classification", ".classes:JointClassification")
    add("loss", "droc_contrastive", ".droc:DROCContrastive")
