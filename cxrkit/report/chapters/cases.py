"""The cases that are looked at one by one: image, what each model saw and said, patient and subgroup."""

import warnings
from collections.abc import Collection, Iterator, Mapping
from io import BytesIO
from pathlib import Path

from cxrkit import bounded
from cxrkit.config.schema import ExplainTable
from cxrkit.evaluation import cases as evaluation_cases
from cxrkit.evaluation.table import records
from cxrkit.report import wording
from cxrkit.report.chapters.judging import Judged, Opinion
from cxrkit.report.content import Case, View
from cxrkit.report.results import TEST, Results, Source, TaskResult
from cxrkit.rundir import RunDirectory

OWN_COLUMNS = frozenset({"image", "split", "label", "patient", "sha256", "width", "height", "excluded", "mask"})
MOST_BYTES, LONGEST_SIDE = 20 * bounded.MEGABYTE, 4096  # of a picture in a run directory, which are far smaller
SHOWN_SIDE = 320  # pixels of a picture's longer side, twice of what it takes on the screen


def chosen(results: Results, set_name: str = TEST) -> tuple[list[str], list[str]]:
    """Ask the evaluation which images are shown, and by which rule; each run with pictures has its own."""
    images: list[str] = []
    rules: list[str] = []
    default = ExplainTable()
    for source in filter(_has_pictures, results.sources):
        table = source.info.configuration.get("explain") or {}
        most, correct = table.get("most", default.most), table.get("correct", default.correct)
        found = evaluation_cases.choose(source.run, set_name=set_name, most=most, correct=correct)
        images += map(source.names.image, found.images)
        rules.append(found.rule)
    return list(dict.fromkeys(images)), list(dict.fromkeys(rules))


def _has_pictures(source: Source) -> bool:
    maps = (source.run.task(task).cam / "index.json" for task in source.info.tasks)
    return source.run.images.is_dir() or any(path.is_file() for path in maps)


class Pictures:
    """The thumbnails, overlays and manifest columns of the runs' images."""

    def __init__(self, results: Results, images: Collection[str], set_name: str = TEST) -> None:
        """Read the manifests' rows of these images; pictures are read when they are asked for."""
        wanted = frozenset(images)
        self._rows: dict[str, tuple[RunDirectory, Mapping[str, str]]] = {}
        for source in results.sources:
            for row in _manifest(source, set_name):
                name = source.names.image(row["image"])
                if name in wanted:
                    self._rows.setdefault(name, (source.run, source.names.row(row)))

    def case(self, one: Judged, positive: str) -> Case:
        """Put together what is shown of an image."""
        run, row = self._rows.get(one.image, (None, {}))
        picture = run.thumbnail(row.get("sha256", "")) if run is not None else None
        return Case(
            image=one.image,
            patient=one.patient,
            truth=one.truth,
            subgroups=tuple((name, value) for name, value in row.items() if name not in OWN_COLUMNS and value),
            outcome=one.outcome,
            verdict=verdict(one, positive),
            views=tuple(_view(opinion, one.image) for opinion in one.opinions),
            certainty=one.certainty,
            picture=jpeg(picture) if picture is not None and picture.is_file() else None,
        )


def verdict(one: Judged, positive: str) -> str:
    """Say who was wrong: ``Missed by both models``, ``False alarm of scratch; no result of transfer``."""
    everyone = "both models" if len(one.opinions) == 2 else f"all {len(one.opinions)} models"  # noqa: PLR2004 - a pair
    mistaken: dict[str, list[str]] = {}
    for opinion in one.opinions:
        if opinion.wrong:
            mistaken.setdefault(_mistake(opinion, one.truth, positive), []).append(opinion.task.name)
    if not mistaken:
        return "Called rightly" + (f" by {everyone}" if len(one.opinions) > 1 else "")
    parts = [
        f"{what} {everyone if len(names) == len(one.opinions) > 1 else wording.listed(names)}"
        for what, names in mistaken.items()
    ]
    return wording.capitalised("; ".join(parts))


def _mistake(opinion: Opinion, truth: str, positive: str) -> str:
    if opinion.called is None:
        return "no result of"
    if truth == positive:
        return "missed by"
    return "false alarm of" if opinion.called == positive else "taken for another class by"


def _view(opinion: Opinion, image: str) -> View:
    return View(
        task=opinion.task.name,
        model=opinion.task.number,
        figure=figure(opinion),
        call=opinion.called or "no result",
        wrong=opinion.wrong,
        overlay=_overlay(opinion.task, image),
    )


def figure(opinion: Opinion) -> str | None:
    """Write what a model says of an image: ``p 0.831``, ``score 12.4``; None of a bare decision."""
    if opinion.called is None or opinion.task.info.scale == "decision":
        return None
    return f"{'score' if opinion.task.info.scale == 'score' else 'p'} {opinion.probability:.3f}"


def _overlay(task: TaskResult, image: str) -> bytes | None:
    entry = next((entry for entry in task.cam.entries if entry.image == image), None) if task.cam else None
    path = task.directory.overlay(entry.overlay) if entry else None
    return jpeg(path) if path is not None and path.is_file() else None


def _manifest(source: Source, set_name: str) -> Iterator[dict[str, str]]:
    if source.run.manifest.is_file():
        for row in records(source.run.manifest):
            if "image" in row and row.get("split") == set_name and not row.get("excluded"):
                yield row


def jpeg(path: Path) -> bytes | None:
    """Read a picture as a JPEG no larger than shown, as it is where it is one; None of a damaged file."""
    from PIL import Image

    try:
        with bounded.opened(path) as file:
            content = file.read(MOST_BYTES)
        with warnings.catch_warnings(), Image.open(BytesIO(content), formats=("JPEG", "PNG")) as image:
            warnings.simplefilter("error")
            if max(image.size) > LONGEST_SIDE:
                return None
            if image.format == "JPEG" and max(image.size) <= SHOWN_SIDE:
                image.load()
                return content
            small = image.convert("L" if image.mode in {"1", "L", "LA", "I;16"} else "RGB")
            small.thumbnail((SHOWN_SIDE, SHOWN_SIDE))
    except Exception:  # noqa: BLE001 - damaged since it was written, or a stranger's: its case is told without it
        return None
    buffer = BytesIO()
    small.save(buffer, "JPEG", quality=85)
    return buffer.getvalue()
