"""What ``cxrkit evaluate`` is asked for, and whether the saved models and the data are what it needs."""

from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from pydantic import ValidationError

from cxrkit import locking
from cxrkit.config.base import valid_name
from cxrkit.config.schema import DataTable
from cxrkit.data import one_set
from cxrkit.data.building import positive_class
from cxrkit.data.manifest import SPLITS, Manifest
from cxrkit.data.patients import PatientRule
from cxrkit.discovery import Plugins, load
from cxrkit.errors import InputError, nearest
from cxrkit.evaluation.subgroups import check_subgroups
from cxrkit.formats import USUAL, Format
from cxrkit.plans import Chosen, DevicePlan
from cxrkit.records import ModelInfo
from cxrkit.report import house
from cxrkit.report.pseudonyms import check_key
from cxrkit.run import saved
from cxrkit.run.saved import SavedModel

if TYPE_CHECKING:
    from cxrkit.training.checkpoints import Examined

Device = Literal["auto", "cpu", "cuda", "mps"]
USUAL_SIZE = 224
FEWEST_CLASSES = 2
INSTEAD_OF_INFO = ("architecture", "classes", "positive", "image_size", "threshold")  # options


@dataclass(frozen=True)
class Request:
    """What the user asked for on the command line; what is left out is None or empty.

    Attributes:
        models: files of weights.
        data: class folders, a folder of splits of them, or a CSV file.
        output: run directory, new or empty.
        info: ``model.json`` of models that have none beside them.
        architecture: of models without ``model.json``, as are the next four.
        classes: in the order of the outputs.
        positive: the class that is detected.
        threshold: on its probability.
        image_size: pixels.
        name: of the data, where internal test predictions stand beside it.
        split: of the data.
        groups: how patients are told apart: ``kermany``, ``image``, ``column=NAME`` or ``regex=PATTERN``.
        device: ``auto``, ``cpu``, ``cuda`` or ``mps``.
        prevalence: for predictive values beside the data's own.
        subgroups: columns.
        formats: of the report.
        templates: folder of templates that take the place of cxrkit's own in the report.
        logo: picture for the report.
        pseudonyms: whether the report calls patients and images by pseudonyms.
        pseudonym_key: file of their key; the run's own by default.
    """

    models: Sequence[Path]
    data: Path
    output: Path
    info: Path | None = None
    architecture: str | None = None
    classes: Sequence[str] = ()
    positive: str | None = None
    threshold: float | None = None
    image_size: int | None = None
    name: str | None = None
    split: str | None = None
    groups: str | None = None
    device: Device = "auto"
    prevalence: float | None = None
    subgroups: Sequence[str] = ()
    formats: Sequence[Format] = USUAL
    templates: Path | None = None
    pseudonyms: bool | None = None
    pseudonym_key: Path | None = None
    logo: Path | None = None


@dataclass(frozen=True)
class Checked:
    """What was asked for and can be done.

    Attributes:
        models: as they were given.
        infos: of each its ``model.json``, as it is or as it would be; with its threshold.
        manifest: of the images, all of one set.
        right: the plugins that need no torch.
        train: the others.
    """

    models: Sequence[SavedModel]
    infos: Sequence[ModelInfo]
    manifest: Manifest
    right: Plugins
    train: Plugins


def check(request: Request, advance: Callable[[int, int], None] | None = None) -> Checked:
    """Read and check everything that the user gave.

    Args:
        request: from the command line.
        advance: hears how many of how many images have been read.

    Raises:
        InputError: anything of it is wrong; nothing has been written.
        RunError: a model's plugin failed.
    """
    problems: list[str] = []
    right, train = load("cxrkit"), load("cxrkit.train")
    models = _models(request, problems)
    found = _data(request, right, problems)
    _check_device(request, problems)
    with _collecting(problems):
        house.check(request.templates, request.logo, lambda key: f"--{key}")
        check_key(request.pseudonym_key)
    if problems or found is None:
        raise InputError(*dict.fromkeys(problems))
    drafts = _drafts(request, models, found.labels)
    first = drafts[0]
    problems += _unlike(drafts) + one_set.unfit(found, request.data, first.class_names, first.positive)
    infos = _examined(models, drafts, train, problems)
    if problems:
        raise InputError(*dict.fromkeys(problems))
    manifest = one_set.read(found, request.data, first.class_names, first.positive, advance)
    return Checked(models, infos, manifest, right, train)


