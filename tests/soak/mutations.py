"""Damage files of every kind by the thousand: each is read or refused in one sentence, within bounds.

    python tests/soak/mutations.py --inputs 20000 --seed 0 --record soak.json

prints a line of Markdown for ``docs/soak.md``. The same inputs and seed damage the same files in the same way.
"""

import argparse
import json
import random
import sys
import tempfile
import time
import warnings
import zlib
from collections import Counter
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from io import BytesIO
from pathlib import Path
from typing import NamedTuple

import numpy as np
from PIL import Image

from cxrkit import __version__
from cxrkit.errors import InputError

MEMORY = 3 << 30  # bytes of addresses beyond what the process has at its beginning
SLOW = 20  # seconds for one file
IMAGES = ("png", "apng", "jpg", "progressive.jpg", "gif", "tif", "lzw.tif", "bmp", "webp", "lossless.webp", "16.png")
DICOM = ("dcm", "rle.dcm", "deflated.dcm")
OTHERS = (
    "toml",
    "run.json",
    "task.json",
    "metrics.json",
    "model.json",
    "predictions.csv",
    "manifest.csv",
    "labels.csv",
)
WEIGHTS = ("pth", "old.pth", "safetensors")


class Told(NamedTuple):
    """What became of a file: its kind, and why it was refused; None where it was read."""

    kind: str
    reason: str | None


class BrokenPromiseError(AssertionError):
    """A file that was neither read nor refused in a sentence."""


# ── Seeds ─────────────────────────────────────────────────────────────────────────────────────────────────────────────


def seeds(*, weights: bool) -> dict[str, bytes]:
    """Make a small sound file of each kind: name → bytes; those of torch only where they are asked for."""
    made = {name: _image(name) for name in IMAGES} | _dicoms() | _texts()
    return made | (_weights() if weights else {})


def _image(name: str) -> bytes:
    ramp = np.add.outer(np.arange(24), np.arange(32)).astype(np.uint8) * 4
    grey = Image.fromarray(ramp)
    kinds = {
        "png": ("PNG", grey.convert("P"), {}),
        "apng": ("PNG", grey, {"save_all": True, "append_images": [grey.rotate(90)]}),
        "jpg": ("JPEG", grey.convert("RGB"), {"exif": _turned()}),
        "progressive.jpg": ("JPEG", grey.convert("CMYK"), {"progressive": True}),
        "gif": ("GIF", grey.convert("P"), {}),
        "tif": ("TIFF", grey.convert("RGB"), {}),
        "lzw.tif": ("TIFF", Image.fromarray(ramp.astype(np.uint16) * 200), {"compression": "tiff_lzw"}),
        "bmp": ("BMP", grey.convert("P"), {}),
        "webp": ("WEBP", grey.convert("RGB"), {}),
        "lossless.webp": ("WEBP", grey.convert("RGBA"), {"lossless": True, "exif": _turned()}),
        "16.png": ("PNG", Image.fromarray(ramp.astype(np.uint16) * 200), {}),
    }
    form, image, options = kinds[name]
    file = BytesIO()
    image.save(file, form, **options)
    return file.getvalue()


def _turned() -> Image.Exif:
    exif = Image.Exif()
    exif[0x0112] = 6
    return exif


