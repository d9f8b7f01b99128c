"""A model card for each model: Hugging Face's metadata, then what a reader of the card has to know."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import PurePath
from shlex import quote
from typing import Any

from cxrkit.one_line import one_line
from cxrkit.records import ModelInfo
from cxrkit.report import wording
from cxrkit.report.chapters import calibration, data, limits, making, models, operating, performance
from cxrkit.report.content import Report, Section, Table, TitleBlock
from cxrkit.report.formats import front_matter
from cxrkit.report.formats.front_matter import Value
from cxrkit.report.formats.markdown import escaped, lines
from cxrkit.report.phrases import headline, set_title, threshold_origin, threshold_value, views
from cxrkit.report.results import Results, TaskResult
from cxrkit.report.tables import explained

TAGS = ("image-classification", "medical", "radiology", "chest-x-ray", "cxrkit")
METRICS = {
    "roc_auc": "roc_auc",
    "average_precision": "average_precision",
    "accuracy": "accuracy",
    "balanced_accuracy": "balanced_accuracy",
    "sensitivity": "recall",
    "specificity": "specificity",
    "ppv": "precision",
    "npv": "npv",
    "f1": "f1",
    "mcc": "matthews_correlation",
    "brier": "brier_score",
}
"""Figure → its identifier on the Hub, where there is one, else our own."""

OURS = frozenset({"trained", "checkpoint", "tta", "ensemble"})
"""Kinds of models that are loaded by cxrkit."""


def render(results: Results, report: Report) -> dict[str, str]:
    """Write the card of every finished model.

    Returns:
        File name → its text.
    """
    return {f"{_file_name(task)}.md": _card(_alone(results, task), report.head) for task in results.tasks}


def _file_name(task: TaskResult) -> str:
    """Name the card after the model; of two runs' models of one name, with its run's."""
    return "".join(letter if letter.isalnum() or letter in "-_." else "-" for letter in task.name)


def _alone(results: Results, task: TaskResult) -> Results:
    """Take everything that is about one model alone."""
    return Results((results.sources[task.source],), (replace(task, source=0),), ())


def _card(results: Results, head: TitleBlock) -> str:
    return front_matter.render(_metadata(results)) + "\n" + "\n".join(_body(results, head)) + "\n"


# ── Metadata ──────────────────────────────────────────────────────────────────────────────────────────────────────────


def _metadata(results: Results) -> dict[str, Value]:
    task = results.tasks[0]
    evaluated = [one for name in results.sets if (one := _evaluated(results, name))]
    library: dict[str, Value] = {"library_name": "cxrkit"} if task.info.kind in OURS else {}
    index: dict[str, Value] = {"model-index": [{"name": task.name, "results": evaluated}]} if evaluated else {}
    used = [METRICS[metric] for metric in METRICS if any(headline(task, metric, name) for name in results.sets)]
    metrics: dict[str, Value] = {"metrics": used} if used else {}
    return {
        "language": ["en"],
        **library,
        "tags": [*TAGS],
        "pipeline_tag": "image-classification",
        **metrics,
        **index,
    }


def _evaluated(results: Results, set_name: str) -> dict[str, Value] | None:
    """Give a set's figures as an entry of the model index; None where there is none."""
    metrics = [_metric(results, metric, set_name) for metric in METRICS]
    known = [metric for metric in metrics if metric is not None]
    if not known:
        return None
    task: dict[str, Value] = {"type": "image-classification", "name": "Image classification"}
    return {"task": task, "dataset": _dataset(results, set_name), "metrics": known}


def _metric(results: Results, metric: str, set_name: str) -> dict[str, Value] | None:
    record = headline(results.tasks[0], metric, set_name)
    if record is None or record.value is None:
        return None
    of_class = "" if metric in {"accuracy", "balanced_accuracy", "mcc"} else f" ({results.positive})"
    name = f"{wording.label(metric)}{of_class}"
    return {"type": METRICS[metric], "value": record.value, "name": name, "verified": False}


def _dataset(results: Results, set_name: str) -> dict[str, Value]:
    """Name the images by their folder or file; ``type`` is what the Hub's own tools give for files not on it."""
    table: Mapping[str, Any] = results.sources[0].info.configuration.get("data") or {}
    external = (table.get("external") or {}).get(set_name)
    place = external or table.get("root") or table.get("manifest")
    name = PurePath(str(place)).name if place else "predictions"
    kind = "imagefolder" if table.get("root") else "csv"
    return {"type": kind, "name": f"{name}, {set_title(set_name)}", "split": set_name}


# ── Text ──────────────────────────────────────────────────────────────────────────────────────────────────────────────


