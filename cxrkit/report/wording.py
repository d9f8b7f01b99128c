"""How figures are put into words: percent, intervals, differences, p values, names."""

from collections.abc import Sequence
from datetime import UTC, datetime

from cxrkit.records import ChangeRecord, ComparisonRecord, Record, ThresholdRecord

MINUS = "\N{MINUS SIGN}"
NONE = "\N{EN DASH}"
NOT_ESTIMABLE = "not estimable"
LONG = 1e9  # from this size on, a threshold is written with an exponent

LABELS = {
    "roc_auc": "AUC",
    "roc_auc_against_all": "AUC against all others",
    "average_precision": "Average precision",
    "sensitivity": "Sensitivity",
    "specificity": "Specificity",
    "ppv": "PPV",
    "npv": "NPV",
    "accuracy": "Accuracy",
    "balanced_accuracy": "Balanced accuracy",
    "precision": "Precision",
    "recall": "Recall",
    "f1": "F1",
    "mcc": "MCC",
    "brier": "Brier score",
    "brier_reliability": "Reliability",
    "brier_resolution": "Resolution",
    "brier_uncertainty": "Uncertainty",
    "brier_within_bins": "Within bins",
    "ece": "Expected calibration error",
    "ece_equal_width": "ECE, equal width",
    "ece_equal_mass": "ECE, equal mass",
    "log_loss": "Log loss",
    "calibration_intercept": "Calibration intercept",
    "calibration_slope": "Calibration slope",
    "lr_positive": "LR+",
    "lr_negative": "LR\N{MINUS SIGN}",
    "net_benefit": "Net benefit",
    "net_benefit_treat_all": "Net benefit of treating all",
    "coverage": "Decided",
    "referred_positives": "Referred of the diseased",
    "referred_negatives": "Referred of the others",
    "no_result": "Without a result",
    "roc_auc_macro": "AUC, mean of the classes",
    "average_precision_macro": "Average precision, mean of the classes",
    "f1_macro": "F1, mean of the classes",
    "prevalence": "Prevalence",
    "support": "Support",
}

RATIOS = frozenset({"lr_positive", "lr_negative"})

DECIMAL = frozenset(
    {
        *("roc_auc", "roc_auc_against_all", "roc_auc_macro", "average_precision", "average_precision_macro", "mcc"),
        *("brier", "brier_reliability", "brier_resolution", "brier_uncertainty", "brier_within_bins", "log_loss"),
        *("ece", "ece_equal_width", "ece_equal_mass", "calibration_intercept", "calibration_slope"),
        *("net_benefit", "net_benefit_treat_all", *RATIOS),
    }
)
"""Figures told as decimals; shares are told in percent."""

MOST_DIGITS = 6  # of a difference so small that fewer would leave 0

COUNTS = frozenset({"support", "n"})

SUFFIXES = {"_complete_cases": "complete cases", "_independent": "assuming independent images"}
"""What a figure's name ends in where it is given once more in another way → how that is told."""

PER_THOUSAND = "_per_1000"


def capitalised(text: str) -> str:
    """Begin a text with a capital letter and leave the rest as it is, names among it."""
    return text[:1].upper() + text[1:]


def unfolded(text: str) -> str:
    """Make one line of a text that is written over several."""
    return " ".join(text.split())


def label(metric: str) -> str:
    """Name a figure as the field does."""
    for suffix, told in SUFFIXES.items():
        if metric.endswith(suffix):
            return f"{label(metric.removesuffix(suffix))} ({told})"
    return LABELS.get(metric, metric.replace("_", " ").capitalize())


def inside(metric: str) -> str:
    """Name a figure inside a sentence: abbreviations stay capital."""
    name = label(metric)
    return name if name[:2].isupper() or name.startswith(("F1", "LR", "Brier")) else name[:1].lower() + name[1:]


def with_article(metric: str) -> str:
    """Name a figure inside a sentence with its article: ``an AUC``, ``a sensitivity``."""
    name = inside(metric)
    return f"{'an' if name[0] in 'aeiouAEIOU' else 'a'} {name}"


def is_percent(metric: str) -> bool:
    """Say whether a figure is a share that is told in percent."""
    base = _base(metric)
    return base in LABELS and base not in DECIMAL and base not in COUNTS


def is_variant(metric: str) -> bool:
    """Say whether a figure is given once more in another way: on complete cases, or assuming independent images."""
    return _base(metric) != metric


def _base(metric: str) -> str:
    for suffix in SUFFIXES:
        metric = metric.removesuffix(suffix)
    return metric


def number(value: float | None, metric: str) -> str:
    """Write a figure: ``93.2%``, ``0.968``, ``234``; a figure that cannot be estimated is said to be so."""
    if value is None:
        return NOT_ESTIMABLE
    if metric in COUNTS:
        return count(round(value))
    if metric.endswith(PER_THOUSAND):
        text = f"{value:.1f}" if 0 < value < 10 else f"{value:.0f}"  # noqa: PLR2004 - tenths tell of small numbers
    elif metric in RATIOS:
        text = f"{value:.3f}" if value < 1 else f"{value:.1f}"
    else:
        text = f"{100 * value:.1f}%" if is_percent(metric) else f"{value:.3f}"
    return _minus(text)


