"""``cxrkit train``: from a folder of images and a model's name to a ``tasks.toml`` of one task, and its study."""

import os
import re
import tomllib
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any, Literal

from pandas import DataFrame

from cxrkit import options
from cxrkit.config.reading import apply_set, read_toml
from cxrkit.config.schema import DataTable
from cxrkit.config.writing import commented
from cxrkit.data.building import positive_class
from cxrkit.data.patients import recognised
from cxrkit.data.sources import collect
from cxrkit.discovery import Plugins, load
from cxrkit.errors import InputError
from cxrkit.files import write_text
from cxrkit.registry import Registered
from cxrkit.run import study as studies
from cxrkit.run.examining import patient_rule
from cxrkit.run.study import Study

SCRATCH_RATE, PRETRAINED_RATE = 1e-3, 1e-4  # the course's
PRETRAINED_SUFFIX = "-pretrained"
OFF = "none"  # weights of a model that is not pretrained, and layers that are not frozen
PUBLISHED = {"timm": "timm"}  # how a model's option "weights" asks for the published ones; "imagenet" as a rule

EARLY_LAYERS: Mapping[str, str] = {
    "resnet": "layer2",
    "resnext": "layer2",
    "wide_resnet": "layer2",
    "densenet": "features.denseblock2",
    "convnext": "features.3",
    "efficientnet": "features.3",
    "swin": "features.3",
    "regnet": "trunk_output.block2",
    "shufflenet": "stage2",
    "googlenet": "inception3b",
    "inception_v3": "Mixed_5d",
}
"""Family of models by the beginning of their names → the layer up to which a pretrained one stays as it is: the first
half of its stages, which see edges and textures."""


@dataclass(frozen=True)
class Request:
    """What the user asked for on the command line; what is left out is None or empty.

    Attributes:
        data: folder of train/ and test/ of class folders, or a CSV file.
        model: registered name.
        pretrained: whether it begins with published weights; by default as the model itself does.
        weights: file of a state dict to begin with.
        epochs: passes over the training images.
        batch_size: images per step.
        learning_rate: 1e-3 from scratch, 1e-4 pretrained by default.
        device: ``auto``, ``cpu``, ``cuda`` or ``mps``.
        output: run directory; ``runs/<name>`` by default.
        class_weights: whether rare classes weigh more.
        scheduler: of the learning rate.
        seeds: one training each.
        positive: class that is detected; by its name by default.
        groups: how patients are told apart: ``kermany``, ``image``, ``column=NAME`` or ``regex=PATTERN``.
        sets: ``key=value`` texts, as ``cxrkit run`` takes them.
        fresh: move aside what is there and begin again.
    """

    data: Path
    model: str
    pretrained: bool | None = None
    weights: Path | None = None
    epochs: int = 20
    batch_size: int = 32
    learning_rate: float | None = None
    device: Literal["auto", "cpu", "cuda", "mps"] = "auto"
    output: Path | None = None
    class_weights: bool = False
    scheduler: str = OFF
    seeds: Sequence[int] = (0,)
    positive: str | None = None
    groups: str | None = None
    sets: Sequence[str] = ()
    fresh: bool = False


@dataclass(frozen=True)
class OneModel:
    """A checked request.

    Attributes:
        study: what ``cxrkit run`` would make of the file.
        path: of the ``tasks.toml``.
        text: what it says.
        notices: sentences that the user should see.
    """

    study: Study
    path: Path
    text: str
    notices: tuple[str, ...]

    def write(self) -> None:
        """Write the file, unless one that says the same is there; one that says something else moves to ``old/``."""
        if self.path.exists():
            if read_toml(self.path) == tomllib.loads(self.text):
                return
            now = datetime.now().astimezone().strftime("%Y-%m-%dT%H-%M-%S")
            write_text(self.path.parent / "old" / now / self.path.name, self.path.read_text(encoding="utf-8"))
        write_text(self.path, self.text)


