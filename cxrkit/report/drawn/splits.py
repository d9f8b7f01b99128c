"""The classes of each split as a figure: the report shows them as a table."""

from collections.abc import Iterator
from typing import TYPE_CHECKING

from cxrkit.records import DataSummary
from cxrkit.report import wording
from cxrkit.report.chapters.data import split_names
from cxrkit.report.chapters.shown import set_name
from cxrkit.report.content import Plot
from cxrkit.report.drawn.drawing import SQUARE, Drawing, shown
from cxrkit.report.drawn.palette import INK, MUTED
from cxrkit.report.results import Results

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

ROW = 0.17  # inches
BESIDE = 1.42  # times the longest bar, so that its label has room


def plots(results: Results) -> Iterator[Plot]:
    """Draw the classes of each split of each run whose images are told of."""
    told: list[str | None] = []
    for number, source in enumerate(results.sources):
        data = source.info.data
        if data is not None and data.counts and (data.manifest_sha256 is None or data.manifest_sha256 not in told):
            told.append(data.manifest_sha256)
            yield plot(data, results.positive, f"classes-{number}" if number else "classes")


def plot(data: DataSummary, positive: str, name: str = "classes") -> Plot:
    """Draw the classes of each split; ``positive`` is empty where no class is known to be it."""
    parts = [
        f"{set_name(split)}: {', '.join(f'{label} {_label(count, data, split)}' for label, count in counts.items())}"
        for split, counts in _ordered(data)
    ]
    images = sum(sum(counts.values()) for counts in data.counts.values())
    return Plot(
        name,
        drawing(data, positive),
        f"Classes of each split, n = {wording.counted(images, 'image')}.{f' Filled: {positive}.' if positive else ''}",
        "A model sees the shares of the training images; where those of the test images differ, its probabilities may "
        "be off.",
        f"Images by class and split. {'; '.join(parts)}.",
    )


def drawing(data: DataSummary, positive: str) -> Drawing:
    """Draw a bar for each class of each split, with its count and share."""
    lines = sum(len(counts) + 1.4 for _, counts in _ordered(data))
    height = 0.6 + ROW * lines

    def paint(figure: "Figure") -> None:
        axes = figure.subplots()
        places: list[float] = []
        names: list[str] = []
        line = 0.0
        for split, counts in _ordered(data):
            heading = f"{shown(set_name(split))}, n = {wording.count(sum(counts.values()))}"
            axes.annotate(heading, (0, line), (2, 0), textcoords="offset points", va="center", fontweight="bold")
            for label, count in counts.items():
                line += 1
                _bar(axes, line, count, _label(count, data, split), filled=label == positive)
                places.append(line)
                names.append(shown(label, 18))
            line += 1.4
        axes.set_yticks(places, names)
        most = max((count for counts in data.counts.values() for count in counts.values()), default=1)
        axes.set(xlim=(0, BESIDE * max(most, 1)), ylim=(line - 0.6, -0.7), xlabel="Images")
        axes.xaxis.set_major_formatter(lambda value, _: f"{value:,.0f}")
        axes.grid(visible=False, axis="y")
        axes.tick_params(axis="y", length=0, labelcolor=INK[0])

    return Drawing((SQUARE[0], height), paint, lambda _: height)


def _bar(axes: "Axes", place: float, count: int, label: str, *, filled: bool) -> None:
    axes.barh(place, count, 0.74, facecolor=MUTED[0] if filled else "none", edgecolor=MUTED[0], linewidth=0.9)
    axes.annotate(label, (count, place), (3, 0), textcoords="offset points", va="center", fontsize=7)


def _label(count: int, data: DataSummary, split: str) -> str:
    whole = sum(data.counts[split].values())
    share = f" ({wording.number(count / whole, 'prevalence')})" if whole else ""
    return f"{wording.count(count)}{share}"


def _ordered(data: DataSummary) -> list[tuple[str, dict[str, int]]]:
    return [(split, data.counts[split]) for split in split_names(data)]
