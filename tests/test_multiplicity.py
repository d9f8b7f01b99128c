import pytest
from statsmodels.stats.multitest import multipletests

from cxrkit.multiplicity import holm


def test_holm_is_statsmodels():
    p_values = [0.04, 0.001, 0.03, 0.2, 0.001, 0.9]
    assert holm(p_values) == pytest.approx(multipletests(p_values, method="holm")[1])
    assert holm([]) == []