def _minus(text: str) -> str:
    """Write the sign as a minus, and none where rounding leaves nothing."""
    nothing = text.startswith("-") and not text.strip("-0.%")
    return text.removeprefix("-") if nothing else text.replace("-", MINUS)


def bare(value: float, metric: str) -> str:
    """Write a figure without its unit, for bounds."""
    return number(value, metric).removesuffix("%")


def bounds(low: float | None, high: float | None, metric: str) -> str | None:
    """Write an interval: ``87.1 to 91.9``; None where there is none."""
    if low is None or high is None:
        return None
    return f"{bare(low, metric)} to {bare(high, metric)}"


def interval(record: Record) -> str | None:
    """Write a figure's interval; None where it has none."""
    return bounds(record.low, record.high, record.metric)


def with_interval(record: Record) -> str:
    """Write a figure with its interval: ``93.2% (95% interval 90.1 to 95.4)``."""
    text = interval(record)
    return number(record.value, record.metric) + (f" ({level(record.level)} interval {text})" if text else "")


def level(value: float) -> str:
    """Write a confidence level: ``95%``."""
    return f"{100 * value:g}%"


def signed(value: float | None, metric: str) -> str:
    """Write a difference with its sign; shares in percentage points: ``+5.4 pp``, ``+0.012``."""
    if value is None:
        return NOT_ESTIMABLE
    text = f"{_visibly(100 * value, 1)} pp" if is_percent(metric) else _visibly(value, 3)
    return text.replace("-", MINUS)


def _visibly(value: float, digits: int) -> str:
    """Write a signed number with as many digits as show on which side of 0 it lies, up to a millionth."""
    while digits < MOST_DIGITS and value and not f"{value:.{digits}f}".strip("-0."):
        digits += 1
    return f"{value:+.{digits}f}"


def signed_bounds(record: ComparisonRecord | ChangeRecord) -> str | None:
    """Write the interval of a difference: ``+1.2 to +9.6``."""
    if record.low is None or record.high is None:
        return None
    low, high = (signed(bound, record.metric).removesuffix(" pp") for bound in (record.low, record.high))
    return f"{low} to {high}"


def p_value(value: float | None) -> str:
    """Write a p value: ``0.031``, ``< 0.001``."""
    if value is None:
        return NONE
    if value < 0.001:  # noqa: PLR2004 - the customary end of the scale
        return "<\N{NO-BREAK SPACE}0.001"
    return f"{value:.3f}"


def count(value: int) -> str:
    """Write a count with thousands apart: ``5,216``."""
    return f"{value:,}"


def counted(value: int, singular: str, plural: str | None = None) -> str:
    """Write a count with its noun: ``1 image``, ``624 images``."""
    return f"{count(value)} {singular if value == 1 else plural or singular + 's'}"


def listed(items: Sequence[str], last: str = "and") -> str:
    """Join as a sentence does: ``a, b and c``."""
    if len(items) < 2:  # noqa: PLR2004 - one item needs no joining
        return "".join(items)
    return f"{', '.join(items[:-1])} {last} {items[-1]}"


def duration(seconds: float) -> str:
    """Write a duration: ``42 s``, ``3 min 20 s``, ``2 h 5 min``."""
    whole = round(seconds)
    if whole < 60:  # noqa: PLR2004 - seconds of a minute
        return f"{seconds:.1f} s" if whole < 10 else f"{whole} s"  # noqa: PLR2004
    minutes, rest = divmod(whole, 60)
    if minutes < 60:  # noqa: PLR2004 - minutes of an hour
        return f"{minutes} min {rest} s"
    return f"{minutes // 60} h {minutes % 60} min"


def memory(size: int | None) -> str:
    """Write a size of memory in GiB or MiB."""
    if size is None:
        return NONE
    return f"{size / 2**30:.1f} GiB" if size >= 2**30 else f"{size / 2**20:.0f} MiB"


def date(iso: str) -> str:
    """Write an ISO time as a date: ``22 November 2026``."""
    moment = datetime.fromisoformat(iso)
    return f"{moment.day} {moment:%B %Y}"


def moment(iso: str) -> str:
    """Write an ISO time as date and time: ``22 November 2026, 14:05 UTC``."""
    at = datetime.fromisoformat(iso).astimezone(UTC)
    return f"{date(at.isoformat())}, {at:%H:%M} UTC"


def threshold(value: float) -> str:
    """Write a threshold: ``0.502``, ``12.000``, ``3e+300``."""
    return _minus(f"{value:.3f}" if abs(value) < LONG else f"{value:.6g}")


def threshold_bounds(record: ThresholdRecord) -> str | None:
    """Write a threshold's own interval: ``0.380 to 0.502``; None where it has none."""
    if record.low is None or record.high is None:
        return None
    return f"{threshold(record.low)} to {threshold(record.high)}"
