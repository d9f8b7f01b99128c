"""How many images the published chest X-rays of Kermany et al. (2018) have."""

from collections.abc import Mapping

Counts = Mapping[str, Mapping[str, int]]
"""Split → class → images."""

KAGGLE: Counts = {
    "train": {"NORMAL": 1341, "PNEUMONIA": 3875},
    "val": {"NORMAL": 8, "PNEUMONIA": 8},
    "test": {"NORMAL": 234, "PNEUMONIA": 390},
}
"""The set "Chest X-Ray Images (Pneumonia)": 5,216, 16 and 624 images, 5,856 in all."""

MENDELEY: Counts = {
    "train": {"NORMAL": 1349, "PNEUMONIA": 3883},
    "test": {"NORMAL": 234, "PNEUMONIA": 390},
}
"""The original archive, whose train/ holds the 16 images that Kaggle's set calls validation."""

MENDELEY_URL = (
    "https://data.mendeley.com/public-files/datasets/rscbjbr9sj/files/f12eaf6d-6023-432f-acc9-80c9d7393433/"
    "file_downloaded"
)
"""``ChestXRay2017.zip`` of doi:10.17632/rscbjbr9sj.2 (CC BY 4.0), 1,235,512,464 bytes."""

MENDELEY_SHA256 = "13efc055629733dbab07877f8b3c9f81097840dbcdaa326a8542322c2281ce36"
"""Of that file, as independent projects that fetch it and check it give it; ``--sha256`` takes its place."""


def expected(counts: Counts) -> Counts | None:
    """Choose what a set of these classes is compared with: Kaggle's where it has val/; None for other classes."""
    classes = {label for split in counts.values() for label in split}
    if classes != {"NORMAL", "PNEUMONIA"}:
        return None
    return KAGGLE if "val" in counts else MENDELEY


def differences(counts: Counts, published: Counts) -> list[str]:
    """Name each split and class whose number of images is not the published one, ``train NORMAL 10 (1,341)``."""
    cells = {(split, label) for side in (counts, published) for split, labels in side.items() for label in labels}
    order = {split: number for number, split in enumerate(("train", "val", "test"))}
    told = []
    for split, label in sorted(cells, key=lambda cell: (order.get(cell[0], len(order)), cell)):
        found, wanted = (side.get(split, {}).get(label, 0) for side in (counts, published))
        if found != wanted:
            told.append(f"{split or 'outside of splits'} {label} {found:,} ({wanted:,})")
    return told


def total(counts: Counts) -> int:
    """Add up all images."""
    return sum(sum(labels.values()) for labels in counts.values())
