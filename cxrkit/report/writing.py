"""Writes the reports of finished runs into a folder."""

from collections.abc import Sequence
from pathlib import Path

from cxrkit.formats import FORMATS, Format
from cxrkit.report import filing
from cxrkit.report.chapters import added
from cxrkit.report.compose import compose
from cxrkit.report.content import Report
from cxrkit.report.formats import as_data, html, latex, model_cards, pdf, spreadsheets, text
from cxrkit.report.house import PLAIN, House
from cxrkit.report.reading import read
from cxrkit.report.results import Results
from cxrkit.rundir import RunDirectory


def write(
    runs: Sequence[RunDirectory], output: Path, formats: Sequence[Format], *, strict_pdf: bool, house: House = PLAIN
) -> tuple[list[Path], list[str]]:
    """Write the report of one or more finished runs.

    Args:
        runs: evaluated run directories; several stand side by side in one report.
        output: folder that the files go to.
        formats: see :mod:`cxrkit.formats`.
        strict_pdf: a PDF that cannot be made is an error, not a warning.
        house: what the report has of its author's own.

    Returns:
        What was written, HTML first: files, of several of one kind (model cards, tables) their folder. And one sentence
        for each file or plugin's section that could not be made, and for each file of an earlier report that stays.

    Raises:
        InputError: a run is not finished or not of its form, or a template of the author's fails; nothing is written.
        RunError: a file cannot be written; with ``strict_pdf`` also where the libraries for PDF are missing.
    """
    results = read(runs, house.names)
    of_plugins, warnings = added.of_plugins(results, house.sections)
    report = compose(results, logo=house.logo, of_plugins=of_plugins)
    made: dict[Format, filing.Files] = {}  # all of them before any is written, as a template may fail in one alone
    for name in [name for name in FORMATS if name in formats]:
        try:
            made[name] = _made(name, results, report, house)
        except pdf.UnprintableError as error:
            if strict_pdf:
                raise
            warnings.append(str(error))
    written, stayed = filing.put(output, made)
    return written, [*warnings, *stayed]


def _made(name: Format, results: Results, report: Report, house: House) -> filing.Files:
    if name == "pdf":
        return {filing.NAMES[name]: pdf.render(report, house.templates)}
    return {path: content.encode() for path, content in _texts(name, results, report, house).items()}


def _texts(name: Format, results: Results, report: Report, house: House) -> dict[str, str]:
    """Write a format whose files are text: path within the folder → text."""
    match name:
        case "md":
            files = model_cards.render(results, report)
        case "latex":
            files = latex.render(report)
        case "csv":
            files = spreadsheets.render(report)
        case "json":
            return {filing.NAMES[name]: as_data.render(results, report)}
        case "txt":
            return {filing.NAMES[name]: text.render(report)}
        case _:
            return {filing.NAMES[name]: html.render(report, templates=house.templates)}
    return {f"{filing.FOLDERS[name]}/{file}": content for file, content in files.items()}
