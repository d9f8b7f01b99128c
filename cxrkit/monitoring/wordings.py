"""How the figures of monitoring are called and written."""

from typing import get_args

from cxrkit.data.drift import WORDING
from cxrkit.records import ImageStatistic
from cxrkit.report import wording
from cxrkit.report.wording import NOT_ESTIMABLE

LABELS = {
    "alert_rate": "Alert rate",
    "no_result": "Without a result",
    "false_positive_rate": "False-positive rate",
    "sensitivity": "Sensitivity",
    "specificity": "Specificity",
    "roc_auc": "AUC",
    "ppv": "PPV",
    "calibration_intercept": "Calibration intercept",
    "psi": "PSI of the scores",
    "ks_score": "Scores",
    **{f"ks_{name}": wording.capitalised(WORDING[name].name) for name in get_args(ImageStatistic)},
    "estimated_roc_auc": "AUC",
    "estimated_sensitivity": "Sensitivity",
    "estimated_specificity": "Specificity",
    "estimated_ppv": "PPV",
    "estimated_accuracy": "Accuracy",
    "estimated_prevalence": "Prevalence, if only the kinds of images have changed",
    "adjusted_prevalence": "Prevalence, if only the share of the diseased has changed",
}
DECIMALS = {"roc_auc", "calibration_intercept", "psi", "estimated_roc_auc"}


def label(figure: str) -> str:
    """Name a figure at the head of a row."""
    return LABELS.get(figure, figure)


def inside(figure: str) -> str:
    """Name a figure in a sentence: abbreviations stay capital."""
    name = label(figure)
    return name if name[:2].isupper() else name[0].lower() + name[1:]


def is_percent(figure: str) -> bool:
    """Say whether a figure is written in percent."""
    return figure not in DECIMALS and not figure.startswith("ks_")


def number(value: float | None, figure: str) -> str:
    """Write a figure: ``93.2%``, ``0.968``."""
    if value is None:
        return NOT_ESTIMABLE
    text = f"{100 * value:.1f}%" if is_percent(figure) else f"{value:.3f}"
    return text.replace("-", wording.MINUS)


def bounds(low: float | None, high: float | None, figure: str) -> str | None:
    """Write an interval or limits: ``87.1 to 91.9%``; None where there are none."""
    if low is None or high is None:
        return None
    return f"{number(low, figure).removesuffix('%')} to {number(high, figure)}"


def signed(value: float, figure: str) -> str:
    """Write a difference: ``+5.4 points``, ``-0.012``."""
    text = f"{100 * value:+.1f} points" if is_percent(figure) else f"{value:+.3f}"
    return text.replace("-", wording.MINUS)


def p_value(value: float | None) -> str:
    """Write a p value in a sentence: ``p = 0.031``, ``p < 0.001``."""
    text = wording.p_value(value).replace("\N{NO-BREAK SPACE}", " ")
    return f"p {text}" if text.startswith("<") else f"p = {text}"
