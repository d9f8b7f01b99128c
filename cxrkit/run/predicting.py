"""``cxrkit predict``: saved models on images that nobody has labelled."""

from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import TYPE_CHECKING, get_args

import numpy as np

from cxrkit.api import FloatArray
from cxrkit.calibration import apply_temperature
from cxrkit.config.schema import CamMethod
from cxrkit.data import listing
from cxrkit.data.listing import Found
from cxrkit.discovery import load
from cxrkit.environment import describe
from cxrkit.errors import CxrkitError, InputError, nearest
from cxrkit.evaluation.predictions import OK, softmax
from cxrkit.files import sha256, write_bytes
from cxrkit.metrics import decide
from cxrkit.plans import DevicePlan
from cxrkit.records import (
    Answer,
    Environment,
    InZone,
    ModelInfo,
    PredictedImage,
    PredictedImages,
    PredictingModel,
    ThresholdOrigin,
    Zone,
)
from cxrkit.run import answer_files, checkpoints, examining, saved
from cxrkit.run.saved import SavedModel
from cxrkit.rundir import image_file_name

if TYPE_CHECKING:
    from cxrkit.training import answers

TWO_CLASSES = 2
OVERLAYS = "overlays"


@dataclass(frozen=True)
class Request:
    """What the user asked for on the command line.

    Attributes:
        models: the saved models, their output folder and device, as ``cxrkit evaluate`` takes them.
        paths: images and folders; with ``watch`` folders alone.
        cam: a method of torchcam; None for no overlays.
        anonymous: number the images in place of naming their files.
        watch: wait for images.
    """

    models: examining.Request
    paths: Sequence[Path]
    cam: str | None = "GradCAM"
    anonymous: bool = False
    watch: bool = False


@dataclass
class Session:
    """Loaded models, and what they have said so far.

    Attributes:
        request: as it was given.
        found: the images to begin with; none where they are waited for.
        models: on their device.
        described: the same, for the files.
        environment: what they are computed with.
        notices: what the user should know of it.
        images: what has been predicted.
    """

    request: Request
    found: Sequence[Found]
    models: "Sequence[answers.Model]"
    described: list[PredictingModel]
    environment: Environment
    notices: list[str]
    images: list[PredictedImage] = field(default_factory=list)

    @property
    def output(self) -> Path:
        """The folder that results go to."""
        return self.request.models.output


def prepare(request: Request) -> Session:
    """Check everything that the user gave and load the models.

    Raises:
        InputError: anything of it is wrong; nothing has been written.
        RunError: a model's plugin failed.
    """
    problems: list[str] = []
    train = load("cxrkit.train")
    found = _found(request, problems)
    methods = [name for name in get_args(CamMethod) if name != "none"]
    if request.cam is not None and request.cam not in methods:
        problems.append(f'--cam: no method "{request.cam}", {nearest(request.cam, methods)}')
    models, infos = examining.known_models(request.models, train, problems)
    if problems:
        raise InputError(*dict.fromkeys(problems))
    from cxrkit.training import answers

    names = saved.named(models)
    infos = [info.model_copy(update={"task": name}) for name, info in zip(names, infos, strict=True)]
    plan = DevicePlan(device=request.models.device, devices=1, precision="fp32")
    loaded = answers.load(infos, [model.weights for model in models], train.models, plan)
    described = [_described(request, model, one) for model, one in zip(models, loaded, strict=True)]
    notices = list(_notices(request, models, infos, described))
    return Session(request, found, loaded, described, _environment(), notices)


def _environment() -> Environment:
    environment = describe()
    with suppress(PackageNotFoundError):
        environment.packages["pydicom"] = version("pydicom")
    return environment


