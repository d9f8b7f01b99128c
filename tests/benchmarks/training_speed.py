"""Measure training: cxrkit's own child process against by_hand.py and against the network fed from memory.

All three train ResNet-18 on the same images, one after the other, in several rounds; the second epoch counts.
Prints the images per second of each round and the medians of both ratios.

    python tests/benchmarks/training_speed.py DATA [--images 512] [--rounds 3]

DATA holds train/ val/ test/ of class folders; of val and test a few images are enough and are all that is used.
"""

import argparse
import json
import shutil
import statistics
import subprocess
import sys
import time
from itertools import islice
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np

from cxrkit import data, discovery
from cxrkit.config.schema import AugmentationTable, DataTable
from cxrkit.plans import Chosen, DevicePlan, TrainingPlan
from cxrkit.records import Timing
from cxrkit.rundir import RunDirectory

BY_HAND = Path(__file__).with_name("by_hand.py")
EVALUATED = 8  # images of each class in val and test
BATCH_SIZE = 32
DEVICES = DevicePlan()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("data", type=Path)
    parser.add_argument("--images", type=int, default=512)
    parser.add_argument("--size", type=int, default=224)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--from-memory", action="store_true", help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.from_memory:
        print(rate_from_memory(arguments.images, arguments.size))
        return
    with TemporaryDirectory() as folder:
        compare(copied(arguments.data, Path(folder) / "data", arguments.images), arguments)


def copied(source: Path, target: Path, images: int) -> Path:
    """Copy a random part of train and a few images of val and test, so that all measure the same work."""
    train = sorted(path for path in (source / "train").glob("*/*") if path.is_file())
    chosen = [train[index] for index in np.random.default_rng(0).permutation(len(train))[:images]]
    for split in ("val", "test"):
        for folder in sorted((source / split).iterdir()):
            chosen += islice(sorted(folder.iterdir()), EVALUATED)
    for path in chosen:
        copy = target / path.relative_to(source)
        copy.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(path, copy)
    return target


def compare(folder: Path, arguments: argparse.Namespace) -> None:
    rates: dict[str, list[float]] = {"by hand": [], "cxrkit": [], "from memory": []}
    for number in range(arguments.rounds):
        rates["by hand"].append(rate_by_hand(folder, arguments.size))
        rates["cxrkit"].append(rate_of_child(folder, arguments.size, f"round{number}"))
        rates["from memory"].append(rate_in_own_process(folder, arguments))
        print("  ".join(f"{name} {values[-1]:.1f} images/s" for name, values in rates.items()), flush=True)
    for other, goal in (("by hand", "2.2 or more"), ("from memory", "0.92 or more")):
        ratios = [own / its for own, its in zip(rates["cxrkit"], rates[other], strict=True)]
        print(f"cxrkit / {other}: {statistics.median(ratios):.3f} (median; goal {goal})")


def rate_by_hand(folder: Path, size: int) -> float:
    out = folder.parent / "by_hand"
    options = ["--epochs", "2", "--batch-size", str(BATCH_SIZE), "--size", str(size)]
    run([str(BY_HAND), "--data", str(folder), "--out", str(out), *options])
    rate: float = json.loads(out.with_suffix(".json").read_bytes())[1]["train_images_per_second"]
    return rate


def rate_of_child(folder: Path, size: int, task: str) -> float:
    run_directory = RunDirectory(folder.parent / "run")
    table = DataTable(root=str(folder), validation="folder", image_size=size)
    manifest = data.build(table, folder, discovery.load("cxrkit").datasets, seed=0)
    manifest.write(run_directory.manifest)
    class_names, positive = data.classes(manifest, table)
    plan = TrainingPlan(
        run_directory=str(run_directory.root),
        roots={name: str(root) for name, root in manifest.roots.items()},
        task=task,
        seed=0,
        class_names=list(class_names),
        positive=positive,
        image_size=size,
        model=Chosen(name="resnet18"),
        imbalance=Chosen(name="none"),
        trainer=Chosen(name="fabric"),
        augmentation=AugmentationTable(),
        epochs=2,
        batch_size=BATCH_SIZE,
        devices=DEVICES,
        sets=["val"],
    )
    seed = run_directory.task(task).seed(0)
    plan.write(seed.plan)
    run(["-m", "cxrkit.training.child", "train", str(seed.plan)])
    return Timing.read(seed.timing).epochs[1]["images_per_second"]


def rate_in_own_process(folder: Path, arguments: argparse.Namespace) -> float:
    options = ["--images", str(arguments.images), "--size", str(arguments.size)]
    return float(run([__file__, str(folder), "--from-memory", *options]))


def rate_from_memory(images: int, size: int) -> float:
    """Train the same network with the same settings on ready batches, and time a second epoch."""
    import torch

    from cxrkit.training import devices, models

    fabric = devices.launch(DEVICES)
    torch.manual_seed(0)
    registry = discovery.load("cxrkit.train").models
    module = models.build(Chosen(name="resnet18"), 2, registry, "benchmark").to(memory_format=torch.channels_last)
    network = fabric.setup(module)
    fused = True if fabric.device.type == "cpu" else None
    optimizer = fabric.setup_optimizers(torch.optim.Adam(module.parameters(), fused=fused))
    inputs = [
        torch.randn(BATCH_SIZE, 3, size, size, device=fabric.device).contiguous(memory_format=torch.channels_last)
        for _ in range(images // BATCH_SIZE)
    ]
    labels = torch.arange(BATCH_SIZE, device=fabric.device) % 2
    for _ in range(2):
        started = time.perf_counter()
        for batch in inputs:
            optimizer.zero_grad()
            loss = torch.nn.functional.cross_entropy(network(batch).float(), labels)
            fabric.backward(loss)
            optimizer.step()
            loss.item()
    return len(inputs) * BATCH_SIZE / (time.perf_counter() - started)


def run(arguments: list[str]) -> str:
    done = subprocess.run([sys.executable, *arguments], capture_output=True, text=True, check=False)
    if done.returncode:
        sys.exit(f"{arguments[0]} failed:\n{done.stderr}\n{done.stdout}")
    return done.stdout


if __name__ == "__main__":
    main()
