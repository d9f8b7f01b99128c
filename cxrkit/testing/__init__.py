"""The promises of each hook as checks, for ``cxrkit plugins check`` and for a plugin's own tests.

Public. Importing it needs no torch; the checks of models, imbalance strategies, trainers and the epoch event do.

    import pytest
    from cxrkit.testing import checks

    @pytest.mark.parametrize("check", checks("cxrkit-mine"), ids=str)
    def test_a_promise_is_kept(check):
        check()
"""

from cxrkit.testing.alone import (
    check_dataset,
    check_imbalance_strategy,
    check_metric_reporter,
    check_model,
    check_report_section,
    check_trainer,
)
from cxrkit.testing.check import BrokenPromiseError, Check, Outcome, UncheckedError
from cxrkit.testing.collecting import checks

__all__ = [
    "BrokenPromiseError",
    "Check",
    "Outcome",
    "UncheckedError",
    "check_dataset",
    "check_imbalance_strategy",
    "check_metric_reporter",
    "check_model",
    "check_report_section",
    "check_trainer",
    "checks",
]
