"""Each rule on made-up histories on both sides of its limit."""

import csv
import math
from pathlib import Path

import numpy as np
import pytest

from cxrkit.api import Predictions
from cxrkit.evaluation import hints
from cxrkit.evaluation.hint_rules import Trained, of_history, of_validation
from cxrkit.evaluation.predictions import write
from cxrkit.records import TaskInfo
from cxrkit.rundir import TaskDirectory

FABRIC = {"learning_rate": 1e-3, "scheduler": "none", "early_stopping": 0, "weight_decay": 0.0}
FALLING = [0.60, 0.50, 0.42, 0.36, 0.31, 0.27, 0.24, 0.22]


def a_task(folder=Path("model"), name="model", *, trainer=FABRIC, model=None, imbalance="none", **changes):
    values = {
        "task": name,
        "kind": "trained",
        "state": "finished",
        "class_names": ["NORMAL", "PNEUMONIA"],
        "positive": "PNEUMONIA",
        "seeds": [0],
        "imbalance": imbalance,
        "options": {"trainer": trainer, "model": model or {}},
    }
    return Trained(name, TaskDirectory(folder), TaskInfo(**(values | changes)))


def rows(trained, validated, rates=None):
    rates = rates or [1e-3] * len(trained)
    return [
        {"epoch": epoch, "train_loss": train, "val_loss": val, "learning_rate": rate}
        for epoch, (train, val, rate) in enumerate(zip(trained, validated, rates, strict=True), start=1)
    ]


def told(trained, validated, rates=None, **of_task):
    return dict(of_history(rows(trained, validated, rates), a_task(**of_task)))


def test_a_good_training_gives_no_hint():
    assert told(FALLING, [0.58, 0.50, 0.44, 0.40, 0.38, 0.37, 0.372, 0.371]) == {}


def test_overfitting_is_a_rising_validation_loss_under_a_falling_training_loss():
    rising = [0.50, 0.45, 0.40, 0.41, 0.43, 0.44, 0.45, 0.46]
    sentence = told(FALLING, rising)["overfitting"]
    assert sentence == (
        "the validation loss rose from 0.400 after epoch 3 to 0.450 in the last 3 epochs while the training loss went "
        "on falling, the model may be overfitting: fewer epochs, trainer.early_stopping, trainer.weight_decay or more "
        "of [augmentation] may help"
    )
    assert told(FALLING, [0.50, 0.45, 0.40, 0.41, 0.42, 0.43, 0.44, 0.449]) == {}  # by less than a tenth
    assert "overfitting" not in told([*FALLING[:3], 0.43, 0.43, 0.43, 0.43, 0.43], rising)  # nothing is learnt by heart
    assert told(FALLING[:5], rising[:5]) == {}  # two epochs later tell nothing


def test_still_improving_is_a_lowest_loss_at_the_end():
    falling = [0.60, 0.55, 0.51, 0.48, 0.46, 0.44, 0.42, 0.40]
    assert told(FALLING, falling)["still improving"].startswith(
        "the validation loss was lowest in the last epoch (0.460 until epoch 5, then 0.400), training may have ended"
    )
    assert told(FALLING, [*falling[:5], 0.458, 0.456, 0.452]) == {}  # by less than 2 %
    assert told(FALLING, [*falling[:6], 0.40, 0.401]) == {}
    assert told(FALLING[:3], falling[:3]) == {}
    spent = [1e-3, 1e-3, 8e-4, 6e-4, 4e-4, 3e-4, 1e-4, 2e-5]
    assert told(FALLING, falling, spent) == {}  # the schedule has run out


@pytest.mark.parametrize(
    ("trained", "validated", "seen"),
    [
        (
            FALLING,
            [0.5, 0.9, 0.45, 0.42, 0.80, 0.40, 0.40, 0.40],
            "the validation loss spiked in epochs 2 and 5 (over 1.5 times that of the epochs around)",
        ),
        ([0.6, 0.5, 0.55, 0.5, 0.54, 0.45, 0.4, 0.4], [0.5] * 8, "the training loss rose again in epochs 3 and 5"),
        ([0.6, 0.62, 0.63, 0.64], [0.5] * 4, "the training loss ended higher than it began (0.600, then 0.640)"),
        (FALLING, [0.5] * 7 + [math.nan], "the loss is no number in epoch 8"),
    ],
)
def test_a_rate_that_may_be_too_high_shows_in_four_ways(trained, validated, seen):
    remedy = "lowering trainer.learning_rate (0.001 now) or setting trainer.scheduler may help"
    assert told(trained, validated) == {"rate too high": f"{seen}, the learning rate may be too high: {remedy}"}


@pytest.mark.parametrize(
    ("trained", "validated"),
    [
        (FALLING, [0.5, 0.9, 0.45, 0.42, 0.60, 0.40, 0.40, 0.40]),  # a single spike
        ([0.6, 0.5, 0.52, 0.5, 0.52, 0.45, 0.4, 0.4], [0.5] * 8),  # by less than a twentieth of the first
        ([0.6, 0.5, 0.55, 0.5, 0.4, 0.35, 0.3, 0.3], [0.5] * 8),  # once
        ([0.6, 0.59, 0.60, 0.62], [0.5] * 4),
    ],
)
def test_a_mishap_is_no_hint(trained, validated):
    assert told(trained, validated) == {}


