"""``cxrkit evaluate``: saved models on other images, with everything fixed beforehand."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from cxrkit.api import Predictions
from cxrkit.config.schema import (
    Configuration,
    DataTable,
    EvaluationTable,
    ExplainTable,
    ReportTable,
    RunTable,
    TaskTable,
    ThresholdTable,
    Use,
)
from cxrkit.data import one_set
from cxrkit.data.manifest import SPLITS
from cxrkit.errors import CxrkitError
from cxrkit.evaluation import predictions
from cxrkit.files import sha256
from cxrkit.plans import CheckpointPlan, Chosen, DevicePlan
from cxrkit.records import ModelInfo, TaskInfo
from cxrkit.run import children, internal, saved
from cxrkit.run.examining import Checked, Request, check
from cxrkit.run.execute import Outcome, carry_through
from cxrkit.run.progress import Display
from cxrkit.run.saved import SavedModel
from cxrkit.run.study import Study
from cxrkit.rundir import RunDirectory

EXTERNAL = "external"
UNITS = ("patient-max", "patient-mean")


@dataclass(frozen=True)
class Ready:
    """A saved model that nothing keeps from being evaluated.

    Attributes:
        model: as it was given.
        info: its ``model.json``, with the task's name in this run.
        internal: its predictions on its own test set, or None.
    """

    model: SavedModel
    info: ModelInfo
    internal: Predictions | None


@dataclass(frozen=True)
class Evaluation:
    """A checked request.

    Attributes:
        study: as a ``tasks.toml`` would have described it.
        models: task → model.
        notices: what the user should know of it.
    """

    study: Study
    models: Mapping[str, Ready]
    notices: Sequence[str]


def prepare(request: Request, *, advance: Callable[[int, int], None] | None = None) -> Evaluation:
    """Read and check everything that the user gave.

    Args:
        request: from the command line.
        advance: hears how many of how many images have been read.

    Raises:
        InputError: anything of it is wrong; nothing has been written.
        RunError: a model's plugin failed.
    """
    checked = check(request, advance)
    names = saved.named(checked.models)
    test = internal.taken_in(dict(zip(names, checked.models, strict=True)), checked.manifest)
    models = {
        name: Ready(model, info.model_copy(update={"task": name}), test.found.get(name))
        for name, model, info in zip(names, checked.models, checked.infos, strict=True)
    }
    notes = [*test.notes, *(note for one in models.values() if (note := assumed(request, one)))]
    if request.name is not None and not test.found:
        notes.append(
            f'These images are the set "test": no internal test stands beside them, so --name {request.name} '
            "is not used."
        )
    return Evaluation(_study(request, checked, models, notes), models, notes)


def execute(evaluation: Evaluation, display: Display) -> Outcome:
    """Predict, evaluate, explain and report.

    Raises:
        RunError: no model could be evaluated, or a later stage failed.
    """
    return carry_through(
        evaluation.study, display, lambda study, task, shown: _carry_out(study, evaluation.models[task.name], shown)
    )


def assumed(request: Request, one: Ready) -> str | None:
    """Say what was taken for granted of a model whose file tells nothing but its weights."""
    if one.model.info is not None:
        return None
    info = one.info
    assumed = [f"images of {info.preprocessing.image_size} pixels, normalised as ImageNet's"]
    if not request.classes:
        assumed.insert(0, f"the outputs in the order of the classes' names ({', '.join(info.class_names)})")
    if info.model_options.get("head") == "two-layer":
        assumed.append("a ReLU between the two layers of its head")
    if request.threshold is None:
        assumed.append(f"a threshold of {saved.CONVENTIONAL:g}")
    return f"{one.model.weights.name} came without a model.json; assumed are {'; '.join(assumed)}."


# ── As a study ────────────────────────────────────────────────────────────────────────────────────────────────────────


def _study(request: Request, checked: Checked, models: Mapping[str, Ready], notes: Sequence[str]) -> Study:
    set_name = _set_name(request) if any(one.internal for one in models.values()) else one_set.TEST
    manifest = one_set.renamed(checked.manifest, set_name)
    first = checked.infos[0]
    configuration = _configuration(request, models)
    return Study(
        written=configuration,
        configuration=configuration,
        run=RunDirectory(request.output.absolute()),
        right=checked.right,
        train=checked.train,
        selected=configuration.task,
        manifest=replace(manifest, notes=(*manifest.notes, *notes)),
        class_names=tuple(first.class_names),
        positive=first.positive,
        imported={},
    )


def _set_name(request: Request) -> str:
    """Name the data: as asked, else after its folder, or the one around it where that is called as a split."""
    if request.name is not None:
        return request.name
    path = request.data.resolve()
    for name in (path.stem if path.is_file() else path.name, path.parent.name):
        usable = saved.usable(name)
        if usable.lower() not in SPLITS:
            return usable
    return EXTERNAL


def _configuration(request: Request, models: Mapping[str, Ready]) -> Configuration:
    first = next(iter(models.values())).info
    data = {
        "manifest" if request.data.is_file() else "root": str(request.data),
        "positive": first.positive,
        "image_size": first.preprocessing.image_size,
        "validation": "folder",
    }
    return Configuration(
        run=RunTable(output=str(request.output), device=request.device),
        data=DataTable.model_validate(data),
        task=tuple(_table(name, one.info) for name, one in models.items()),
        evaluation=EvaluationTable(prevalence=request.prevalence, subgroups=tuple(request.subgroups)),
        explain=ExplainTable(sample=0),
        report=ReportTable(
            formats=tuple(request.formats),
            title=f"Saved models on {request.data.resolve().name}",
            templates=None if request.templates is None else str(request.templates),
            pseudonyms=bool(request.pseudonyms),
            pseudonym_key=None if request.pseudonym_key is None else str(request.pseudonym_key),
            logo=None if request.logo is None else str(request.logo),
        ),
    )


def _table(name: str, info: ModelInfo) -> TaskTable:
    assert info.threshold is not None  # noqa: S101 - the examination has given it one
    return TaskTable(
        name=name,
        model=Use(use=info.model, **info.model_options),
        seeds=(info.seed,),
        threshold=ThresholdTable(rule="fixed", value=info.threshold.value),
    )


# ── One model ─────────────────────────────────────────────────────────────────────────────────────────────────────────


def _carry_out(study: Study, one: Ready, display: Display) -> TaskInfo:
    """Predict the images with a model, in a process of its own."""
    directory = study.run.task(one.info.task)
    info = _task_info(study, one)
    info.write(directory.info)
    try:
        if one.internal is not None:
            predictions.write(directory.predictions(one_set.TEST), one.internal)
        one.info.write(directory.seed(one.info.seed).model_info)
        path = directory.root / "plan.json"
        _plan(study, one).write(path)
        with display.work(one.info.task) as work:
            children.carry_out("checkpoint", path, directory.root / "log.txt", work.hear)
    except CxrkitError as error:
        info = info.model_copy(update={"state": "failed", "failure": str(error)})
        display.warn(f'task "{info.task}" failed: {error}')
    else:
        info = info.model_copy(update={"state": "finished"})
    info.write(directory.info)
    return info


def _task_info(study: Study, one: Ready) -> TaskInfo:
    """Describe a model with what was fixed when it was trained; nothing of it is chosen anew."""
    assert study.manifest is not None and one.info.threshold is not None  # noqa: S101, PT018 - examined
    known = one.model.origin.task if one.model.origin else None
    given = one.model.info is not None
    return TaskInfo(
        task=one.info.task,
        kind="checkpoint",
        state="running",
        class_names=list(study.class_names),
        positive=study.positive,
        seeds=[one.info.seed] if given else [],  # of a foreign file the seed is not known
        represent=f"seed {one.info.seed}" if given else None,
        threshold=one.info.threshold,
        patient_thresholds=saved.patient_thresholds(one.model, one.info.threshold, UNITS),
        zone=one.info.zone,
        temperature=saved.temperature(one.model),
        prior=saved.prior(one.model),
        sets=[*([one_set.TEST] if one.internal else []), *study.manifest.sets],
        sources={"weights": sha256(one.model.weights)},
        model=one.info.model,
        imbalance=known.imbalance if known else None,
        trainer=known.trainer if known else None,
        options=known.options if known else {"model": one.info.model_options},
    )


def _plan(study: Study, one: Ready) -> CheckpointPlan:
    assert study.manifest is not None  # noqa: S101 - made from it
    info = one.info
    return CheckpointPlan(
        run_directory=str(study.run.root),
        roots={name: str(Path(root).absolute()) for name, root in study.manifest.roots.items()},
        task=info.task,
        seed=info.seed,
        weights=str(one.model.weights.absolute()),
        model=Chosen(name=info.model, options=info.model_options),
        class_names=info.class_names,
        positive=info.positive,
        preprocessing=info.preprocessing,
        sets=study.manifest.sets,
        devices=DevicePlan(device=study.configuration.run.device, devices=1, precision="fp32"),
    )
