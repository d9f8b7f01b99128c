"""How large a report is and how long it takes, where there is much to show.

    python tests/benchmarks/report_size.py [MEASUREMENT]…

Prints sizes and seconds beside the goals, which hold for two cores; the report of all formats is made in a process of
its own:

- ``pictures``: 624 test images and four tasks, as many cases with pictures and maps as a run shows by default
- ``many``: four models on 100,000 images of 60,000 patients; beside it, without a goal, how long their evaluation from
  prediction files and the report take together
"""

import resource
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
from cxrkit_plugins.reporters import cxrkit_register_metric_reporters
from PIL import Image

from cxrkit.api import Predictions
from cxrkit.config.schema import EvaluationTable, ExplainTable, TaskTable, ThresholdTable
from cxrkit.data.phantom import Case, render
from cxrkit.environment import describe
from cxrkit.evaluation import cases, evaluate, importing, predictions
from cxrkit.files import digest
from cxrkit.records import CamEntry, CamIndex
from cxrkit.registry import Registered
from cxrkit.rundir import RunDirectory, TaskDirectory, image_file_name
from cxrkit.training.overlays import Box, draw

MEBIBYTE = 2**20
POSITIVE = "PNEUMONIA"
SKILLS = {"scratch": 1.6, "upsampled": 2.0, "transfer": 2.4, "both": 2.5}
SHAPE = (1050, 1400)  # pixels, height and width of the pictures, as those of the public data set
SHOWN = 64  # different pictures; that some are shown twice changes no size
QUALITY = 88  # of the maps, as the explanations write them


def main() -> None:
    for name in sys.argv[1:] or MEASUREMENTS:
        make, goals = MEASUREMENTS[name]
        with TemporaryDirectory() as folder:
            inputs = make(Path(folder))
            for what, value, goal, unit in measured(inputs, Path(folder) / "report", goals):
                verdict = "met" if value <= goal else "MISSED"
                print(f"{name:9} {what:11} {value:6.2f} {unit}, goal {goal} {unit}: {verdict}")


def measured(inputs: list[Path], output: Path, goals: dict[str, float]) -> Iterator[tuple[str, float, float, str]]:
    started = time.perf_counter()
    report(inputs, output)
    yield "whole", time.perf_counter() - started, goals["seconds"], "s"
    yield "report.html", (output / "report.html").stat().st_size / MEBIBYTE, goals["html"], "MiB"
    yield "report.pdf", (output / "report.pdf").stat().st_size / MEBIBYTE, goals["pdf"], "MiB"
    memory = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss * (1 if sys.platform == "darwin" else 1024)
    yield "memory", memory / MEBIBYTE, goals["memory"], "MiB"


def simulated(task: str, set_name: str, n: int, n_patients: int, *, share: float = 0.625) -> Predictions:
    """Simulate logits of which models share a part; images, patients and truth are the same for every model."""
    common, own = np.random.default_rng(n), np.random.default_rng([n, len(task)])
    patient = common.permutation(np.arange(n) % n_patients)
    truth = (common.random(n_patients) < share)[patient]
    hardness = 0.7 * (common.normal(size=n_patients)[patient] + common.normal(size=n))
    margin = SKILLS[task] * (2 * truth - 1) + hardness + own.normal(size=n)
    score = 1 / (1 + np.exp(-margin))
    return Predictions(
        task=task,
        set=set_name,
        condition=None,
        class_names=("NORMAL", POSITIVE),
        positive=POSITIVE,
        images=np.array([f"{set_name}/image_{number:06d}.jpeg" for number in range(n)]),
        patients=np.char.add("p", patient.astype(np.str_)),
        labels=truth.astype(np.int64),
        status=np.full(n, "ok"),
        probabilities=np.stack([1 - score, score], axis=1),
    )


def report(inputs: list[Path], output: Path) -> None:
    command = [sys.executable, "-m", "cxrkit", "report", *map(str, inputs), "--output", str(output)]
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL)


# ── Many images ───────────────────────────────────────────────────────────────────────────────────────────────────────