def test_a_schedule_is_not_advised_where_there_is_one_and_keys_only_where_the_trainer_has_them():
    spikes = [0.5, 0.9, 0.45, 0.42, 0.80, 0.40, 0.40, 0.40]
    with_one = told(FALLING, spikes, trainer=FABRIC | {"scheduler": "cosine"})["rate too high"]
    assert with_one.endswith("lowering trainer.learning_rate (0.001 now) may help")
    others = told(FALLING, spikes, trainer={"speed": 3})["rate too high"]
    assert others.endswith("lowering the learning rate or setting the scheduler may help")


def test_a_rate_that_may_be_too_low_moves_nothing():
    flat = [0.690, 0.688, 0.685, 0.680, 0.672]
    assert told(flat, [0.69] * 5)["rate too low"] == (
        "the training loss hardly fell in 5 epochs (0.690, at best 0.672), the learning rate may be too low: "
        "raising trainer.learning_rate may help"
    )
    frozen = told(flat, [0.69] * 5, model={"freeze": "layer4"})["rate too low"]
    assert frozen.endswith("raising trainer.learning_rate or freezing fewer layers (model.freeze) may help")
    assert told([*flat[:4], 0.655], [0.69] * 5) == {}
    assert told(flat[:4], [0.69] * 4) == {}


def test_a_trainer_of_other_columns_gives_no_hint():
    assert dict(of_history([{"epoch": 1.0, "score": 0.1}] * 9, a_task())) == {}
    assert dict(of_history([], a_task())) == {}


# ── Validation ────────────────────────────────────────────────────────────────────────────────────────────────────────


def predictions(normal, ill, called_normal, called_ill):
    """So many images of either class, of which so many are called right."""
    labels = np.repeat([0, 1], [normal, ill])
    right = np.concatenate([np.arange(normal) < called_normal, np.arange(ill) < called_ill])
    score = np.where(right == (labels == 1), 0.8, 0.2)
    names = np.array([f"{number}.png" for number in range(len(labels))])
    return Predictions(
        task="model",
        set="val",
        condition=None,
        class_names=("NORMAL", "PNEUMONIA"),
        positive="PNEUMONIA",
        images=names,
        patients=names,
        labels=labels.astype(np.int64),
        status=np.full(len(labels), "ok"),
        probabilities=np.column_stack([1 - score, score]),
    )


@pytest.mark.parametrize(
    ("counts", "seen"),
    [
        ((40, 120, 7, 118), "7 of 40 validation images of NORMAL were called NORMAL by the most probable class"),
        (
            (40, 200, 10, 200),
            "230 of 240 validation images were called PNEUMONIA by the most probable class and 200 show it",
        ),
        ((40, 120, 8, 112), None),
        ((40, 360, 10, 360), None),  # nine of ten are ill
        ((4, 12, 0, 12), None),  # too few to tell
    ],
)
def test_imbalance_is_a_class_that_is_hardly_called_or_nearly_always(counts, seen):
    found = dict(of_validation(predictions(*counts), a_task()))
    remedy = 'class imbalance may be in the way: imbalance = "class-weights" may help'
    found.pop("few images", None)
    assert found == ({"imbalance": f"{seen}, {remedy}"} if seen else {})


def test_what_was_treated_already_is_not_advised():
    found = dict(of_validation(predictions(40, 120, 0, 120), a_task(imbalance="upsample")))
    assert found["imbalance"].endswith('another imbalance than "upsample" may help')


def test_few_validation_images_are_told_with_what_one_of_them_moves():
    few = dict(of_validation(predictions(8, 8, 8, 8), a_task()))
    assert few["few images"].startswith(
        "validation has 16 images, 8 of NORMAL, and one image is 12% of these; the epoch"
    )
    assert dict(of_validation(predictions(30, 30, 30, 30), a_task())) == {}
    assert "few images" in dict(of_validation(predictions(29, 300, 29, 300), a_task()))


# ── A run ─────────────────────────────────────────────────────────────────────────────────────────────────────────────


def written(folder, task, histories, found):
    """Leave of a task what the rules read."""
    for seed, history in histories.items():
        directory = task.directory.seed(seed)
        directory.root.mkdir(parents=True)
        with directory.history.open("w", encoding="utf-8", newline="") as file:
            writer = csv.DictWriter(file, list(history[0]))
            writer.writeheader()
            writer.writerows(history)
        write(directory.predictions("val"), found)
    return task


def test_the_same_of_several_seeds_and_tasks_is_told_once(tmp_path):
    spiked = rows(FALLING, [0.5, 0.9, 0.45, 0.42, 0.80, 0.40, 0.40, 0.40])
    calm = rows(FALLING, [0.5] * 8)
    few = predictions(8, 8, 8, 8)
    tasks = [
        written(tmp_path, a_task(tmp_path / "a", "a", seeds=[0, 1, 2]), {0: calm, 1: spiked, 2: spiked}, few),
        written(tmp_path, a_task(tmp_path / "b", "b"), {0: calm}, few),
        a_task(tmp_path / "c", "c", kind="predictions", seeds=[]),
    ]
    size, spikes = hints.of_tasks(tasks)
    assert spikes.startswith("a: with seed 1, the validation loss spiked in epochs 2 and 5")
    assert spikes.endswith("may help (so with seed 2).")
    assert size.startswith("a, b: validation has 16 images, 8 of NORMAL")


def test_a_task_without_files_gives_none(tmp_path):
    assert hints.of_tasks([a_task(tmp_path)]) == []
