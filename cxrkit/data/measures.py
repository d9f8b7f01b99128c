"""What can be told of an image without understanding it: size, brightness, contrast, colour."""

from collections.abc import Mapping, Sequence
from typing import get_args

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from cxrkit.data.images import THUMBNAIL, Look
from cxrkit.records import ImageStatistic, ImageStatistics

STATISTICS: tuple[ImageStatistic, ...] = get_args(ImageStatistic)
SHARES: tuple[ImageStatistic, ...] = ("black", "white", "colour")
"""Statistics whose median is mostly 0, so that the mean tells more."""
NEARLY_BLACK, NEARLY_WHITE = 10, 245  # grey values


def thumbnails(hashes: "pd.Series[str]", looks: Mapping[str, Look]) -> NDArray[np.uint8]:
    """Stack the thumbnails of files: uint8[n, 32, 32]."""
    content = b"".join(looks[sha256].thumbnail for sha256 in hashes)
    return np.frombuffer(content, dtype=np.uint8).reshape(-1, THUMBNAIL, THUMBNAIL)


def measured(used: pd.DataFrame, looks: Mapping[str, Look]) -> pd.DataFrame:
    """Compute every statistic of every image.

    Grey values are those of the image reduced to 32 x 32 pixels, so that neither noise nor resolution enters.

    Args:
        used: usable rows with ``sha256``, ``width`` and ``height``.
        looks: file hash → what the image looks like.

    Returns:
        float64[n, 8] on the rows' index; the columns are :data:`STATISTICS`.
    """
    grey = thumbnails(used["sha256"], looks).reshape(len(used), THUMBNAIL**2)
    columns: dict[ImageStatistic, object] = {
        "width": used["width"],
        "height": used["height"],
        "aspect": used["width"] / used["height"],
        "intensity": grey.mean(axis=1),
        "contrast": grey.std(axis=1),
        "black": (grey <= NEARLY_BLACK).mean(axis=1),
        "white": (grey >= NEARLY_WHITE).mean(axis=1),
        "colour": [_has_colour(looks[sha256].mode) for sha256 in used["sha256"]],
    }
    return pd.DataFrame(columns, index=used.index).astype(np.float64)


def _has_colour(mode: str) -> bool:
    return mode not in ("1", "L", "LA", "La") and not mode.startswith("I")


def described(used: pd.DataFrame, measures: pd.DataFrame, sets: Sequence[str]) -> list[ImageStatistics]:
    """Summarise every statistic by set and class, in the order of the sets."""
    classes = sorted(set(used["label"]))
    groups = [(name, label, (used["split"] == name) & (used["label"] == label)) for name in sets for label in classes]
    return [
        _summary(name, label, statistic, measures.loc[rows, statistic].to_numpy())
        for name, label, rows in groups
        if rows.any()
        for statistic in STATISTICS
    ]


def _summary(name: str, label: str, statistic: ImageStatistic, values: NDArray[np.float64]) -> ImageStatistics:
    least, lower, median, upper, most = (float(value) for value in np.quantile(values, [0, 0.25, 0.5, 0.75, 1]))
    return ImageStatistics(
        set=name,
        class_name=label,
        statistic=statistic,
        n=len(values),
        mean=float(values.mean()),
        sd=float(values.std(ddof=1)) if len(values) > 1 else None,
        least=least,
        lower_quartile=lower,
        median=median,
        upper_quartile=upper,
        most=most,
    )


def modes(used: pd.DataFrame, looks: Mapping[str, Look], sets: Sequence[str]) -> dict[str, dict[str, dict[str, int]]]:
    """Count Pillow's pixel formats by set and class, the most frequent first."""
    told = used.assign(mode=[looks[sha256].mode for sha256 in used["sha256"]])
    return {
        name: {
            str(label): {str(mode): int(count) for mode, count in rows["mode"].value_counts().items()}
            for label, rows in told[told["split"] == name].groupby("label")
        }
        for name in sets
    }
