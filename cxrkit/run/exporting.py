"""``cxrkit export``: a saved model as a file for other programs, with everything that was fixed with it."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from importlib.metadata import version
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from cxrkit.discovery import Plugins, load
from cxrkit.errors import InputError, RunError, nearest
from cxrkit.files import replacing, sha256, write_bytes
from cxrkit.plans import Chosen
from cxrkit.records import ModelInfo, OnnxMetadata, Preprocessing
from cxrkit.registry import Registry
from cxrkit.run import check_images, examining, saved
from cxrkit.run.check_images import Advance, CheckImages
from cxrkit.run.saved import MODEL_FILE, SavedModel
from cxrkit.rundir import RunDirectory

if TYPE_CHECKING:
    from torch import nn

    from cxrkit.training.onnx_files import Differences

Format = Literal["pth", "onnx"]
SUFFIXES: dict[Format, tuple[str, ...]] = {"pth": (".pth", ".pt"), "onnx": (".onnx",)}
LIBRARIES = ("onnx", "onnxruntime", "onnxscript")
LARGEST = 2_000_000_000  # bytes of an ONNX file, whose format (protobuf) ends at 2 GiB
TOLERANCE = 1e-4  # of a probability


@dataclass(frozen=True)
class Request:
    """What the user asked for on the command line.

    Attributes:
        model: file of weights, or run directory.
        format: of the file to be written.
        output: that file.
        task: of a run directory with several.
        seed: of a task with several.
        info: ``model.json`` of a model that has none beside it.
        images: file or folder that an ONNX file is checked on; those of the run's test set where it is left out.
    """

    model: Path
    format: Format
    output: Path
    task: str | None = None
    seed: int | None = None
    info: Path | None = None
    images: Path | None = None


@dataclass(frozen=True)
class Ready:
    """A checked request.

    Attributes:
        request: as it was given.
        model: that is exported.
        info: its ``model.json``, with the options that its weights need.
        registry: of the architectures.
        images: to check an ONNX file on.
    """

    request: Request
    model: SavedModel
    info: ModelInfo
    registry: Registry
    images: CheckImages

    @property
    def sidecar(self) -> Path:
        """What is written beside a ``.pth`` file, where ``cxrkit evaluate`` looks for it."""
        return self.request.output.with_suffix(".json")

    def module(self) -> "nn.Module":
        """Build the network on the CPU, in evaluation mode."""
        from cxrkit import weight_files
        from cxrkit.training import checkpoints

        chosen = Chosen(name=self.info.model, options=self.info.model_options)
        state = weight_files.read(self.model.weights)
        return checkpoints.loaded(chosen, self.model.weights, state, self.info.class_names, self.registry)


def prepare(request: Request) -> Ready:
    """Check everything that the user gave.

    Raises:
        InputError: anything of it is wrong; nothing has been written.
        RunError: a model's plugin failed.
    """
    problems = [*_unwritable(request), *_lacking(request)]
    if problems:
        raise InputError(*problems)
    weights = _weights(request)
    if saved.read(weights, request.info).info is None:
        where = f"{weights}: no {weights.with_suffix('.json').name} lies beside it"
        raise InputError(f"{where} that tells architecture, classes and threshold, give one with --info")
    train = load("cxrkit.train")
    asked = examining.Request(models=[weights], data=weights, output=request.output, info=request.info, device="cpu")
    [model], [info] = _examined(asked, train)
    if request.format == "onnx" and info.parameters * 4 >= LARGEST:
        size = f"{info.parameters * 4 / 1e9:.1f} GB"
        raise InputError(f"{weights}: has {size} of weights, an ONNX file holds up to 2 GB, choose --format pth")
    return Ready(
        request, model, info, train.models, check_images.choose(request.images, model.origin, besides=request.output)
    )


def write_pth(ready: Ready) -> list[Path]:
    """Write the state dict, and beside it what was fixed with the model: both, or neither.

    Raises:
        RunError: they cannot be written.
    """
    from cxrkit.training.state import write_state_dict

    output, module = ready.request.output, ready.module()
    with replacing(ready.sidecar) as sidecar, replacing(output) as weights:
        write_state_dict(weights, module)
        ready.info.write(sidecar)
    return [output, ready.sidecar]


def write_onnx(ready: Ready, advance: Advance) -> "Differences":
    """Write an ONNX file that gives what PyTorch gives, or none.

    Args:
        ready: the model.
        advance: hears how many of how many images have been compared.

    Raises:
        RunError: the network cannot be translated, the file gives something else, or it cannot be written.
    """
    from cxrkit.training import onnx_files

    weights, module, temperature = ready.model.weights, ready.module(), ready.info.temperature
    content = onnx_files.content(module, _metadata(ready), str(weights))
    if len(content) >= LARGEST:
        raise RunError(f"{weights}: as ONNX has {len(content) / 1e9:.1f} GB, allowed are 2 GB, choose --format pth")
    found = onnx_files.differences(
        content, module, temperature, check_images.seen(ready.images, ready.info.preprocessing.image_size, advance)
    )
    if not found.images:
        raise RunError(f"{ready.images.what}: none of them can be read, nothing was written")
    if not found.probabilities <= TOLERANCE:  # also where it is NaN
        raise RunError(
            f"{weights}: as ONNX gives other probabilities than in PyTorch, by up to {found.probabilities:.2g} on "
            f"{found.images} images, allowed is {TOLERANCE:g}, nothing was written"
        )
    write_bytes(ready.request.output, content)
    return found


# ── What was asked for ────────────────────────────────────────────────────────────────────────────────────────────────


def _unwritable(request: Request) -> Iterator[str]:
    suffixes = SUFFIXES[request.format]
    if request.output.suffix.lower() not in suffixes:
        yield f"--output: {request.output} must end in {' or '.join(suffixes)} for --format {request.format}"
    beside = [request.output.with_suffix(".json")] if request.format == "pth" else []
    for path in (request.output, *beside):
        if path.exists():
            yield f"--output: {path} exists, choose another name or remove it"


def _lacking(request: Request) -> Iterator[str]:
    missing = [name for name in LIBRARIES if find_spec(name) is None]
    if request.format == "onnx" and missing:
        yield f'--format onnx: needs {", ".join(missing)}, pip install "cxrkit[onnx]"'
    if request.format != "onnx" and request.images is not None:
        yield "--images: is what an ONNX file is checked on, leave it out"


def _weights(request: Request) -> Path:
    """Find the file of weights, in a run directory that of a task and seed."""
    if (request.model / "run.json").is_file():
        return _of_run(RunDirectory(request.model), request)
    given = {"--task": request.task, "--seed": request.seed}
    problems = [
        f"{name}: chooses from a run directory, {request.model} is none"
        for name, value in given.items()
        if value is not None
    ]
    if problems:
        raise InputError(*problems)
    return request.model


def _of_run(run: RunDirectory, request: Request) -> Path:
    models = sorted(run.root.glob(f"tasks/*/seeds/*/{MODEL_FILE}"))
    tasks = sorted({path.parents[2].name for path in models})
    if not tasks:
        raise InputError(f"{run.root}: holds no {MODEL_FILE}, which trainings and evaluated models leave there")
    task = _one_of(tasks, request.task, "--task", f"{run.root} has models of")
    seeds = [path.parent.name for path in models if path.parents[2].name == task]
    wanted = None if request.seed is None else str(request.seed)
    seed = _one_of(seeds, wanted, "--seed", f"{task} has the seeds")
    return run.task(task).seed(int(seed)).model


def _one_of(names: Sequence[str], wanted: str | None, option: str, where: str) -> str:
    if wanted is None and len(names) == 1:
        return names[0]
    if wanted is None:
        raise InputError(f"{option}: missing, {where} {', '.join(names)}, give one")
    if wanted not in names:
        raise InputError(f'{option}: no "{wanted}" with a saved model, {nearest(wanted, names)}')
    return wanted


def _examined(asked: examining.Request, train: Plugins) -> tuple[list[SavedModel], list[ModelInfo]]:
    """Build the model from its file; a threshold that nobody chose stays one that nobody chose."""
    problems: list[str] = []
    models, infos = examining.known_models(asked, train, problems)
    if problems:
        raise InputError(*problems)
    known = [model.info.threshold if model.info else None for model in models]
    return models, [one.model_copy(update={"threshold": own}) for one, own in zip(infos, known, strict=True)]


# ── What the file says of itself ──────────────────────────────────────────────────────────────────────────────────────


def _metadata(ready: Ready) -> OnnxMetadata:
    from cxrkit.training import onnx_files

    info = ready.info
    return OnnxMetadata(
        task=info.task,
        seed=info.seed,
        architecture=info.model,
        options=info.model_options,
        class_names=info.class_names,
        positive=info.positive,
        preprocessing=info.preprocessing,
        preprocessing_steps=_steps(info.preprocessing),
        outputs=onnx_files.outputs(info.temperature),
        threshold=info.threshold,
        zone=info.zone,
        temperature=info.temperature,
        opset=onnx_files.OPSET,
        weights_sha256=sha256(ready.model.weights),
        cxrkit=version("cxrkit"),
        torch=version("torch"),
    )


def _steps(how: Preprocessing) -> list[str]:
    return [
        "8-bit grey values, white bright",
        f"resize the shorter side to {how.resize} pixels, bilinear with antialiasing",
        f"crop the central {how.image_size} x {how.image_size} pixels",
        "divide by 255",
        "repeat as three channels, channels first",
        f"subtract the mean {how.mean} and divide by the standard deviation {how.std} of each channel",
    ]