def prepare(
    request: Request,
    *,
    advance: Callable[[int, int], None] | None = None,
    take: Callable[[Path], None] | None = None,
) -> OneModel:
    """Write down in TOML what is asked for, and check all of it.

    Args:
        request: from the command line.
        advance: hears how many of how many images have been read.
        take: keeps others out of the output folder and the run directory; is called before the images are read.

    Raises:
        InputError: anything of it is wrong, or the output holds something else; nothing has been written.
    """
    chosen = _model(request, load("cxrkit.train"))
    output = request.output or Path("runs") / chosen.name
    path = output / "tasks.toml"
    data, notices = _data(request, output, load("cxrkit"))
    document = _document(request, chosen, data, output)
    for text in request.sets:
        apply_set(document, text)
    text = commented("train.toml.j2", document)
    if take is not None:
        take(output)
    if not request.fresh:
        _refuse_other(path, tomllib.loads(text))
    asked = studies.Request(path, sets=request.sets, fresh=request.fresh, text=text)
    return OneModel(studies.prepare(asked, advance=advance, take=take), path, text, (*chosen.notices, *notices))


# ── The model ─────────────────────────────────────────────────────────────────────────────────────────────────────────


@dataclass(frozen=True)
class _Model:
    """A model as the TOML has it.

    Attributes:
        use: its registered name.
        options: of it, where they are not its defaults.
        pretrained: whether it begins with weights.
        notices: sentences that the user should see.
    """

    use: str
    options: dict[str, Any] = field(default_factory=dict)
    pretrained: bool = False
    notices: tuple[str, ...] = ()

    @property
    def name(self) -> str:
        """What the task and its folder are called."""
        name = re.sub(r"[^A-Za-z0-9_-]+", "-", self.use).strip("-_")
        return name + PRETRAINED_SUFFIX if self.pretrained and not name.endswith(PRETRAINED_SUFFIX) else name


def _model(request: Request, plugins: Plugins) -> _Model:
    found = plugins.models.get(request.model, "--model")
    if request.weights is not None and request.pretrained is False:
        raise InputError("--weights: begins with a file's weights and --no-pretrained without, leave one of them out")
    if request.weights is not None and not request.weights.is_file():
        raise InputError(f"--weights: no file {request.weights}, allowed is a state dict (.pth or .safetensors)")
    wanted = True if request.weights is not None else request.pretrained
    if wanted and "weights" not in _defaults(found):
        found = _pretrained_twin(found, plugins)
    begins_with = _defaults(found).get("weights", OFF)
    if not (begins_with != OFF if wanted is None else wanted):
        return _Model(found.name, {"weights": OFF} if begins_with != OFF else {})
    published = {} if begins_with != OFF else {"weights": PUBLISHED.get(found.name, "imagenet")}
    frozen, notices = _frozen(found)
    return _Model(found.name, published | frozen, pretrained=True, notices=notices)


def _pretrained_twin(model: Registered, plugins: Plugins) -> Registered:
    """Find the model of the same name that takes weights, such as ``resnet18-pretrained``."""
    twin = f"{model.name}{PRETRAINED_SUFFIX}"
    if twin not in plugins.models.names():
        raise InputError(
            f'--pretrained: the model "{model.name}" has no option weights, give one that has, or leave it'
        )
    return plugins.models.get(twin, "--model")


def _defaults(model: Registered) -> dict[str, Any]:
    return {option.name: option.default for option in options.describe(model.factory)}


def _frozen(model: Registered) -> tuple[dict[str, Any], tuple[str, ...]]:
    """Keep the early layers as they are, where it is known which they are."""
    if _defaults(model).get("freeze") != OFF:
        return {}, ()
    family = max((name for name in EARLY_LAYERS if model.name.startswith(name)), key=len, default=None)
    if family is not None:
        return {"freeze": EARLY_LAYERS[family]}, ()
    told = f'the early layers of "{model.name}" are not known, all layers are trained'
    return {}, (f"{told}; --set task.{_Model(model.name, pretrained=True).name}.model.freeze=LAYER keeps some",)


# ── The data ──────────────────────────────────────────────────────────────────────────────────────────────────────────