def _found(request: Request, problems: list[str]) -> list[Found]:
    if request.watch and (others := [path for path in request.paths if not path.is_dir()]):
        problems += [f"{path}: is no folder, with --watch folders are watched" for path in others]
        return []
    try:
        found = listing.images(request.paths, besides=request.models.output)
    except InputError as error:
        problems += error.problems
        return []
    if not found and not request.watch:
        problems.append(
            f"{', '.join(map(str, request.paths))}: no image in it, allowed are JPEG, PNG, TIFF, BMP, WebP, DICOM"
        )
    return [] if request.watch else found


def _described(request: Request, model: SavedModel, loaded: "answers.Model") -> PredictingModel:
    info = loaded.info
    assert info.threshold is not None  # noqa: S101 - the examination has given it one
    known = model.info
    return PredictingModel(
        name=info.task,
        file=model.weights.name,
        sha256=sha256(model.weights),
        architecture=info.model,
        task=None if known is None else known.task,
        seed=None if known is None else known.seed,
        class_names=info.class_names,
        positive=info.positive,
        preprocessing=info.preprocessing,
        temperature=info.temperature,
        threshold=info.threshold,
        threshold_origin=_origin(request, model),
        threshold_on_probability=_on_probability(info),
        zone=info.zone,
        cam_layer=loaded.layer if request.cam else None,
    )


def _origin(request: Request, model: SavedModel) -> ThresholdOrigin:
    if model.info is not None and model.info.threshold is not None:
        return "model.json"
    return "conventional" if request.models.threshold is None else "--threshold"


def _on_probability(info: ModelInfo) -> float | None:
    """Carry the threshold over to the temperature-scaled probability, which of two classes keeps the decisions."""
    assert info.threshold is not None  # noqa: S101 - the examination has given it one
    value = info.threshold.value
    if info.temperature is None:
        return value
    if len(info.class_names) != TWO_CLASSES or not 0 < value < 1:
        return value if value in {0, 1} and len(info.class_names) == TWO_CLASSES else None
    logit = np.log(value) - np.log1p(-value)
    return float(1 / (1 + np.exp(-logit / info.temperature)))


def _notices(
    request: Request, models: Sequence[SavedModel], infos: Sequence[ModelInfo], described: Sequence[PredictingModel]
) -> Iterator[str]:
    for model, info, one in zip(models, infos, described, strict=True):
        assumed = checkpoints.assumed(request.models, checkpoints.Ready(model, info, None))
        if assumed:
            yield assumed
        elif one.threshold_origin == "conventional":
            yield f"{one.name}: no threshold was chosen for it, {one.threshold.value:g} is taken."
        if request.cam and one.cam_layer is None:
            yield f'{one.name}: no overlays: the model "{info.model}" has no feature map over the image.'


# ── Predicting ────────────────────────────────────────────────────────────────────────────────────────────────────────


def predict(session: Session, found: Sequence[Found], advance: Callable[[int, int], None]) -> Iterator[PredictedImage]:
    """Predict images batch by batch; they and their overlays are kept, the files of results are :func:`write`'s.

    Args:
        session: takes the images.
        found: their files.
        advance: hears how many of how many have been predicted.

    Raises:
        RunError: a model gives no finite logits, or an overlay cannot be written.
    """
    from cxrkit.training.answers import BATCH

    for start in range(0, len(found), BATCH):
        images = _predicted(session, found[start : start + BATCH])
        session.images += images
        advance(len(images) + start, len(found))
        yield from images


def document(session: Session) -> PredictedImages:
    """Put together what ``predictions.json`` says of all images so far."""
    request = session.request
    return PredictedImages(
        environment=session.environment,
        anonymous_names=request.anonymous,
        cam=request.cam,
        models=session.described,
        images=session.images,
    )


def write(session: Session) -> Path:
    """Write ``predictions.csv`` and ``predictions.json`` of all images so far, each whole or not at all.

    Returns:
        The CSV file.
    """
    answer_files.write(session.output, document(session))
    return session.output / answer_files.TABLE


