"""What archives wrap their images in, taken off: train/ and test/ come to lie at the top."""

import filecmp
import os
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

_SPLITS = {"train", "training", "test", "testing"}
_DEEPEST = 4


class Lifted(NamedTuple):
    """What was not kept, and what lies odd.

    Attributes:
        copies: files of a nested copy of the whole set, byte by byte those of the set itself, which were left out.
        differing: files of such a copy that are not, and were kept where they were.
        left_out: files from around the set whose place was taken.
    """

    copies: int
    differing: int
    left_out: list[str]


def lift(content: Path, folder: Path) -> Lifted:
    """Move a data set up out of the folders that wrap it, such as ``chest_xray/chest_xray``.

    The only folder that holds ``train`` or ``test`` becomes ``folder``; without one, folders that hold nothing but one
    other folder are taken off. A copy of the set inside it, as Kaggle's archive has one, is left out. Files from
    around the set keep their path.

    Args:
        content: what was extracted, in ``folder``; it is gone afterwards.
        folder: takes it.
    """
    root = _set_folder(content)
    copies, differing = _without_copies(root)
    for child in sorted(root.iterdir()):
        child.rename(folder / child.name)
    left_out = list(_move_others(content, folder))
    shutil.rmtree(content)
    return Lifted(copies, differing, left_out)


def _set_folder(content: Path) -> Path:
    level = [content]
    for _ in range(_DEEPEST):
        holding = [place for place in level if _has_splits(place)]
        if len(holding) == 1:
            return holding[0]
        if holding:
            break
        level = [below for place in level for below in _folders(place)]
    return _unwrapped(content)


def _unwrapped(root: Path) -> Path:
    while len(inside := list(root.iterdir())) == 1 and inside[0].is_dir() and _folders(inside[0]):
        root = inside[0]
    return root


def _without_copies(root: Path) -> tuple[int, int]:
    copies = differing = 0
    for nested in _nested_sets(root):
        for path in _files(nested):
            twin = root / path.relative_to(nested)
            if twin.is_file() and filecmp.cmp(path, twin, shallow=False):
                path.unlink()
                copies += 1
            else:
                differing += 1
        _remove_empty(nested)
    return copies, differing


def _nested_sets(root: Path) -> list[Path]:
    """Find the folders that hold splits of their own, below a set and outside of its splits."""
    if not _has_splits(root):
        return []
    level = [place for place in _folders(root) if place.name.lower() not in _SPLITS | {"val", "valid", "validation"}]
    found: list[Path] = []
    for _ in range(_DEEPEST):
        found += [place for place in level if _has_splits(place)]
        level = [below for place in level if place not in found for below in _folders(place)]
    return found


def _move_others(content: Path, folder: Path) -> Iterator[str]:
    for path in list(_files(content)):
        relative = path.relative_to(content)
        place = folder / relative
        if any((folder / parent).is_file() for parent in relative.parents) or place.exists():
            yield relative.as_posix()
            continue
        place.parent.mkdir(parents=True, exist_ok=True)
        path.rename(place)


def _remove_empty(folder: Path) -> None:
    for place, _, _ in os.walk(folder, topdown=False):
        if not any(Path(place).iterdir()):
            Path(place).rmdir()


def _has_splits(place: Path) -> bool:
    return any(below.name.lower() in _SPLITS for below in _folders(place))


def _folders(place: Path) -> list[Path]:
    return sorted(below for below in place.iterdir() if below.is_dir())


def _files(place: Path) -> Iterator[Path]:
    for folder, _, names in os.walk(place):
        yield from (Path(folder, name) for name in sorted(names))
