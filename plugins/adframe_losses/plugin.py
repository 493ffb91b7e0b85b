"""Registers the components of adframe_losses."""

from adframe import Add, hookimpl


@hookimpl
def adframe_register(add: Add) -> None:
    add("loss", "nt_xent", ".contrastive:NTXent")
    add("loss", "supcon", ".contrastive:SupCon")
    add("loss", "classification", ".classification:Classification")
    add("loss", "joint_classification", ".classification:JointClassification")
    add("loss", "shift_classification", ".shift_classification:ShiftClassification")
