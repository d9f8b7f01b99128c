"""The page of monitoring, put together from ``monitoring.json`` alone, for someone who reads radiographs."""

from collections.abc import Sequence

from cxrkit import __version__
from cxrkit.monitoring import tables
from cxrkit.monitoring.wordings import inside, is_percent, label, number
from cxrkit.records import Monitoring, MonitoringRecord
from cxrkit.report import wording
from cxrkit.report.chapters.cover import NOTICE
from cxrkit.report.content import Block, Bullets, Heading, Plot, Plots, Report, Section, Text, TitleBlock
from cxrkit.report.drawn import monitoring as drawn
from cxrkit.report.wording import counted

MOST_DRAWN = 12  # periods whose scores are drawn, the latest ones
CHARTS = ("alert_rate", "false_positive_rate", "sensitivity", "no_result")
FIGURES = ("roc_auc", "sensitivity", "specificity", "ppv")
LIMITS = (
    "Control limits: quantiles of the beta-binomial predictive distribution of a period's count, with Jeffreys' prior "
    "(Menzefricke 2002), exact for few images; the number of images corrected by the design effect where patients have "
    "several (Kish 1965; Rao & Scott 1992)."
)
PSI = (
    "PSI: ten bins at the deciles of the reference, 0.5 images added to each (Krichevsky & Trofimov 1981). What is to "
    "be expected without a change, the limit of chance and the p value are from 9,999 permutations; in large samples "
    "the expected value is (bins \N{MINUS SIGN} 1)(1/n + 1/m) (Yurdakul & Naranjo 2020)."
)
DIFFERENCES = (
    "Performance: AUC with DeLong's or Obuchowski's variance, shares with Wilson's interval; differences as of other "
    "patients (Newcombe 1998)."
)
ESTIMATES = (
    "Estimates: confidence-based performance estimation (Białek et al. 2024) after Platt's calibration (1999) on the "
    "reference; adjusted count (Rogan & Gladen 1978; Forman 2008; Lipton et al. 2018)."
)
METHODS = (
    "Images without a result are counted in a chart of their own and left out of all other figures.",
    PSI,
    "Kolmogorov-Smirnov tests and PSI use one image of each patient; p values are adjusted after Holm (1979).",
    DIFFERENCES,
    ESTIMATES,
)
PREVALENCES = {
    "estimated_prevalence": "prevalence from the probabilities",
    "adjusted_prevalence": "prevalence from the alert rate",
}
SCALES = {"probability": "Probability of", "score": "Score of", "decision": "Decision for"}


def compose(found: Monitoring) -> Report:
    """Make the content of the page."""
    sections = [_summary(found), _over_time(found), _scores(found), _images(found), _performance(found), _rules(found)]
    return Report(
        head=TitleBlock(
            title=f"Monitoring of {found.task}",
            authors=(),
            institution=None,
            date=wording.date(found.created),
            created=found.created,
            made_with=f"cxrkit {__version__}",
            subtitle=f"{found.positive} on chest X-rays, new images against the reference",
            facts=(("Reference", tables.size(found.reference)), ("New images", _new(found))),
            notice=NOTICE,
            kind="Monitoring report",
        ),
        sections=tuple(section for section in sections if section is not None),
        models=(found.task,),
    )


def verdict(found: Monitoring) -> str:
    """Say in a sentence whether anything has changed."""
    if not found.alarms:
        judged = [period.name for period in found.periods if period.judged]
        where = f"in {judged[0]}" if len(judged) == 1 else f"in any of {len(judged)} periods"
        return f"No alarm: no rule has found a change {where}."
    periods = dict.fromkeys(alarm.period for alarm in found.alarms)
    return f"{counted(len(found.alarms), 'alarm')} in {wording.listed(list(periods))}."