def many(folder: Path) -> list[Path]:
    paths = [folder / f"{task}.csv" for task in SKILLS]
    for path in paths:
        predictions.write(path, simulated(path.stem, "test", 100_000, 60_000))
    started = time.perf_counter()
    report(paths, folder / "evaluated")
    print(f"{'many':9} {'from files':11} {time.perf_counter() - started:6.2f} s, evaluation and report")
    return [folder / "evaluated" / "run"]


# ── Many pictures ─────────────────────────────────────────────────────────────────────────────────────────────────────


def pictures(folder: Path) -> list[Path]:
    """Make an evaluated run with thumbnails and maps such as a run of trained models leaves."""
    run = evaluated(folder)
    explain = ExplainTable()
    chosen = cases.choose(run, most=explain.most, correct=explain.correct)
    rng = np.random.default_rng(0)
    drawn = [
        render(Case("test", "bacteria", number, 0, ""), SHAPE[1], seed=0)[0][: SHAPE[0]] for number in range(SHOWN)
    ]
    write_manifest(run, chosen.images)
    for number, image in enumerate(chosen.images):
        thumbnail = Image.fromarray(drawn[number % SHOWN])
        thumbnail.thumbnail((320, 320), Image.Resampling.LANCZOS)
        path = run.thumbnail(digest(image))
        path.parent.mkdir(exist_ok=True)
        thumbnail.save(path, quality=85)
    for task in SKILLS:
        write_maps(run.task(task), chosen, drawn, rng)
    return [run.root]


def evaluated(folder: Path) -> RunDirectory:
    tables = []
    for task in SKILLS:
        files = {}
        for set_name, sizes in (("test", (624, 428)), ("val", (312, 214))):
            files[set_name] = str(folder / f"{task}_{set_name}.csv")
            predictions.write(Path(files[set_name]), simulated(task, set_name, *sizes))
        tables.append(TaskTable(name=task, predictions=files))
    run = RunDirectory(folder / "run")
    found = importing.read_tasks(tables, POSITIVE)
    importing.write_run(run, tables, found, environment=describe(), started="2024-01-01T00:00:00+00:00")
    reporters = [
        (Registered(name, "metric reporter", report, "cxrkit", "", ""), {})
        for name, report in cxrkit_register_metric_reporters().items()
    ]
    evaluate(run, EvaluationTable(prevalence=0.1), dict.fromkeys(SKILLS, ThresholdTable()), reporters)
    return run


def write_manifest(run: RunDirectory, images: list[str]) -> None:
    rows = [f"{image},test,,,bacteria,{digest(image)},{SHAPE[1]},{SHAPE[0]}," for image in images]
    head = "image,split,label,patient,pathogen,sha256,width,height,excluded"
    run.manifest.write_text("\n".join([head, *rows]) + "\n", encoding="utf-8")


def write_maps(
    directory: TaskDirectory, chosen: cases.Cases, drawn: list[np.ndarray], rng: np.random.Generator
) -> None:
    (directory.cam / "overlays").mkdir(parents=True)
    side = min(SHAPE)
    left = (SHAPE[1] - side) / 2
    entries = []
    for number, image in enumerate(chosen.images):
        name = image_file_name(image)
        grid = Image.fromarray(rng.random((7, 7), dtype=np.float32) ** 2).resize((224, 224), Image.Resampling.BILINEAR)
        overlay = draw(drawn[number % SHOWN], np.asarray(grid), Box(left, 0, left + side, side))
        overlay.save(directory.cam / "overlays" / f"{name}.jpg", quality=QUALITY)
        known = {"overlay": f"overlays/{name}.jpg", "raw": f"raw/{name}.png"}
        entries.append(CamEntry(image=image, class_name=POSITIVE, **known))
    index = CamIndex(method="GradCAM", layer="layer4", seed=0, rule=chosen.rule, entries=entries)
    index.write(directory.cam / "index.json")


MEASUREMENTS = {
    "pictures": (pictures, {"seconds": 60, "html": 15, "pdf": 10, "memory": 2048}),
    "many": (many, {"seconds": 60, "html": 30, "pdf": 30, "memory": 3072}),
}


if __name__ == "__main__":
    main()
