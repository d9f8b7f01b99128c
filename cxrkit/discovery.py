"""Load and register plugins, one entry point at a time: what is wrong with one never harms another."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from importlib.metadata import EntryPoint
from typing import Any, NamedTuple

from pluggy import PluginManager, PluginValidationError

from cxrkit import guard, hookspecs, options
from cxrkit.entry_points import Group, Source, found
from cxrkit.errors import CxrkitError, RunError, nearest
from cxrkit.guard import MisbehaviourError
from cxrkit.registry import Registered, Registry, summary

GROUPS: tuple[Group, ...] = ("cxrkit.train", "cxrkit")


class Offer(NamedTuple):
    """A hook that offers components: of which kind, and the arguments that their factories take by position."""

    group: Group
    kind: str
    arguments: tuple[str, ...]


OFFERS: dict[str, Offer] = {
    "cxrkit_register_models": Offer("cxrkit.train", "model", ("num_classes",)),
    "cxrkit_register_imbalance_strategies": Offer("cxrkit.train", "imbalance strategy", ("labels", "num_classes")),
    "cxrkit_register_trainers": Offer("cxrkit.train", "trainer", ("context",)),
    "cxrkit_register_datasets": Offer("cxrkit", "dataset", ("root",)),
    "cxrkit_register_metric_reporters": Offer("cxrkit", "metric reporter", ("predictions", "settings")),
    "cxrkit_register_report_sections": Offer("cxrkit", "report section", ("study",)),
}
EVENTS: dict[str, Group] = {"cxrkit_epoch_finished": "cxrkit.train", "cxrkit_run_finished": "cxrkit"}
HOOKS: dict[str, Group] = {**{hook: offer.group for hook, offer in OFFERS.items()}, **EVENTS}


@dataclass(frozen=True)
class Broken:
    """A plugin, or one component of it, that cannot be used, and why."""

    distribution: str
    version: str
    entry_point: str
    group: Group
    reason: str

    def __str__(self) -> str:
        return f'plugin "{self.entry_point}" of {self.distribution} {self.version}'


def _manager() -> PluginManager:
    manager = PluginManager("cxrkit")
    manager.add_hookspecs(hookspecs)
    return manager


@dataclass
class Plugins:
    """The plugins of a group: what they offer, and which of them cannot be used.

    Attributes:
        models, imbalance_strategies, trainers, datasets, metric_reporters, report_sections: components by name.
        sources: the plugins in use.
        broken: what was left out.
        given_up: plugins whose answer to an event was waited for in vain.
    """

    models: Registry = field(default_factory=lambda: Registry("model"))
    imbalance_strategies: Registry = field(default_factory=lambda: Registry("imbalance strategy"))
    trainers: Registry = field(default_factory=lambda: Registry("trainer"))
    datasets: Registry = field(default_factory=lambda: Registry("dataset"))
    metric_reporters: Registry = field(default_factory=lambda: Registry("metric reporter"))
    report_sections: Registry = field(default_factory=lambda: Registry("report section"))
    sources: tuple[Source, ...] = ()
    broken: tuple[Broken, ...] = ()
    manager: PluginManager = field(default_factory=_manager)
    given_up: set[Source] = field(default_factory=set)

    @property
    def notices(self) -> tuple[str, ...]:
        """One sentence for each plugin or component that was left out, for the user to see."""
        return tuple(f"{broken} was skipped: {broken.reason}" for broken in self.broken)

    @property
    def registries(self) -> tuple[Registry, ...]:
        """All registries."""
        return (
            self.models,
            self.imbalance_strategies,
            self.trainers,
            self.datasets,
            self.metric_reporters,
            self.report_sections,
        )

    def summary(self, source: Source) -> str:
        """Take the first line of a loaded plugin's own docstring, or nothing."""
        return summary(self.manager.get_plugin(_key(source)))

    @property
    def listeners(self) -> tuple[str, ...]:
        """Entry points of the plugins that listen to events."""
        heard = [one for one in self.sources if any(self.implements(one, hook) for hook in EVENTS)]
        return tuple(one.entry_point for one in heard)

    def implements(self, source: Source, hook_name: str) -> bool:
        """Tell whether a loaded plugin has a hook."""
        return _implements(self.manager, source, hook_name)

    def call(self, source: Source, hook_name: str, **arguments: Any) -> Any:
        """Call one plugin's implementation of a hook alone; None where it has none."""
        return _call(self.manager, source, hook_name, arguments)

    def tell(self, hook_name: str, **arguments: Any) -> list[str]:
        """Call an event hook plugin by plugin; one that fails keeps nothing from the others.

        Args:
            hook_name: ``cxrkit_epoch_finished`` or ``cxrkit_run_finished``.
            arguments: what the hook's specification names.

        Returns:
            A sentence for each plugin that failed, naming it, its distribution and the hook. One that was not done in
            time is not told anything again.
        """
        failures = []
        for source in self.sources:
            if source in self.given_up or not self.implements(source, hook_name):
                continue
            who = f"{source}: {hook_name}"
            try:
                guard.call(who, _call, self.manager, source, hook_name, arguments)
            except CxrkitError as error:
                failures.append(str(error) if isinstance(error, MisbehaviourError) else f"{who} failed ({error})")
                if isinstance(error, MisbehaviourError) and error.timed_out:
                    self.given_up.add(source)
        return failures