def _new(found: Monitoring) -> str:
    n, patients = sum(one.n for one in found.periods), sum(one.n_patients for one in found.periods)
    known = all(one.patients_known for one in found.periods)
    of_patients = f" of {counted(patients, 'patient')}" if known else ""
    return f"{counted(n, 'image')}{of_patients} in {counted(len(found.periods), 'period')}"


# ── Chapters ──────────────────────────────────────────────────────────────────────────────────────────────────────────


def _summary(found: Monitoring) -> Section:
    alarms = tuple(alarm.sentence for alarm in found.alarms)
    blocks: list[Block] = [Text(verdict(found), lead=True)]
    if alarms:
        blocks.append(Bullets(alarms, title="Alarms", caution=True))
    blocks.append(Text(_compared(found)))
    blocks.append(
        Text(
            f"An alarm says that something has changed, not what is to be done. If nothing had changed, "
            f"{found.false_alarms:.2f} false alarms were to be expected of this page, at most; the chapter "
            "on the rules says how they are counted."
        )
    )
    if found.notes:
        blocks.append(Bullets(tuple(found.notes), title="To know"))
    blocks.append(tables.periods(found))
    return Section("summary", "What has changed", tuple(blocks))


def _compared(found: Monitoring) -> str:
    where = f"the {found.reference_set} set of its evaluation" if found.reference_set else "a file of predictions"
    threshold = found.threshold
    origin = threshold.note or (f"chosen on {threshold.set}" if threshold.set else "fixed beforehand")
    at = "" if found.scale == "decision" else f" An image is called positive from {threshold.value:.3f} on, {origin}."
    return (
        f"{_new(found)} are set against the reference, {where}: {tables.size(found.reference)}.{at} The threshold is "
        "the same for all periods."
    )


def _over_time(found: Monitoring) -> Section | None:
    charts = [name for name in CHARTS if _is_worth(found, name)]
    shown = [(label(name), _of(found, name, "control"), True) for name in charts]
    if not shown:
        return None
    names = [period.name for period in found.periods]
    plot = Plot(
        name="control-charts",
        drawing=drawn.control(shown, names),
        caption=f"Control charts of {wording.listed([inside(name) for name in charts])}, by period.",
        reading="A point is the share of a period's images; the dotted line is the reference. Between the two grey "
        "lines a share stays by chance alone, wider where a period has few images. A square in orange is an alarm.",
        alt=_last(shown),
        wide=True,
    )
    opening = Text(
        "How often the model calls an image positive, and how often wrongly. The alert rate needs no labels: it rises "
        "where more patients are ill, and also where the images have changed. The false-positive rate and the "
        "sensitivity tell the two apart, and need labels."
    )
    return Section("over-time", "Over time", (opening, Plots((plot,)), tables.control(found, charts)))


def _is_worth(found: Monitoring, figure: str) -> bool:
    """Leave out the chart of images without a result where there have never been any."""
    records = _of(found, figure, "control")
    return bool(records) and (figure != "no_result" or any(one.value or one.reference for one in records))


def _last(panels: drawn.Panels) -> str:
    """Tell the last period's figures, for who cannot see them."""
    told = [f"{title} {number(one.value, one.figure)}" for title, records, _ in panels for one in records[-1:]]
    return f"Last: {', '.join(told)}."


def _scores(found: Monitoring) -> Section | None:
    records = _of(found, "psi", "drift")
    if not records or not found.score_edges:
        return None
    latest = found.periods[-MOST_DRAWN:]
    name = f"{SCALES[found.scale]} {found.positive}"
    left_out = "" if len(latest) == len(found.periods) else f" The latest {len(latest)} periods."
    plot = Plot(
        name="scores",
        drawing=drawn.scores(found.reference, latest, found.score_edges, found.threshold.value, name),
        caption=f"Distribution of the scores then (grey) and now (line), all images.{left_out}",
        reading="Where line and grey area part, the model answers otherwise than it did. The dotted line is the "
        "threshold: what lies to its right is called positive.",
        alt=" ".join(one.sentence for one in records[-1:]),
        wide=True,
    )
    opening = Text(
        "The population stability index (PSI) adds up how far the shares of ten classes of scores have moved; by "
        "custom 0.1 is moderate and 0.25 large. It is the larger the fewer images there are, even where nothing has "
        "changed, so beside it stands what is then to be expected, and what chance exceeds once in twenty times."
    )
    return Section("scores", "Scores then and now", (opening, Plots((plot,)), tables.stability(found)))


