"""The contract kit: checks that a component behaves as the core requires.

In a plugin's tests, over everything it registers::

    import pytest
    from adframe.testing import cases
    from my_idea import plugin

    @pytest.mark.parametrize("case", cases(plugin), ids=str)
    def test_contract(case):
        case()

For one class, all checks at once: ``check(MyLoss, temperature=0.2)``. Bundled components pass the
same checks. A check is skipped, with the reason, if a required option is not given or if the data
are not on this machine.
"""

from __future__ import annotations

from adframe.testing.cases import CHECKS as CHECKS
from adframe.testing.cases import Case as Case
from adframe.testing.cases import cases as cases
from adframe.testing.cases import check as check
from adframe.testing.subject import Subject as Subject

__all__ = ["CHECKS", "Case", "Subject", "cases", "check"]
