"""Run under lightning-fabric on as many CPU processes as asked: what they see, and what they learn.

    python two_devices.py DEVICES STRATEGY OUT

Every process writes OUT-<rank>.json: the labels of each of its batches of the first epoch, and the trained weights.
"""

import json
import sys
from pathlib import Path

import numpy as np
import torch
from torch import nn

from cxrkit import discovery
from cxrkit.plans import DevicePlan
from cxrkit.training import devices
from cxrkit.training.context import Context, ValidationImages
from cxrkit.training.order import Visit

LABELS = np.repeat([0, 1], [13, 30]).astype(np.int64)
GREYS = np.random.default_rng(0).integers(0, 256, (len(LABELS), 8, 8)).astype(np.uint8)
SMOOTH = {"learning_rate": 0.05, "optimizer": "sgd", "label_smoothing": 0.1}


class Memory:
    """Stands where images are loaded: without augmentation, whatever the visit."""

    def batches(self, visits: list[list[Visit]]):
        for batch in visits:
            yield torch.from_numpy(GREYS[[visit.image for visit in batch]])


def main(count: int, strategy: str, out: str) -> None:
    fabric = devices.launch(DevicePlan(device="cpu", devices=count, precision="fp32", threads=1))
    plugins = discovery.load("cxrkit.train")
    torch.manual_seed(0)
    context = Context(
        fabric=fabric,
        model=nn.Sequential(nn.AvgPool2d(2), nn.Flatten(), nn.Linear(48, 2)),
        class_names=("NORMAL", "PNEUMONIA"),
        imbalance=plugins.imbalance_strategies.get(strategy, "here").factory(LABELS, 2),
        epochs=2,
        batch_size=9,
        seed=0,
        directory=Path(out),
        loader=Memory(),
        labels=LABELS,
        validation=ValidationImages(GREYS, LABELS, 1),
        tell=lambda _event: None,
        notify=lambda _context, _row: None,
    )
    seen = [batch.labels.tolist() for batch in context.train_batches(1)]
    plugins.trainers.get("fabric", "here").factory(context, **SMOOTH)
    weights = {name: value.tolist() for name, value in context.model.state_dict().items()}
    found = {"seen": seen, "weights": weights}
    Path(f"{out}-{fabric.global_rank}.json").write_text(json.dumps(found), encoding="utf-8")


if __name__ == "__main__":
    main(int(sys.argv[1]), sys.argv[2], sys.argv[3])