def known_models(request: Request, train: Plugins, problems: list[str]) -> tuple[list[SavedModel], list[ModelInfo]]:
    """Read and check the saved models alone, for images whose classes are not known.

    Args:
        request: what concerns models, output and device of it.
        train: the plugins that may need torch.
        problems: takes what is wrong; then what is returned is not to be used.

    Raises:
        RunError: a model's plugin failed.
    """
    models = _models(request, problems)
    _check_device(request, problems)
    lacking = [str(model.weights) for model in models if model.info is None]
    if lacking and not request.classes:
        told = f"--classes: missing, {', '.join(lacking)} has no model.json that tells them"
        problems.append(f"{told}, give them in the order of its outputs, such as NORMAL,PNEUMONIA")
    if problems:
        return models, []
    return models, _examined(models, _drafts(request, models, ()), train, problems)


@contextmanager
def _collecting(problems: list[str]) -> Iterator[None]:
    """Keep what is wrong with one thing from hiding what is wrong with the next."""
    try:
        yield
    except InputError as error:
        problems += error.problems


def _models(request: Request, problems: list[str]) -> list[SavedModel]:
    models: list[SavedModel] = []
    if request.output.is_file() or (request.output.is_dir() and not locking.is_empty(request.output)):
        problems.append(f"{request.output}: exists and is not empty, allowed is a new or empty folder")
    for path in request.models:
        with _collecting(problems):
            models.append(saved.read(path, request.info))
    doubled = [path for path, times in Counter(path.resolve() for path in request.models).items() if times > 1]
    problems += [f"{path}: is given twice, once is enough" for path in doubled]
    with _collecting(problems):
        _check_options(request, models)
    return models


def _check_options(request: Request, models: Sequence[SavedModel]) -> None:
    """Check the options that stand in for a ``model.json``: needed where there is none, refused where all have one."""
    problems: list[str] = []
    lacking = [str(model.weights) for model in models if model.info is None]
    if lacking and request.architecture is None:
        problems.append(
            f"--architecture: missing, {', '.join(lacking)} has no model.json that tells it, give one such as resnet18"
        )
    if models and not lacking and len(models) == len(request.models):
        problems += [
            f"--{name.replace('_', '-')}: is for models without a model.json, and what it says is fixed, leave it out"
            for name in INSTEAD_OF_INFO
            if getattr(request, name) not in {None, ()}
            and not (name == "threshold" and any(model.info and model.info.threshold is None for model in models))
        ]
        if request.info is not None and all(model.weights.with_suffix(".json").is_file() for model in models):
            problems.append("--info: is for models without a model.json beside them, and every model has one")
    if request.classes and (len(set(request.classes)) < len(request.classes) or len(request.classes) < FEWEST_CLASSES):
        problems.append(f"--classes: needs two or more different ones, got {', '.join(request.classes)}")
    elif request.classes and request.positive is not None and request.positive not in request.classes:
        problems.append(f'--positive: no class "{request.positive}", {nearest(request.positive, request.classes)}')
    if problems:
        raise InputError(*problems)


def _drafts(request: Request, models: Sequence[SavedModel], labels: Sequence[str]) -> list[ModelInfo]:
    """Describe each model by its ``model.json``, else by the options and the classes of the data."""
    from cxrkit.training.images import preprocessing

    class_names = list(request.classes or labels)
    drafts: list[ModelInfo] = []
    for model in models:
        info = model.info
        if info is None:
            info = ModelInfo(
                task="",
                seed=0,
                model=request.architecture or "",
                distribution="",
                class_names=class_names,
                positive=positive_class(class_names, request.positive, "--positive"),
                preprocessing=preprocessing(request.image_size or USUAL_SIZE),
                parameters=0,
                trainable=0,
            )
        drafts.append(info.model_copy(update={"threshold": saved.threshold(model, request.threshold)}))
    return drafts


