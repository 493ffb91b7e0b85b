"""Registers the components of adframe_cutpaste."""

from adframe import Add, hookimpl


@hookimpl
def adframe_register(add: Add) -> None:
    add("shift", "cutpaste", ".shifts:CutPaste")
    add("shift", "cutpaste_scar", ".shifts:CutPasteScar")