def unreadable(images: Sequence[PredictedImage]) -> Counter[str]:
    """Count the images without a result by reason."""
    return Counter(image.status for image in images if image.status != OK)


def _predicted(session: Session, found: Sequence[Found]) -> list[PredictedImage]:
    seen = _read(found)
    first = len(session.images) + 1
    names = [str(first + row) if session.request.anonymous else file.name for row, file in enumerate(found)]
    images = [
        PredictedImage(image=_text(name), sha256=one.sha256, status=one.status)
        for name, one in zip(names, seen, strict=True)
    ]
    readable = [row for row, one in enumerate(seen) if one.grey is not None]
    if readable:
        for model, described in zip(session.models, session.described, strict=True):
            answered = _answers(session, model, described, [(names[row], seen[row]) for row in readable])
            for row, answer in zip(readable, answered, strict=True):
                images[row].answers[described.name] = answer
    return images


def _read(found: Sequence[Found]) -> "list[answers.Seen]":
    from cxrkit.training import answers

    read = iter(answers.read([file.path for file in found if file.refused is None]))
    return [answers.Seen(None, file.refused) if file.refused is not None else next(read) for file in found]


def _text(name: str) -> str:
    """Make a name that can be written: bytes that are no text of the file system's become escapes."""
    return name.encode("utf-8", "backslashreplace").decode()


def _answers(
    session: Session, model: "answers.Model", described: PredictingModel, named: "Sequence[tuple[str, answers.Seen]]"
) -> list[Answer]:
    from cxrkit.training import answers

    logits = answers.logits(model, [seen.grey for _, seen in named if seen.grey is not None])
    drawn = _overlays(session, model, described, named)
    return [
        answer.model_copy(update={"overlay": drawn.get(name)})
        for answer, (name, _) in zip(told(described, logits), named, strict=True)
    ]


def told(model: PredictingModel, logits: FloatArray) -> list[Answer]:
    """Turn a model's logits, float64[n, num_classes], into what is written of n images.

    Threshold and zone are on the probability as the model gives it, where they were chosen; a temperature changes the
    probability that is shown beside.
    """
    positive = model.class_names.index(model.positive)
    raw = softmax(logits)
    scaled = raw if model.temperature is None else apply_temperature(logits, model.temperature)
    called = decide(raw, positive, model.threshold.value)
    return [
        Answer(
            probability=float(scaled[row, positive]),
            raw_probability=float(raw[row, positive]),
            decision=model.class_names[called[row]],
            zone=_in_zone(model.zone, float(raw[row, positive])),
            raw_probabilities=dict(zip(model.class_names, raw[row].tolist(), strict=True)),
        )
        for row in range(len(raw))
    ]


def _in_zone(zone: Zone | None, probability: float) -> InZone | None:
    if zone is None:
        return None
    if probability >= zone.upper.value:
        return "positive"
    return "negative" if probability < zone.lower.value else "uncertain"


def _overlays(
    session: Session, model: "answers.Model", described: PredictingModel, named: "Sequence[tuple[str, answers.Seen]]"
) -> dict[str, str]:
    """Write a model's overlays: name → file. A method that fails on the model is told once, and ends its overlays.

    Where pixels hold text of the patient by what the file says, there is none.
    """
    from cxrkit.training import answers

    shown = [(name, seen.grey) for name, seen in named if seen.grey is not None and not seen.burned_in]
    method = session.request.cam
    if method is None or described.cam_layer is None or not shown:
        return {}
    files: dict[str, str] = {}
    try:
        for (name, _), jpeg in zip(shown, answers.overlaid(model, [grey for _, grey in shown], method), strict=True):
            stem = name if session.request.anonymous else image_file_name(_text(name))
            files[name] = f"{OVERLAYS}/{described.name}/{stem}.jpg"
            write_bytes(session.output / files[name], jpeg)
    except CxrkitError as error:
        described.cam_layer = None
        session.notices.append(f"{described.name}: no more overlays: {error}")
    return files