def _images(found: Monitoring) -> Section | None:
    table = tables.images(found)
    if table is None:
        return None
    opening = Text(
        "What can be told of images without understanding them: size, brightness, contrast, colour. Another device, "
        "another export or another way of positioning shows here, often before the scores move. All images are "
        "compared, whatever they show: another share of the diseased can move brightness too."
    )
    return Section("images", "Images then and now", (opening, table))


def _performance(found: Monitoring) -> Section | None:
    blocks: list[Block] = []
    observed, estimated = (tables.performance(found, kind) for kind in ("performance", "estimate"))
    panels = [(label(name), _both(found, name), is_percent(name)) for name in FIGURES]
    shown = [panel for panel in panels if panel[1]]
    if not shown or (observed is None and estimated is None):
        return None
    plot = Plot(
        name="performance-by-period",
        drawing=drawn.by_period(shown, [period.name for period in found.periods]),
        caption=f"{wording.listed([label(name) for name in FIGURES])} by period with 95% intervals.",
        reading="Filled points rest on labels. Hollow points are estimates without labels, and right only under the "
        "assumption below. The dotted line is the reference; a square in orange is an alarm.",
        alt=_last(shown),
        wide=True,
    )
    blocks.append(Plots((plot,)))
    if observed is not None:
        blocks += [Heading("As the labels tell"), observed]
    if estimated is not None:
        assumptions = dict.fromkeys(one.assumption for one in found.records if one.assumption)
        blocks += [
            Heading("Estimated without labels"),
            Bullets(
                tuple(f"{_estimated(found, one)}: only if {one}." for one in assumptions if one),
                title="What the estimates assume",
                caution=True,
            ),
            Text(
                "No estimate raises an alarm: what makes a model fail, such as a disease that looks different, breaks "
                "the assumptions too, and the estimates then stay as good as they were. Where the two estimates of "
                "prevalence disagree, at least one assumption is wrong."
            ),
            estimated,
        ]
    return Section("performance", "Performance", tuple(blocks))


def _estimated(found: Monitoring, assumption: str) -> str:
    figures = [one.figure for one in found.records if one.assumption == assumption]
    names = dict.fromkeys(PREVALENCES.get(figure) or inside(figure) for figure in figures)
    return wording.capitalised(wording.listed(list(names)))


def _rules(found: Monitoring) -> Section:
    return Section(
        "rules",
        "When an alarm is raised",
        (
            tables.rules(found),
            Text(
                "Control limits are not corrected for the number of periods: as in any control chart, each point has "
                "its own small chance of a false alarm. The tests of drift and of performance are corrected, each rule "
                "as one family over all periods of this page. Another page, such as tomorrow's, is another family: "
                "who looks daily must expect the false alarms of every day."
            ),
            Bullets(_methods(found), title="How it is computed"),
        ),
    )


def _methods(found: Monitoring) -> tuple[str, ...]:
    spread = (
        f" The reference's own periods vary more than by chance, so variances are multiplied by {found.dispersion:.2f} "
        "(Laney 2002)."
    )
    return (LIMITS + (spread if found.dispersion > 1 else ""), *METHODS)


def _of(found: Monitoring, figure: str, kind: str) -> Sequence[MonitoringRecord]:
    return [one for one in found.records if one.figure == figure and one.kind == kind]


def _both(found: Monitoring, figure: str) -> Sequence[MonitoringRecord]:
    return [*_of(found, figure, "performance"), *_of(found, f"estimated_{figure}", "estimate")]