def _dicoms() -> dict[str, bytes]:
    from pydicom import dataset, uid

    stored = np.add.outer(np.arange(24), np.arange(32)).astype(np.uint16) * 60
    made = {}
    for name, syntax in zip(
        DICOM, ("ExplicitVRLittleEndian", "RLELossless", "DeflatedExplicitVRLittleEndian"), strict=True
    ):
        meta = dataset.FileMetaDataset()
        meta.TransferSyntaxUID = uid.ExplicitVRLittleEndian if "rle" in name else getattr(uid, syntax)
        meta.MediaStorageSOPClassUID = meta.MediaStorageSOPInstanceUID = "1.2.840.10008.5.1.4.1.1.1.1"
        found = dataset.FileDataset(None, {}, file_meta=meta, preamble=b"\0" * 128)
        found.SOPClassUID = found.SOPInstanceUID = meta.MediaStorageSOPClassUID
        found.Rows, found.Columns = stored.shape
        found.SamplesPerPixel, found.PhotometricInterpretation, found.PixelRepresentation = 1, "MONOCHROME2", 0
        found.BitsAllocated, found.BitsStored, found.HighBit = 16, 12, 11
        found.WindowCenter, found.WindowWidth, found.RescaleSlope, found.RescaleIntercept = 1500, 2000, "1", "0"
        found.PixelData = stored.tobytes()
        found["PixelData"].VR = "OW"
        if "rle" in name:
            found.compress(uid.RLELossless)
        file = BytesIO()
        found.save_as(file, enforce_file_format=True)
        made[name] = file.getvalue()
    return made


def _texts() -> dict[str, bytes]:
    rows = "".join(f"i{n}.png,p{n // 2},{('NORMAL', 'PNEUMONIA')[n % 2]},0.{n}5\n" for n in range(10))
    environment = {"cxrkit": "0", "python": "3", "platform": "x", "processor": "x", "cpu_count": 1}
    records = {
        "run.json": {
            "schema_version": 1, "configuration": {"run": {"seed": 0}}, "environment": environment,
            "class_names": ["NORMAL", "PNEUMONIA"], "positive": "PNEUMONIA", "tasks": {"a": "finished"},
            "started": "2026-01-01T00:00:00+00:00",
        },
        "task.json": {
            "task": "a", "kind": "trained", "state": "finished", "seeds": [0],
            "threshold": {"value": 0.5, "rule": "fixed"},
        },
        "metrics.json": {
            "task": "a", "class_names": ["NORMAL", "PNEUMONIA"], "positive": "PNEUMONIA", "records": [],
        },
        "model.json": {
            "task": "a", "seed": 0, "model": "resnet18", "distribution": "cxrkit",
            "class_names": ["NORMAL", "PNEUMONIA"],
            "positive": "PNEUMONIA", "parameters": 1, "trainable": 1, "temperature": 1.25,
            "preprocessing": {"image_size": 32, "resize": 36, "mean": [0.5, 0.5, 0.5], "std": [0.2, 0.2, 0.2]},
        },
    }  # fmt: skip
    made = {name: json.dumps(record, indent=1).encode() for name, record in records.items()}
    made["toml"] = (
        b'[run]\noutput = "out"\nseed = 0\n\n[data]\nroot = "images"\ngroups = "kermany"\n\n[[task]]\nname = "a"\n'
        b'model = { use = "resnet18", head = "linear" }\nepochs = 2\nseeds = [0, 1]\n'
    )
    made["predictions.csv"] = f"image,patient,label,p_PNEUMONIA\n{rows}".encode()
    made["labels.csv"] = "".join(
        line.rsplit(",", 1)[0] + "\n" for line in f"image,patient,label,x\n{rows}".splitlines()
    ).encode()
    made["manifest.csv"] = b"image,split,label,patient,sha256,width,height,excluded\n" + b"".join(
        b"i%d.png,test,NORMAL,p%d,%s,32,24,\n" % (n, n, b"a" * 64) for n in range(5)
    )
    return made


def _weights() -> dict[str, bytes]:
    import safetensors.torch
    import torch

    state = {"layer.weight": torch.arange(6.0).reshape(2, 3), "layer.bias": torch.zeros(2)}
    made = {"safetensors": safetensors.torch.save(state)}
    for name, zipped in (("pth", True), ("old.pth", False)):
        file = BytesIO()
        torch.save(state, file, _use_new_zipfile_serialization=zipped)
        made[name] = file.getvalue()
    return made


# ── Damage ────────────────────────────────────────────────────────────────────────────────────────────────────────────

