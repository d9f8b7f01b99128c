"""Components by name: models, imbalance strategies, trainers, data sets, metric reporters, report sections."""

import inspect
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from functools import partial
from typing import Any

from cxrkit.errors import InputError, nearest
from cxrkit.options import describe, underlying


@dataclass(frozen=True)
class Registered:
    """A component and where it came from.

    Attributes:
        name: by which a ``tasks.toml`` chooses it.
        kind: what it is, e.g. ``imbalance strategy``.
        factory: what its hook documents.
        distribution: the installed distribution that offers it.
        version: of the distribution.
        summary: first line of the factory's docstring, or nothing.
        entry_point: name of the entry point within the distribution.
        hook: that offered it.
    """

    name: str
    kind: str
    factory: Callable[..., Any]
    distribution: str
    version: str
    summary: str
    entry_point: str = ""
    hook: str = ""

    @property
    def origin(self) -> str:
        """Name it for messages, with all that helps to find whose fault something is."""
        of = f'plugin "{self.entry_point}" of {self.distribution} {self.version}'
        return f'{self.kind} "{self.name}" ({", ".join(filter(None, (of, self.hook)))})'


def summary(documented: Any) -> str:
    """Take the first line of an object's own docstring as plain text; a class does not answer with its base's."""
    text = documented.__dict__.get("__doc__") if isinstance(documented, partial) else None
    text = text or underlying(documented).__doc__
    return inspect.cleandoc(text).partition("\n")[0].replace("``", "") if text else ""


def families(components: Iterable[Registered]) -> list[list[Registered]]:
    """Put together what differs by name alone, such as torchvision's classifiers."""
    found: dict[tuple[str, ...], list[Registered]] = {}
    for one in components:
        alike = (one.distribution, one.version, one.kind, one.summary.replace(one.name, "…"))
        found.setdefault((*alike, str(describe(one.factory))), []).append(one)
    return list(found.values())


class Registry:
    """The components of one kind. Several may carry one name; that is an error only where the name is used."""

    def __init__(self, kind: str) -> None:
        """Begin empty; ``kind`` is what messages call a component."""
        self.kind = kind
        self._found: dict[str, list[Registered]] = {}
        self._broken: list[str] = []

    def add(self, component: Registered) -> None:
        """Take in a component."""
        self._found.setdefault(component.name, []).append(component)

    def blame(self, broken: Iterable[str]) -> None:
        """Remember plugins that did not load, to be mentioned where a name is missing."""
        self._broken.extend(broken)

    def names(self) -> list[str]:
        """List the names that can be chosen, sorted."""
        return sorted(self._found)

    def __iter__(self) -> Iterator[Registered]:
        return (component for name in self.names() for component in self._found[name])

    def get(self, name: str, where: str) -> Registered:
        """Return the component of a name.

        Args:
            name: as it was written.
            where: where it was written, for messages: ``tasks.toml: task "a": model``.

        Raises:
            InputError: nothing carries the name, or more than one distribution's component does.
        """
        found = self._found.get(name, [])
        if not found:
            raise InputError(f'{where}: no {self.kind} "{name}", {nearest(name, self.names())}{self._suspects()}')
        if len(found) > 1:
            origins = " and ".join(f'{c.distribution} {c.version} (plugin "{c.entry_point}")' for c in found)
            raise InputError(f'{where}: the {self.kind} "{name}" is offered by {origins}, uninstall all but one')
        return found[0]

    def _suspects(self) -> str:
        return f"; not loaded: {', '.join(self._broken)} (cxrkit plugins list says why)" if self._broken else ""