def _body(results: Results, head: TitleBlock) -> Iterator[str]:
    task = results.tasks[0]
    yield from (f"# {escaped(task.name)}", "", escaped(_opening(results, head)), "")
    yield from ("## Model description", "", *_listed(_description(results, head)), "")
    yield from _blocks([models.section(results)])
    yield from _chapter("Intended use and limitations", [limits.section(results)])
    yield from _chapter("Training data and procedure", [_images(results), making.training_section(results)])
    yield from ("## Evaluation", "")
    yield from (escaped(line) for line in _threshold(task))
    for name in results.sets:
        yield from _blocks([performance.section(results, name), operating.section(results, name)])
    yield from _chapter("Calibration", [calibration.section(results, name) for name in results.sets])
    yield from _chapter("Compute", [making.compute_section(results)])
    yield from ("## How to use", "", *_usage(task), "")
    if head.authors:
        yield from ("## Citation", "", escaped(_citation(head)), "")
    yield escaped(f"Written by {head.made_with} from the files of the run; figures come from nowhere else.")


def _opening(results: Results, head: TitleBlock) -> str:
    rest = wording.listed(results.negatives, "or")
    return (
        f"Tells {results.positive} from {rest} on chest X-rays; from “{head.title}”, {head.date}. "
        "Research software's result: it is no medical device and no medical advice."
    )


def _chapter(title: str, sections: Iterable[Section | None]) -> Iterator[str]:
    found = list(_blocks(sections))
    if found:
        yield from (f"## {escaped(title)}", "", *found)


def _blocks(sections: Iterable[Section | None]) -> Iterator[str]:
    blocks = [block for section in sections if section is not None for block in section.blocks]
    return lines(explained(block) if isinstance(block, Table) else block for block in blocks)


def _images(results: Results) -> Section | None:
    """Tell of the images that the run has seen; predictions that were given tell of none."""
    summary = results.sources[0].info.data
    if summary is None:
        return None
    return Section("images", "Images", tuple(data.summary(summary, results.positive)))


def _description(results: Results, head: TitleBlock) -> Iterator[tuple[str, str]]:
    task = results.tasks[0]
    by = [*head.authors, *([head.institution] if head.institution else [])]
    if by:
        yield "Developed by", ", ".join(by)
    yield "Kind", models.KINDS[task.info.kind]
    if task.info.tta:
        yield "Made of", views(task.info, task.info.tta)
    if task.info.model:
        yield "Architecture", task.info.model
    yield "Classes", f"{', '.join(task.metrics.class_names)}; detects {task.metrics.positive}"
    network = _network(task)
    if network is not None:
        yield "Parameters", f"{wording.count(network.parameters)}, {wording.count(network.trainable)} of them trained"
        yield "Input", _preprocessing(network)


def _network(task: TaskResult) -> ModelInfo | None:
    return next((seed.model for seed in task.seeds if seed.model is not None), None)


def _preprocessing(network: ModelInfo) -> str:
    """Say what turns an image into the network's input."""
    steps = network.preprocessing
    mean, std = (", ".join(f"{one:g}" for one in values) for values in (steps.mean, steps.std))
    size = steps.image_size
    return (
        f"three channels of {size}{models.TIMES}{size} pixels: the shorter side is made {steps.resize} pixels long, "
        f"the centre cut out, values scaled to 0 to 1, mean {mean} subtracted and divided by {std}"
    )


def _listed(entries: Iterable[tuple[str, str]]) -> Iterator[str]:
    yield from (f"- **{escaped(name)}:** {escaped(text)}" for name, text in entries)


def _threshold(task: TaskResult) -> Iterator[str]:
    threshold = task.info.threshold
    if threshold is not None and task.info.scale != "decision":
        yield f"Decides at a threshold of {threshold_value(threshold)}, {threshold_origin(threshold)}."
        yield ""


def _citation(head: TitleBlock) -> str:
    where = f" {head.institution}." if head.institution else ""
    return f"{', '.join(head.authors)}. {head.title}.{where} {head.date}. The authors may name a publication here."


# ── Use ───────────────────────────────────────────────────────────────────────────────────────────────────────────────


def _usage(task: TaskResult) -> Sequence[str]:
    info = task.info
    if info.kind == "ensemble":
        members = wording.listed(info.members)
        return (escaped(f"An ensemble has no weights of its own: see the cards of its members {members}."),)
    if info.kind == "tta":
        plain = wording.listed(info.members)
        return (escaped(f"It has no weights of its own: they are those of {plain}, which has a card of its own."),)
    if info.kind == "predictions":
        return ("The model is not at hand: this card rests on its predictions.",)
    if info.kind == "checkpoint":
        return ("Evaluate the saved model on other images:", "", *_command("FILE"))
    folders = wording.listed([f"tasks/{info.task}/seeds/{seed}" for seed in info.seeds])
    return (
        escaped(
            f"In the run directory, in {folders}: model.safetensors has the weights, and model.json beside it "
            "architecture, classes, preprocessing and threshold. Evaluate it on other images:"
        ),
        "",
        *_command(f"tasks/{info.task}/seeds/{info.seeds[0]}/model.safetensors"),
    )


def _command(model: str) -> Sequence[str]:
    return ("```sh", f"cxrkit evaluate --model {quote(one_line(model))} --data IMAGES --output RESULT", "```")