PNG = b"\x89PNG\r\n\x1a\n"
EXTREME = (
    b"\0",
    b"\1",
    b"\x7f",
    b"\x80",
    b"\xff",
    b"\0\0\0\0",
    b"\xff\xff\xff\xff",
    b"\x7f\xff\xff\xff",
    b"\xff\xff\xff\x7f",
)
AS_TEXT = (
    b"NaN",
    b"Infinity",
    b"-1",
    b"1e999",
    b"9" * 5000,
    b'"',
    b"{",
    b"[" * 4000,
    b"../",
    b"\0",
    b"\xff",
    b"=1+1",
    b",",
)


def damaged(content: bytes, others: list[bytes], chance: random.Random) -> bytes:
    """Damage a file in one to four of many ways."""
    for _ in range(chance.choice((1, 1, 1, 2, 3, 4))):
        content = chance.choice(WAYS)(content, others, chance)
    return _summed(content) if content.startswith(PNG) and chance.random() < 0.5 else content


def _summed(content: bytes) -> bytes:
    """Correct the check sums of a PNG, without which hardly any damage gets past them."""
    made, place = bytearray(content), len(PNG)
    while place + 12 <= len(made):
        end = place + 8 + int.from_bytes(made[place : place + 4], "big")
        if end + 4 > len(made):
            break
        made[end : end + 4] = zlib.crc32(made[place + 4 : end]).to_bytes(4, "big")
        place = end + 4
    return bytes(made)


def _flip(content: bytes, _others: list[bytes], chance: random.Random) -> bytes:
    changed = bytearray(content)
    for _ in range(chance.choice((1, 1, 2, 8, 64)) if changed else 0):
        changed[_early(len(changed), chance)] ^= 1 << chance.randrange(8)
    return bytes(changed)


def _cut(content: bytes, _others: list[bytes], chance: random.Random) -> bytes:
    return content[: chance.randrange(len(content) + 1)]


def _put(content: bytes, _others: list[bytes], chance: random.Random) -> bytes:
    at, piece = _early(len(content), chance), chance.choice((*EXTREME, *AS_TEXT))
    return content[:at] + piece + content[at + chance.choice((0, len(piece))) :]


def _remove(content: bytes, _others: list[bytes], chance: random.Random) -> bytes:
    at = _early(len(content), chance)
    return content[:at] + content[at + chance.randrange(1, 64) :]


def _repeat(content: bytes, _others: list[bytes], chance: random.Random) -> bytes:
    at, length = _early(len(content), chance), chance.randrange(1, 64)
    return content[:at] + content[at : at + length] * chance.choice((2, 3, 500)) + content[at + length :]


def _splice(content: bytes, others: list[bytes], chance: random.Random) -> bytes:
    """Set the head of another file before the rest of this one."""
    at = chance.choice((4, 8, 12, 33, 64, 132, 200))
    return chance.choice(others)[:at] + content[at:]


def _early(length: int, chance: random.Random) -> int:
    """Choose a place, as often as not near the beginning, where headers stand."""
    return chance.randrange(max(1, min(length, chance.choice((32, 200, length or 1)))))


WAYS = (_flip, _flip, _cut, _put, _put, _remove, _repeat, _splice)


# ── What becomes of them ──────────────────────────────────────────────────────────────────────────────────────────────


def readers(folder: Path) -> dict[str, Callable[[Path], object]]:
    """Name what reads each kind of file."""
    from cxrkit import records
    from cxrkit.config import load
    from cxrkit.data.manifest import Manifest
    from cxrkit.evaluation import predictions
    from cxrkit.evaluation.labels import LabelFile, known

    found: dict[str, Callable[[Path], object]] = dict.fromkeys((*IMAGES, *DICOM), _looked_at)
    found |= {
        "toml": load,
        "run.json": records.RunInfo.read,
        "task.json": records.TaskInfo.read,
        "metrics.json": records.Metrics.read,
        "model.json": records.ModelInfo.read,
        "predictions.csv": lambda path: predictions.read(path, task="a", set_name="test"),
        "labels.csv": lambda path: known(LabelFile(path, {})),
        "manifest.csv": lambda path: Manifest.read(path, {"test": folder}).of("test"),
    }
    return found | dict.fromkeys(WEIGHTS, _weights_of)