def _data(request: Request, output: Path, plugins: Plugins) -> tuple[dict[str, Any], list[str]]:
    """Describe the images as ``[data]`` does: where they are, what is detected, how patients are told apart."""
    rule = patient_rule(request.groups)
    key = "manifest" if request.data.is_file() or request.data.suffix.lower() == ".csv" else "root"
    frame = collect(DataTable.model_validate({key: str(request.data)}), Path(), plugins.datasets).frame
    used = frame[frame["excluded"] == ""]
    names = sorted(set(used.loc[used["split"] == "train", "label"]) or set(used["label"]))
    told: dict[str, Any] = {
        key: _seen_from(output, request.data),
        "positive": positive_class(names, request.positive, "--positive"),
    }
    rule = rule or recognised(frame)
    if rule is not None:
        told["groups"] = _shortest(rule.model_dump(exclude_defaults=True))
    return told, list(_untold_patients(used, has_rule=rule is not None))


def _shortest(rule: dict[str, Any]) -> Any:
    return rule["rule"] if rule.keys() == {"rule"} else rule


def _untold_patients(used: DataFrame, *, has_rule: bool) -> Iterator[str]:
    if not has_rule and not (used["patient"] != "").any():
        yield (
            "patients are not told apart, every image counts as one of its own; "
            "--groups tells how: kermany, column=NAME or regex=PATTERN"
        )


def _seen_from(folder: Path, path: Path) -> str:
    """Write a path as seen from a folder; one that was given as absolute stays so."""
    if path.is_absolute():
        return path.as_posix()
    whole = path.parent.resolve() / path.name if path.name != ".." else path.resolve()
    try:
        return Path(os.path.relpath(whole, folder.resolve())).as_posix()
    except ValueError:  # on another drive of Windows
        return whole.as_posix()


# ── The file ──────────────────────────────────────────────────────────────────────────────────────────────────────────


def _document(request: Request, model: _Model, data: dict[str, Any], output: Path) -> dict[str, Any]:
    rate = request.learning_rate or (PRETRAINED_RATE if model.pretrained else SCRATCH_RATE)
    given = {} if request.weights is None else {"weights": _seen_from(output, request.weights)}
    model_options = model.options | given
    return {
        "run": {"output": ".", "seed": 0, "device": request.device},
        "data": data | {"image_size": 224, "validation": {"from": "train", "fraction": 0.1}},
        "augmentation": {"random_resized_crop": {"scale": [0.08, 1.0]}, "horizontal_flip": 0.5},
        "task": [
            {
                "name": model.name,
                "model": {"use": model.use, **model_options} if model_options else model.use,
                "imbalance": "class-weights" if request.class_weights else "none",
                "trainer": {
                    "use": "fabric",
                    "learning_rate": rate,
                    "optimizer": "adam",
                    "scheduler": request.scheduler,
                },
                "epochs": request.epochs,
                "batch_size": request.batch_size,
                "seeds": list(request.seeds),
            }
        ],
        "threshold": {"rule": "youden"},
        "report": {"title": f"{model.name} on {request.data.resolve().name}"},
    }


def _refuse_other(path: Path, document: Mapping[str, Any]) -> None:
    """Refuse an output folder that another configuration was run in."""
    if not path.exists():
        if (path.parent / "run.json").exists():
            raise InputError(f"{path.parent}: is the run directory of another file, choose another --output")
        return
    there, asked = dict(_flat(read_toml(path))), dict(_flat(document))
    differing = [key for key in there | asked if there.get(key) != asked.get(key)]
    if differing:
        raise InputError(
            f"{path}: exists and says otherwise ({', '.join(differing)}), "
            "choose another --output, or begin again with --fresh, which moves it to old/"
        )


def _flat(table: Mapping[str, Any], at: str = "") -> Iterator[tuple[str, Any]]:
    for key, value in table.items():
        inner = value[0] if key == "task" and isinstance(value, list) and len(value) == 1 else value
        if isinstance(inner, Mapping):
            yield from _flat(inner, f"{at}{key}.")
        else:
            yield f"{at}{key}", value