def _unlike(infos: Sequence[ModelInfo]) -> list[str]:
    """Say which models detect something else than the first one."""
    first = infos[0]
    return [
        f'models: "{info.model}" of {_classes(info)} and "{first.model}" of {_classes(first)} cannot be compared, '
        "evaluate them apart"
        for info in infos[1:]
        if (set(info.class_names), info.positive) != (set(first.class_names), first.positive)
    ]


def _classes(info: ModelInfo) -> str:
    return f"{', '.join(info.class_names)} (positive: {info.positive})"


def _examined(
    models: Sequence[SavedModel], drafts: Sequence[ModelInfo], train: Plugins, problems: list[str]
) -> list[ModelInfo]:
    """Build every model from its file and describe what it consists of."""
    from cxrkit.training import checkpoints

    infos: list[ModelInfo] = []
    for model, draft in zip(models, drafts, strict=True):
        unlike = checkpoints.differing(draft.preprocessing)
        if unlike:
            problems.append(f"{model.weights}: needs images prepared otherwise ({'; '.join(unlike)})")
        if len(set(draft.class_names)) < FEWEST_CLASSES or draft.positive not in draft.class_names:
            problems.append(f"{model.weights}: its model.json has the classes {_classes(draft)}")
            continue
        with _collecting(problems):
            chosen = Chosen(name=draft.model, options=draft.model_options)
            size = draft.preprocessing.image_size
            found = checkpoints.examine(chosen, model.weights, draft.class_names, size, train.models)
            infos.append(_described(draft, found))
    return infos


def _described(draft: ModelInfo, found: "Examined") -> ModelInfo:
    return draft.model_copy(
        update={
            "model_options": found.model.options,
            "distribution": found.distribution,
            "parameters": found.parameters,
            "trainable": found.trainable,
            "layers": found.layers,
        }
    )


# ── The data ──────────────────────────────────────────────────────────────────────────────────────────────────────────


def _data(request: Request, right: Plugins, problems: list[str]) -> one_set.Listed | None:
    with _collecting(problems):
        if request.name is not None and (fault := _no_set_name(request.name)):
            problems.append(f"--name: {fault}")
        if not request.data.exists():
            raise InputError(f"{request.data}: no such folder or file, allowed are class folders or a CSV of images")
        found = one_set.listed(request.data, request.split, patient_rule(request.groups), right.datasets)
        try:
            check_subgroups(request.subgroups, found.frame)
        except InputError as error:
            problems += [problem.replace("evaluation.subgroups", "--subgroups", 1) for problem in error.problems]
        return found
    return None


def _no_set_name(name: str) -> str | None:
    """Say what a name of an external set must be, where it is none."""
    try:
        valid_name(name)
    except ValueError as error:
        return str(error)
    return f'must be none of {", ".join(SPLITS)}, got "{name}"' if name in SPLITS else None


def patient_rule(groups: str | None) -> PatientRule | None:
    """Read ``--groups``: ``kermany``, ``image``, ``column=NAME`` or ``regex=PATTERN``; None where it is left out.

    Raises:
        InputError: it is none of these.
    """
    kind, has_value, value = (groups or "").partition("=")
    rule: Any = {kind: value} if has_value else groups
    try:
        return DataTable.model_validate({"groups": rule}).groups
    except ValidationError as error:
        what = error.errors()[0]["msg"].removeprefix("Value error, ")
        raise InputError(
            f'--groups: "{groups}": {what}; allowed are kermany, image, column=NAME, regex=PATTERN'
        ) from None


def _check_device(request: Request, problems: list[str]) -> None:
    from cxrkit.training.devices import available_device

    try:
        available_device(DevicePlan(device=request.device))
    except InputError as error:
        problems += [problem.replace("run.device", "--device", 1) for problem in error.problems]
