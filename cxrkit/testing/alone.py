"""The promises of one function, for the tests of a plugin that is not installed, or of options of one's own."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

from cxrkit.registry import summary
from cxrkit.testing.check import BrokenPromiseError, Check
from cxrkit.testing.kinds import of_component


def check_model(build: Callable[..., Any], **options: Any) -> None:
    """Hold a model's builder to the promises of ``cxrkit_register_models``.

    Args:
        build: ``build(num_classes, *, …options) -> torch.nn.Module``.
        options: that it is called with; ``weights`` is ``none`` where it is not given.

    Raises:
        BrokenPromiseError: it keeps one of them not; names each with what was found.
        InputError: an option is missing, unknown or wrong.
    """
    _hold("model", build, options)


def check_imbalance_strategy(plan: Callable[..., Any], **options: Any) -> None:
    """Hold a strategy to the promises of ``cxrkit_register_imbalance_strategies``; see :func:`check_model`."""
    _hold("imbalance strategy", plan, options)


def check_trainer(fit: Callable[..., Any], **options: Any) -> None:
    """Hold a trainer to the promises of ``cxrkit_register_trainers``; see :func:`check_model`.

    It trains a tiny network for two epochs, some times over.
    """
    _hold("trainer", fit, options)


def check_dataset(index: Callable[..., Any], data: Path | None = None, **options: Any) -> None:
    """Hold a data set to the promises of ``cxrkit_register_datasets``; see :func:`check_model`.

    Args:
        index: ``index(root, *, …options) -> Iterable[ManifestRow]``.
        data: a folder or file that it reads; by default it is given a phantom.
        options: that it is called with.
    """
    _hold("dataset", index, options, data)


def check_metric_reporter(report: Callable[..., Any], **options: Any) -> None:
    """Hold a reporter to the promises of ``cxrkit_register_metric_reporters``; see :func:`check_model`."""
    _hold("metric reporter", report, options)


def check_report_section(make: Callable[..., Any], **options: Any) -> None:
    """Hold a maker to the promises of ``cxrkit_register_report_sections``; see :func:`check_model`."""
    _hold("report section", make, options)


def _hold(kind: str, factory: Callable[..., Any], given: dict[str, Any], data: Path | None = None) -> None:
    name = getattr(factory, "__name__", summary(factory) or kind)
    promises = of_component(kind, factory, given, data, name)
    checks = [Check("", "", "", kind, name, promise.text, promise.look) for promise in promises]
    outcomes = [(check, check.outcome()) for check in checks]
    broken = [f"{check}: {outcome.found}" for check, outcome in outcomes if outcome.state == "broken"]
    if broken:
        raise BrokenPromiseError("\n".join(broken))
