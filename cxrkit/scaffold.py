"""The beginning of a plugin: a folder that installs, works and passes its own tests as it stands."""

import keyword
import re
import sys
from dataclasses import dataclass
from pathlib import Path

from cxrkit.config.starter import rendered
from cxrkit.data.folders import creating
from cxrkit.entry_points import Group
from cxrkit.errors import InputError

_DISTRIBUTION = re.compile(r"[A-Za-z0-9]([A-Za-z0-9._-]*[A-Za-z0-9])?", re.ASCII)  # PEP 508
_PREFIX = "cxrkit-"
_TAKEN = {"cxrkit", "cxrkit_plugins", "cxrkit_templates"}


@dataclass(frozen=True)
class Module:
    """A module of the plugin.

    Attributes:
        name: as it is imported.
        template: that it is made from.
        group: of its entry point.
    """

    name: str
    template: str
    group: Group


@dataclass(frozen=True)
class _Beginning:
    """What a kind of plugin begins with.

    Attributes:
        about: its description.
        modules: what follows the module's name → template and group.
        choice: how a ``tasks.toml`` chooses it; nothing where it hears of everything.
    """

    about: str
    modules: dict[str, tuple[str, Group]]
    choice: str = ""


_BEGINNINGS = {
    "model": _Beginning("A classifier", {"": ("model", "cxrkit.train")}, 'model = { use = "NAME", width = 32 }'),
    "imbalance": _Beginning(
        "A way to treat class imbalance",
        {"": ("imbalance", "cxrkit.train")},
        'imbalance = { use = "NAME", most = 3.0 }',
    ),
    "trainer": _Beginning(
        "A training procedure", {"": ("trainer", "cxrkit.train")}, 'trainer = { use = "NAME", learning_rate = 1e-3 }'
    ),
    "dataset": _Beginning(
        "A way to read a data set", {"": ("dataset", "cxrkit")}, '[data]\ndataset = { use = "NAME", test = "test" }'
    ),
    "reporter": _Beginning(
        "A metric reporter",
        {"": ("reporter", "cxrkit")},
        '[evaluation]\nreporters = ["classification", "calibration", "utility", { use = "NAME", near = 0.2 }]',
    ),
    "section": _Beginning(
        "A section of the report", {"": ("section", "cxrkit")}, '[report]\nsections = [{ use = "NAME", within = 0.1 }]'
    ),
    "tracker": _Beginning(
        "A tracker of epochs and runs", {"": ("tracker", "cxrkit.train"), "_runs": ("tracker_runs", "cxrkit")}
    ),
}

KINDS = tuple(_BEGINNINGS)


def begin(kind: str, name: str, folder: Path) -> None:
    """Write a plugin to begin with: pyproject.toml, its modules, README.md and a test of the promises.

    Args:
        kind: what it offers, one of ``KINDS``.
        name: of the distribution; what it offers is called the same, without a leading ``cxrkit-``.
        folder: of the plugin, which must not be there yet.

    Raises:
        InputError: the name is no name of a distribution and of a module, or the folder exists.
        RunError: the folder cannot be written.
    """
    module = module_name(name)
    if folder.exists():
        raise InputError(f"{folder}: exists already, give another folder with --output or remove it")
    component = name.removeprefix(_PREFIX)
    beginning = _BEGINNINGS[kind]
    modules = [Module(module + ending, template, group) for ending, (template, group) in beginning.modules.items()]
    values = {
        "name": name,
        "component": component,
        "description": f"{beginning.about} for cxrkit.",
        "modules": modules,
        "choice": beginning.choice.replace("NAME", component),
    }
    files = {"pyproject.toml": "pyproject.toml", "README.md": "README.md", f"tests/test_{module}.py": "test.py"}
    files |= {f"{one.name}.py": f"{one.template}.py" for one in modules}
    with creating(folder) as begun:
        (begun / "tests").mkdir()
        for path, template in files.items():
            text = rendered(f"plugin/{template}.j2", **values)
            (begun / path).write_text(text, encoding="utf-8", newline="\n")


def module_name(name: str) -> str:
    """Turn the name of a distribution into that of a module.

    Raises:
        InputError: it is no name of a distribution, or none that can be imported.
    """
    if not _DISTRIBUTION.fullmatch(name):
        allowed = "allowed are ASCII letters, digits, and -, _ and . between them"
        raise InputError(f'plugins new: "{name}" is no name of a distribution, {allowed}, e.g. cxrkit-mine')
    module = re.sub(r"[-_.]+", "_", name).lower()
    if not module.isidentifier() or keyword.iskeyword(module):
        raise InputError(
            f'plugins new: "{name}" gives the module "{module}", which Python cannot import; try cxrkit-{name}'
        )
    if module in _TAKEN or module in sys.stdlib_module_names:
        raise InputError(
            f'plugins new: "{name}" gives the module "{module}", which is there already; try cxrkit-{name}'
        )
    return module
