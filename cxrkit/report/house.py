"""What a report has of its author's own: templates, a logo, sections of plugins."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from cxrkit import discovery, options
from cxrkit.config.base import Use
from cxrkit.config.paths import located_option
from cxrkit.config.schema import ReportTable
from cxrkit.discovery import Plugins
from cxrkit.errors import InputError
from cxrkit.pictures import MOST_BYTES, UnusablePictureError, media_type
from cxrkit.records import RunInfo
from cxrkit.report.chapters.added import ChosenSection
from cxrkit.report.content import Logo
from cxrkit.report.formats import templates as own_templates
from cxrkit.rundir import RunDirectory

WITHOUT = "the report is written without it"


@dataclass(frozen=True)
class House:
    """What is the author's own; all of it has been checked.

    Attributes:
        templates: a folder, or None.
        logo: or None.
        sections: report sections with their options.
    """

    templates: Path | None = None
    logo: Logo | None = None
    sections: tuple[ChosenSection, ...] = ()


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
        self.folder = (run.root / (info.folder or ".")).resolve()

    def usable(self, key: str, warn: Callable[[str], None]) -> Path | None:
        """Find the folder of templates or the logo, or say why it cannot be used."""
        if not self.keys.get(key):
            return None
        path = self.folder / str(self.keys[key])
        one = {key: path}
        try:
            check(one.get("templates"), one.get("logo"), lambda name: f"{self.file}: report.{name}")
        except InputError as error:
            warn(f"{error.problems[0]}; {WITHOUT}, --{key} gives another")
            return None
        return path


def _recorded_sections(runs: Sequence[RunDirectory], warn: Callable[[str], None]) -> Iterator[ChosenSection]:
    """Find the report sections that the runs name, each of them once; one that is not installed now is left out."""
    wanted: dict[str, tuple[str, Use, Path]] = {}
    for table in map(_Recorded, runs):
        for place, component in enumerate(table.keys.get("sections") or ()):
            wanted.setdefault(str(component), (f"{table.file}: report.sections[{place}]", component, table.folder))
    if not wanted:
        return
    right = discovery.load("cxrkit")
    for notice in right.notices:
        warn(notice)
    for where, component, folder in wanted.values():
        try:
            yield _chosen(component, folder, right, where)
        except (InputError, ValidationError) as error:
            warn(f"{str(error).splitlines()[0]}; {WITHOUT}")


def _chosen(component: Any, folder: Path, right: Plugins, where: str) -> ChosenSection:
    """Find a section's plugin and turn its options into what its annotations say, such as a text into a path."""
    use = Use.model_validate(component)
    registered = right.report_sections.get(use.use, where)
    located = {key: located_option(value, folder) for key, value in use.options.items()}
    return registered, options.check(registered.factory, located, where)


def _path(text: str | None) -> Path | None:
    return None if text is None else Path(text)


def _logo(path: Path, where: str) -> Logo:
    try:
        with path.open("rb") as file:
            content = file.read(MOST_BYTES + 1)
        return Logo(content, media_type(content))
    except OSError as error:
        raise InputError(f"{where}: {path} cannot be read ({error.strerror}), a file is needed there") from error
    except UnusablePictureError as unusable:
        raise InputError(f"{where}: {path} {unusable}") from unusable
