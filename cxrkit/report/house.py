"""What a report has of its author's own: templates, a logo, sections of plugins."""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from cxrkit import bounded, discovery, options
from cxrkit.config.base import Use
from cxrkit.config.paths import located_option
from cxrkit.config.problems import sentences
from cxrkit.config.schema import ReportTable
from cxrkit.discovery import Plugins
from cxrkit.errors import InputError
from cxrkit.pictures import MOST_BYTES, UnusablePictureError, media_type
from cxrkit.records import RunInfo
from cxrkit.report import pseudonyms
from cxrkit.report.chapters.added import ChosenSection
from cxrkit.report.content import Logo
from cxrkit.report.formats import templates as own_templates
from cxrkit.report.naming import AS_THEY_ARE, Names
from cxrkit.rundir import RunDirectory

NOT_OWN = "lies outside of the run and of the project above it, where a report of the run reads nothing"
WITHOUT = "the report is written without it"


@dataclass(frozen=True)
class House:
    """What is the author's own; all of it has been checked.

    Attributes:
        templates: a folder, or None.
        logo: or None.
        sections: report sections with their options.
        names: what images and patients are called.
    """

    templates: Path | None = None
    logo: Logo | None = None
    sections: tuple[ChosenSection, ...] = ()
    names: Names = AS_THEY_ARE


PLAIN = House()
"""Nothing of the author's own."""


def given(templates: Path | None, logo: Path | None, sections: Sequence[ChosenSection] = ()) -> House:
    """Take what was checked before.

    Raises:
        InputError: the logo is no longer what it was.
    """
    return House(templates, None if logo is None else _logo(logo, "logo"), tuple(sections))


def of_table(table: ReportTable, right: Plugins) -> House:
    """Take what a ``[report]`` with absolute paths names, after its check.

    Raises:
        InputError: the logo is no longer what it was.
    """
    sections = [_chosen(use, Path(), right, "report.sections") for use in table.sections]
    return given(_path(table.templates), _path(table.logo), sections)


def check(templates: Path | None, logo: Path | None, where: Callable[[str], str]) -> None:
    """Check a folder of templates and a logo before any work.

    Args:
        templates: a folder, or None.
        logo: a file, or None.
        where: says where ``templates`` and ``logo`` were written.

    Raises:
        InputError: they cannot be used; all problems at once.
    """
    problems = [] if templates is None else own_templates.problems(templates, where("templates"))
    if logo is not None:
        try:
            _logo(logo, where("logo"))
        except InputError as error:
            problems += error.problems
    if problems:
        raise InputError(*problems)


def check_table(table: ReportTable, where: Callable[[str], str]) -> None:
    """Check what a ``[report]`` with absolute paths names, see :func:`check`."""
    check(_path(table.templates), _path(table.logo), where)
    if table.pseudonym_key is not None:
        pseudonyms.read_key(Path(table.pseudonym_key), f"{where('pseudonym_key')}: {table.pseudonym_key}")


def of_runs(
    runs: Sequence[RunDirectory], templates: Path | None, logo: Path | None, warn: Callable[[str], None]
) -> House:
    """Take what the command line gives, else what was used when the runs were made, as far as it is still there.

    Args:
        runs: run directories.
        templates: a folder in place of the runs' own, already checked.
        logo: a file in place of the runs' own, already checked.
        warn: hears in a sentence of what cannot be used.
    """
    for run in runs:
        table = _Recorded(run)
        templates = templates or table.usable("templates", warn)
        logo = logo or table.usable("logo", warn)
    return given(templates, logo, list(_recorded_sections(runs, warn)))


class _Recorded:
    """``[report]`` of a finished run, with its paths seen from where they were written."""

    def __init__(self, run: RunDirectory) -> None:
        info = RunInfo.read(run.info)
        self.file = run.info
        self.keys: Mapping[str, Any] = info.configuration.get("report") or {}
        self.run = run.root.resolve()
        self.folder = (run.root / (info.folder or ".")).resolve()

    def owns(self, path: Path) -> bool:
        """Tell whether a path belongs to the run: it lies in its directory, or in the project's folder above it.

        A run directory may come from anyone, and must not make a report show what else lies on this machine.
        """
        above = self.run.is_relative_to(self.folder) and any(self.folder.glob("*.toml"))
        return any(path.resolve().is_relative_to(home) for home in (self.run, *[self.folder] * above))

    def usable(self, key: str, warn: Callable[[str], None]) -> Path | None:
        """Find the folder of templates or the logo, or say why it cannot be used."""
        if not self.keys.get(key):
            return None
        path = self.folder / str(self.keys[key])
        one = {key: path}
        if path.exists() and not self.owns(path):
            warn(f"{self.file}: report.{key}: {path} {NOT_OWN}; {WITHOUT}, --{key} gives another")
            return None
        try:
            check(one.get("templates"), one.get("logo"), lambda name: f"{self.file}: report.{name}")
        except InputError as error:
            warn(f"{error.problems[0]}; {WITHOUT}, --{key} gives another")
            return None
        return path


def _recorded_sections(runs: Sequence[RunDirectory], warn: Callable[[str], None]) -> Iterator[ChosenSection]:
    """Find the report sections that the runs name, each of them once; one that is not installed now is left out."""
    wanted: dict[str, tuple[str, Use, _Recorded]] = {}
    for table in map(_Recorded, runs):
        for place, component in enumerate(table.keys.get("sections") or ()):
            wanted.setdefault(str(component), (f"{table.file}: report.sections[{place}]", component, table))
    if not wanted:
        return
    right = discovery.load("cxrkit")
    for notice in right.notices:
        warn(notice)
    for where, component, table in wanted.values():
        try:
            chosen = _chosen(component, table.folder, right, where)
            _refuse_foreign(chosen[1].values(), table, where)
            yield chosen
        except InputError as error:
            warn(f"{str(error).splitlines()[0]}; {WITHOUT}")


def _refuse_foreign(values: Iterable[Any], table: _Recorded, where: str) -> None:
    """Refuse options that name a file which is none of the run's."""
    for path in (Path(value) for value in values if isinstance(value, str | Path)):
        if path.is_absolute() and path.exists() and not table.owns(path):
            raise InputError(f"{where}: {path} {NOT_OWN}")


def _chosen(component: Any, folder: Path, right: Plugins, where: str) -> ChosenSection:
    """Find a section's plugin and turn its options into what its annotations say, such as a text into a path."""
    use = _use(component, where)
    registered = right.report_sections.get(use.use, where)
    located = {key: located_option(value, folder) for key, value in use.options.items()}
    return registered, options.check(registered.factory, located, where)


def _use(component: Any, where: str) -> Use:
    try:
        return Use.model_validate(component)
    except ValidationError as error:
        problems = sentences(error.errors(include_url=False), component, Use)
        raise InputError(*(f"{'.'.join(map(str, (where, *path)))}: {what}" for path, what in problems)) from None


def _path(text: str | None) -> Path | None:
    return None if text is None else Path(text)


def _logo(path: Path, where: str) -> Logo:
    try:
        with bounded.opened(path) as file:
            content = file.read(MOST_BYTES + 1)
        return Logo(content, media_type(content))
    except OSError as error:
        raise InputError(f"{where}: {path} cannot be read ({error.strerror}), a file is needed there") from error
    except UnusablePictureError as unusable:
        raise InputError(f"{where}: {path} {unusable}") from unusable