def load(
    group: Group, *, strict: bool = False, only: Source | None = None, seconds: float = guard.LOAD_SECONDS
) -> Plugins:
    """Load the plugins of an entry-point group. Group ``cxrkit.train`` imports torch.

    Args:
        group: ``cxrkit.train`` (models, imbalance strategies, trainers, epoch events) or ``cxrkit`` (all else).
        strict: whether a plugin that cannot be used is an error.
        only: load this plugin alone.
        seconds: in which each plugin must be imported, and in which each of its hooks must say what it offers.

    Returns:
        What can be used; what cannot is in ``broken`` and told by ``notices``.

    Raises:
        RunError: ``strict``, and a plugin cannot be used.
    """
    plugins = Plugins()
    sources: list[Source] = []
    broken: list[Broken] = []
    for source, entry_point in found(group):
        if only not in (None, source):
            continue
        try:
            components, unusable = _loaded(plugins.manager, source, entry_point, seconds)
        except _UnusableError as unfit:
            broken.append(_broken(source, str(unfit)))
            continue
        sources.append(source)
        broken.extend(_broken(source, reason) for reason in unusable)
        for component in components:
            _registry(plugins, component.kind).add(component)
    plugins.sources, plugins.broken = tuple(sources), tuple(broken)
    for registry in plugins.registries:
        registry.blame(dict.fromkeys(str(left_out) for left_out in broken))
    if strict and broken:
        raise RunError("\n".join(f"{left_out}: {left_out.reason}" for left_out in broken))
    return plugins


def installed(group: Group) -> list[Source]:
    """List the plugins of a group from the metadata of what is installed, loading none."""
    return [source for source, _ in found(group)]


class _UnusableError(Exception):
    """Why a plugin cannot be used."""


def _broken(source: Source, reason: str) -> Broken:
    return Broken(source.distribution, source.version, source.entry_point, source.group, reason)


def _registry(plugins: Plugins, kind: str) -> Registry:
    return next(registry for registry in plugins.registries if registry.kind == kind)


def _loaded(
    manager: PluginManager, source: Source, entry_point: EntryPoint, seconds: float
) -> tuple[list[Registered], list[str]]:
    """Load, register and ask one plugin; if it cannot be used, nothing of it stays behind."""
    try:
        plugin = _guarded(str(source), entry_point.load, seconds)
        _guarded(str(source), lambda: manager.register(plugin, name=_key(source)), seconds)  # it looks at all of it
        _check_hooks(manager, plugin, source.group)
        return _components(manager, source, seconds)
    except Exception as error:
        if manager.get_plugin(_key(source)) is not None:
            manager.unregister(name=_key(source))
        raise _UnusableError(_reason(error)) from error


def _guarded(who: str, function: Callable[[], Any], seconds: float) -> Any:
    """Call a plugin and say what it did wrong without its name, which is told anyway."""
    try:
        return guard.call(who, function, seconds=seconds)
    except MisbehaviourError as error:
        raised = error.__cause__
        raise _UnusableError(error.what if raised is None else _reason(raised)) from error


def _key(source: Source) -> str:
    return f"{source.distribution}:{source.entry_point}"


def _reason(error: BaseException) -> str:
    if isinstance(error, _UnusableError):
        return str(error)
    return guard.in_short(error)


def _check_hooks(manager: PluginManager, plugin: Any, group: Group) -> None:
    callers = manager.get_hookcallers(plugin) or []
    try:
        manager.check_pending()
    except PluginValidationError:
        unknown = next(caller.name for caller in callers if not caller.has_spec())
        raise _UnusableError(f"unknown hook {unknown}, {nearest(unknown, HOOKS)}") from None
    if not callers:
        raise _UnusableError("implements no hook, mark its functions with @cxrkit.hookimpl")
    for caller in callers:
        if HOOKS.get(caller.name, group) != group:
            raise _UnusableError(f'{caller.name} belongs in the entry-point group "{HOOKS[caller.name]}"')


def _components(manager: PluginManager, source: Source, seconds: float) -> tuple[list[Registered], list[str]]:
    components, unusable = [], []
    for hook_name, offer in OFFERS.items():
        for name, factory in _offered(manager, source, hook_name, seconds).items():
            wrong = options.fault(factory, offer.arguments) if isinstance(name, str) and name else "needs a name"
            if wrong:
                unusable.append(f"{offer.kind} {name!r} {wrong}")
            else:
                components.append(_registered(name, factory, offer.kind, source, hook_name))
    return components, unusable


def _offered(manager: PluginManager, source: Source, hook_name: str, seconds: float) -> Mapping[Any, Any]:
    if not _implements(manager, source, hook_name):
        return {}

    def ask() -> Any:
        answer = _call(manager, source, hook_name, {})
        return dict(answer) if isinstance(answer, Mapping) else answer  # a copy, as the plugin may change its own

    answer = _guarded(f"{source}: {hook_name}", ask, seconds)
    if not isinstance(answer, dict):
        raise _UnusableError(f"{hook_name} returned {type(answer).__name__}, must be a mapping of name to function")
    return answer


def _registered(name: str, factory: Any, kind: str, source: Source, hook_name: str) -> Registered:
    return Registered(
        name=name,
        kind=kind,
        factory=factory,
        distribution=source.distribution,
        version=source.version,
        summary=summary(factory),
        entry_point=source.entry_point,
        hook=hook_name,
    )


def _implements(manager: PluginManager, source: Source, hook_name: str) -> bool:
    callers = manager.get_hookcallers(manager.get_plugin(_key(source))) or []
    return hook_name in {caller.name for caller in callers}


def _call(manager: PluginManager, source: Source, hook_name: str, arguments: Mapping[str, Any]) -> Any:
    """Call one plugin's implementation of a hook alone; None where it has none."""
    plugin = manager.get_plugin(_key(source))
    others = [other for other in manager.get_plugins() if other is not plugin]
    answers = manager.subset_hook_caller(hook_name, others)(**arguments)
    return answers[0] if answers else None
