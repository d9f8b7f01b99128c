"""The promises of each kind of component."""

from collections.abc import Callable, Mapping
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

from cxrkit import options
from cxrkit.discovery import EVENTS, OFFERS
from cxrkit.testing import signatures
from cxrkit.testing.check import UncheckedError, sentence

Look = Callable[[], None]
_ARGUMENTS = {offer.kind: offer.arguments for offer in OFFERS.values()}


class Promise(NamedTuple):
    """A promise and how to look whether it is kept."""

    text: str
    look: Look


def of_component(
    kind: str, factory: Callable[..., Any], given: Mapping[str, Any], data: Path | None, where: str
) -> list[Promise]:
    """List the promises of a component; those that it must be called for are unchecked where an option is missing.

    Args:
        kind: as its hook has it, e.g. ``metric reporter``.
        factory: the plugin's function.
        given: options that it is called with.
        data: what a data set reads; by default a phantom.
        where: for messages of wrong options.

    Raises:
        InputError: an option is unknown or wrong.
    """
    signature = signatures.Signature(factory, _ARGUMENTS[kind])
    if options.fault(factory, signature.arguments):
        return _promises(signature, (signatures.is_called_as_documented, signatures.says_what_it_is))
    found = _promises(signature, signatures.PROMISES)
    described = {option.name: option for option in options.describe(factory)}
    if kind == "model" and isinstance(getattr(described.get("weights"), "default", None), str):
        given = {"weights": "none", **given}  # as where saved weights are loaded afterwards: nothing is fetched
    missing = [name for name, option in described.items() if option.required and name not in given]
    if missing:
        unchecked = partial(_unchecked, f"needs the option {' and '.join(missing)}")
        return found + [Promise(sentence(look), unchecked) for look in _called(kind)[1]]
    make, looks = _called(kind)
    checked = options.check(factory, given, where)
    subject = make(factory, checked) if kind != "dataset" else make(factory, checked, data)
    return found + _promises(subject, looks)


def of_event(hook: str, hear: Callable[..., Any]) -> list[Promise]:
    """List the promises of a listener to an event; ``hear`` calls the plugin's hook alone."""
    from cxrkit.testing import run_events

    if EVENTS[hook] == "cxrkit":
        return _promises(run_events.Listener(hear), run_events.PROMISES)
    from cxrkit.testing import epoch_events

    return _promises(run_events.Listener(hear), epoch_events.PROMISES)


def _promises(subject: Any, looks: tuple[Callable[[Any], None], ...]) -> list[Promise]:
    return [Promise(sentence(look), partial(look, subject)) for look in looks]


def _unchecked(reason: str) -> None:
    raise UncheckedError(reason)


def _called(kind: str) -> tuple[Callable[..., Any], tuple[Callable[[Any], None], ...]]:
    """Find what a component of a kind is examined as, and its promises; those of the left half import torch."""
    match kind:
        case "model":
            from cxrkit.testing import models

            return models.Model, models.PROMISES
        case "imbalance strategy":
            from cxrkit.testing import strategies

            return strategies.Strategy, strategies.PROMISES
        case "trainer":
            from cxrkit.testing import trainers

            return trainers.Trainer, trainers.PROMISES
        case "dataset":
            from cxrkit.testing import datasets

            return datasets.Dataset, datasets.PROMISES
        case "metric reporter":
            from cxrkit.testing import reporters

            return reporters.Reporter, reporters.PROMISES
        case _:
            from cxrkit.testing import report_sections

            return report_sections.Maker, report_sections.PROMISES