def _looked_at(path: Path) -> None:
    """Read an image in both ways, which must agree."""
    from cxrkit.data.images import UnreadableImage, inspect, read_grey

    found = inspect(path)
    try:
        grey = read_grey(path)
    except UnreadableImage as error:
        if found.reason is None:
            raise BrokenPromiseError(f"inspected, and then {error.reason}") from None
        raise
    if found.reason is not None or grey.shape != (found.height, found.width):
        raise BrokenPromiseError(f"read as {grey.shape}, inspected as {found.reason or (found.height, found.width)}")


def _weights_of(path: Path) -> object:
    from cxrkit import weight_files

    return weight_files.read(path)


def outcomes(inputs: int, seed: int, folder: Path, *, weights: bool) -> Iterator[Told]:
    """Damage and read so many files, one after the other.

    Raises:
        BrokenPromiseError: one was neither read nor refused in a sentence, or took longer than :data:`SLOW`.
    """
    sound, reading = seeds(weights=weights), readers(folder)
    names, others = sorted(sound), list(sound.values())
    for number in range(inputs):
        chance = random.Random(f"{seed} {number}")
        kind = names[number % len(names)]
        path = folder / f"{number}.{kind}"
        path.write_bytes(damaged(sound[kind], others, chance))
        yield Told(kind, _reason(reading[kind], path, f"seed {seed}, input {number} ({kind})"))
        path.unlink()


def _reason(read: Callable[[Path], object], path: Path, which: str) -> str | None:
    began = time.monotonic()
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            read(path)
    except InputError as error:
        told = [one.replace(str(path), "") for one in error.problems]
        if not all(told) or any("\n" in one.strip() or "Traceback" in one for one in told):
            raise BrokenPromiseError(f"{which}: {told} is no sentence") from None
        return getattr(error, "reason", told[0])
    except (Exception, SystemExit) as error:
        raise BrokenPromiseError(f"{which}: {type(error).__name__}: {error}") from error
    finally:
        if time.monotonic() - began > SLOW:
            raise BrokenPromiseError(f"{which}: took {time.monotonic() - began:.0f} s")
    return None


def bounded_memory() -> None:
    """Limit the addresses of this process, where the system can."""
    if sys.platform != "linux":
        return
    import resource

    pages = int(Path("/proc/self/statm").read_text(encoding="ascii").split()[0])
    most = pages * resource.getpagesize() + MEMORY
    resource.setrlimit(resource.RLIMIT_AS, (most, most))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--inputs", type=int, default=20_000)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--record", type=Path, help="file for the result as JSON")
    parser.add_argument("--without-weights", action="store_true", help="leave out what needs torch")
    given = parser.parse_args()
    weights = not given.without_weights
    seeds(weights=weights)  # everything is imported before memory is limited
    readers(Path())
    bounded_memory()
    began = time.monotonic()
    read, refused = Counter[str](), Counter[str]()
    with tempfile.TemporaryDirectory() as folder:
        for told in outcomes(given.inputs, given.seed, Path(folder), weights=weights):
            (read if told.reason is None else refused)[told.kind] += 1
    record = {
        "date": datetime.now(UTC).date().isoformat(),
        "cxrkit": __version__,
        "inputs": given.inputs,
        "seed": given.seed,
        "read": read.total(),
        "refused": refused.total(),
        "kinds": {kind: {"read": read[kind], "refused": refused[kind]} for kind in sorted({*read, *refused})},
        "seconds": round(time.monotonic() - began),
    }
    if given.record:
        given.record.write_text(json.dumps(record, indent=1) + "\n", encoding="utf-8")
    print(
        f"| {record['date']} | mutated inputs | {given.inputs:,} | {given.seed} | {record['read']:,} read, "
        f"{record['refused']:,} refused in a sentence, 0 otherwise | {record['seconds']} s |"
    )


if __name__ == "__main__":
    main()
