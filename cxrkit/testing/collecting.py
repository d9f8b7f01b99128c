"""The checks of a plugin, of one component, or of all that is installed."""

from collections.abc import Iterable, Iterator, Mapping
from difflib import get_close_matches
from functools import partial
from pathlib import Path
from types import MappingProxyType
from typing import Any

from packaging.utils import canonicalize_name

from cxrkit import discovery
from cxrkit.discovery import EVENTS, GROUPS, Plugins
from cxrkit.entry_points import Source
from cxrkit.errors import InputError, nearest
from cxrkit.registry import Registered, families
from cxrkit.testing import kinds
from cxrkit.testing.check import Check, need
from cxrkit.testing.imports import imports_no_torch

Options = Mapping[str, Mapping[str, Any]]
"""Component → the options that it is called with."""

LOADED = "Is loaded, with everything that it offers."
DESCRIBED = "A docstring says in its first line what it listens for."
TORCHLESS = "Imports no torch, neither when it is loaded nor when it is used."


def checks(name: str | None, *, options: Options | None = None, data: Path | None = None) -> list[Check]:
    """List the checks of a plugin; loads it, and runs none of them.

    Args:
        name: of an installed distribution, of a component that one offers, or of a plugin's entry point; None for all.
        options: component → the options that it is called with, where it has some that must be given.
        data: what a data set reads; by default it is given a phantom.

    Returns:
        A check for each promise of each component. Of components that differ by name alone, the first is looked at.

    Raises:
        InputError: there is no such distribution or component, or an option is unknown or wrong.
    """
    chosen = options or {}
    sources = _sources(name)
    found = list(_of_sources(sources, chosen, data)) if sources else list(_of_name(str(name), chosen, data))
    strangers = sorted(set(chosen) - {check.component for check in found})
    if strangers:
        offered = sorted({check.component for check in found if check.kind not in {"plugin", "event"}})
        raise InputError(
            *(f'options of "{one}": no such component is checked, {nearest(one, offered)}' for one in strangers)
        )
    return found


def _sources(name: str | None) -> list[Source]:
    every = [source for group in GROUPS for source in discovery.installed(group)]
    if name is None:
        return every
    return [one for one in every if canonicalize_name(one.distribution) == canonicalize_name(name)]


def _of_sources(sources: Iterable[Source], options: Options, data: Path | None) -> Iterator[Check]:
    of_groups = {group: [source for source in sources if source.group == group] for group in GROUPS}
    for group, own in sorted(of_groups.items()):  # first what needs no torch
        plugins = discovery.load(group) if own else Plugins()
        for source in own:
            yield from of_source(plugins, source, options, data)


def of_source(
    plugins: Plugins, source: Source, options: Options = MappingProxyType({}), data: Path | None = None
) -> Iterator[Check]:
    """List the checks of one plugin; see :func:`checks`."""
    broken = [one.reason for one in plugins.broken if _is_of(one, source)]
    yield _check(
        source, "plugin", source.entry_point, kinds.Promise(LOADED, partial(need, not broken, "; ".join(broken)))
    )
    if source not in plugins.sources:
        return
    if source.group == "cxrkit":
        yield _torchless(source)
    components = [one for registry in plugins.registries for one in registry if _is_of(one, source)]
    for family in families(components):
        yield from _of_component(source, family[0], options, data)
    heard = [hook for hook in EVENTS if plugins.implements(source, hook)]
    if heard and not components:
        described = partial(need, plugins.summary(source), "the module has no docstring, which plugins list would show")
        yield _check(source, "plugin", source.entry_point, kinds.Promise(DESCRIBED, described))
    for hook in heard:
        for promise in kinds.of_event(hook, partial(plugins.call, source, hook)):
            yield _check(source, "event", hook, promise)


def _of_name(name: str, options: Options, data: Path | None) -> Iterator[Check]:
    """List the checks of the components of a name; training plugins are loaded only where the others have none."""
    offered: list[str] = []
    for group in sorted(GROUPS):
        plugins = discovery.load(group)
        components = [one for registry in plugins.registries for one in registry]
        found = [one for one in components if one.name == name]
        for component in found:
            source = next(one for one in plugins.sources if _is_of(component, one))
            if group == "cxrkit":
                yield _torchless(source)
            yield from _of_component(source, component, options, data)
        if found:
            return
        offered += [one.name for one in components]
    every = _sources(None)
    named = [source for source in every if source.entry_point == name]
    if not named:
        names = [*offered, *(source.distribution for source in every), *(source.entry_point for source in every)]
        close = get_close_matches(name, names, n=1)
        hint = f'did you mean "{close[0]}"?' if close else "cxrkit plugins list --options shows what is"
        raise InputError(f'no plugin or component "{name}" is installed, {hint}')
    yield from _of_sources(named, options, data)


def _of_component(source: Source, component: Registered, options: Options, data: Path | None) -> Iterator[Check]:
    given = options.get(component.name, {})
    where = f'{component.kind} "{component.name}"'
    for promise in kinds.of_component(component.kind, component.factory, given, data, where):
        yield _check(source, component.kind, component.name, promise)


def _torchless(source: Source) -> Check:
    return _check(source, "plugin", source.entry_point, kinds.Promise(TORCHLESS, partial(imports_no_torch, source)))


def _check(source: Source, kind: str, component: str, promise: kinds.Promise) -> Check:
    return Check(source.distribution, source.version, source.entry_point, kind, component, *promise)


def _is_of(found: Any, source: Source) -> bool:
    """Tell whether something is of a plugin: distribution and name identify it."""
    return (found.distribution, found.entry_point) == (source.distribution, source.entry_point)
