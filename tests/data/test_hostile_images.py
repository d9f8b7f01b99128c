"""Image files of strangers: refused by their header, read as other libraries read them, never waited for."""

import os
import socket
import struct
import sys
import threading
import tracemalloc
import warnings
import zlib

import numpy as np
import pytest
from PIL import Image

from cxrkit.config.schema import DataTable
from cxrkit.data import headers, images
from cxrkit.data.building import build
from cxrkit.data.images import UnreadableImage, inspect, read_grey
from cxrkit.discovery import load
from cxrkit.rundir import image_file_name

RAMP = np.tile(np.linspace(0, 255, 64).astype(np.uint8), (32, 1))
posix = pytest.mark.skipif(sys.platform == "win32", reason="pipes and links of POSIX")


def refused(path):
    """The reason, the same from both ways to read."""
    with pytest.raises(UnreadableImage) as caught:
        read_grey(path)
    assert inspect(path).reason == caught.value.reason
    return caught.value.reason


def chunked(*chunks):
    return b"\x89PNG\r\n\x1a\n" + b"".join(
        struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data)) for kind, data in chunks
    )


def png(width, height, depth, kind, lines, *extra):
    head = struct.pack(">IIBBBBB", width, height, depth, kind, 0, 0, 0)
    return chunked((b"IHDR", head), *extra, (b"IDAT", zlib.compress(lines)), (b"IEND", b""))


# ── By the header ─────────────────────────────────────────────────────────────────────────────────────────────────────


def huge_png():
    return png(30_000, 30_000, 8, 0, b"")


def huge_webp():
    canvas = (16_382).to_bytes(3, "little") * 2
    body = (
        b"WEBPVP8X"
        + struct.pack("<I", 10)
        + b"\0\0\0\0"
        + canvas
        + b"VP8L"
        + struct.pack("<I", 10)
        + b"\x2f"
        + b"\0" * 9
    )
    return b"RIFF" + struct.pack("<I", len(body)) + body


def huge_bmp():
    return (
        b"BM"
        + struct.pack("<IHHI", 60, 0, 0, 54)
        + struct.pack("<IiiHHIIiiII", 40, 30_000, 30_000, 1, 8, 0, 0, 0, 0, 0, 0)
    )


@pytest.mark.parametrize("make", [huge_png, huge_webp, huge_bmp])
def test_30_000_by_30_000_pixels_are_refused_before_memory_is_taken(tmp_path, make):
    path = tmp_path / "a.png"
    path.write_bytes(make())
    inspect(path)  # loads what Pillow loads once
    tracemalloc.start()
    assert refused(path) == "more than 100 megapixels"
    assert tracemalloc.get_traced_memory()[1] < 5_000_000
    tracemalloc.stop()


def test_a_strip_that_would_be_enlarged_to_gigabytes_is_refused(tmp_path):
    path = tmp_path / "a.png"
    Image.new("L", (5000, 8)).save(path)
    assert refused(path) == "more than 20 times as long as wide"
    Image.new("L", (160, 8)).save(path)
    assert read_grey(path).shape == (8, 160)


def test_a_jpeg_of_thousands_of_scans_is_refused_and_a_usual_one_read(tmp_path):
    path = tmp_path / "a.jpg"
    Image.fromarray(RAMP).save(path, progressive=True)
    content = path.read_bytes()
    assert inspect(path).reason is None
    at = content.rindex(b"\xff\xda")
    path.write_bytes(content[:-2] + content[at:-2] * headers.MOST_SCANS + b"\xff\xd9")
    assert refused(path) == "made to take long or much memory"


def test_a_tile_larger_than_any_image_is_refused(tmp_path):
    tags = {256: 64, 257: 32, 258: 8, 259: 8, 262: 1, 277: 1, 322: 60_000, 323: 60_000, 324: 8, 325: 8}
    body = b"".join(struct.pack("<HHII", tag, 4, 1, value) for tag, value in tags.items())
    path = tmp_path / "a.tif"
    path.write_bytes(b"II*\0" + struct.pack("<IH", 8, len(tags)) + body + b"\0" * 4)
    assert refused(path) == "made to take long or much memory"


def test_a_large_file_is_refused_by_its_length(tmp_path, monkeypatch):
    path = tmp_path / "a.png"
    Image.fromarray(RAMP).save(path)
    monkeypatch.setattr(images, "MOST_BYTES", 50)
    assert refused(path) == "file of more than 0 MB"


@pytest.mark.parametrize("limit", ["LARGE", "LARGE_FILE"])
def test_large_images_and_files_are_decoded_one_at_a_time(tmp_path, monkeypatch, limit):
    path = tmp_path / "a.png"
    Image.fromarray(RAMP).save(path)
    monkeypatch.setattr(images, limit, 50)
    with images._large:
        other = threading.Thread(target=read_grey, args=[path])
        other.start()
        other.join(0.3)
        assert other.is_alive()
    other.join(10)
    assert not other.is_alive()


@pytest.mark.parametrize(("name", "read"), [("a.png", False), ("a.webp", False), ("a.tif", True), ("a.bmp", True)])
def test_a_large_file_of_a_format_that_is_always_compressed_is_refused_earlier(tmp_path, monkeypatch, name, read):
    Image.fromarray(RAMP).save(tmp_path / name)
    monkeypatch.setattr(images, "MOST_PACKED_BYTES", 50)
    assert inspect(tmp_path / name).reason == (None if read else "file of more than 0 MB")


def test_memory_that_runs_out_is_a_reason(tmp_path, monkeypatch):
    path = tmp_path / "a.png"
    Image.fromarray(RAMP).save(path)

    def full(*_):
        raise MemoryError

    monkeypatch.setattr(images, "_as_grey", full)
    assert refused(path) == "needs more memory than is free"


# ── Besides the pixels ───────────────────────────────────────────────────────────────────────────────────────────────


def tiff(*tags, kind=1):
    """The head of an uncompressed TIFF: little-endian, its pixels at 1000, and further tags."""
    usual = [(256, 3, 1, 64), (257, 3, 1, 32), (258, 3, 1, 8), (259, 3, 1, 1), (262, 3, 1, 1)]
    usual += [(273, 3, 1, 1000), (277, 3, 1, 1), (278, 3, 1, 32), (279, 3, 1, 2048), (339, 3, 1, kind)]
    body = b"".join(struct.pack("<HHII", *tag) for tag in sorted([*usual, *tags]))
    return b"II*\0" + struct.pack("<IH", 8, len(usual) + len(tags)) + body + b"\0" * 4


def long_description():
    return tiff((270, 2, 100_000_000, 4000))


def numbers_for_an_orientation():
    return tiff((0x0112, 3, 30_000_000, 4000))


def numbers_in_exif():
    return tiff((0x8769, 4, 1, 400)).ljust(400, b"\0") + struct.pack("<HHHIII", 1, 0x9003, 3, 30_000_000, 4000, 0)


def long_chunk():
    head = struct.pack(">IIBBBBB", 64, 32, 8, 0, 0, 0, 0)
    return chunked((b"IHDR", head)) + struct.pack(">I", 100_000_000) + b"abCd"


def exif_in_pieces():
    return b"\xff\xd8" + (b"\xff\xe1\xff\xfeExif\0\0" + b"\0" * 65_526) * 400


@pytest.mark.parametrize(
    "make", [long_description, numbers_for_an_orientation, numbers_in_exif, long_chunk, exif_in_pieces]
)
def test_what_is_not_pixels_takes_no_memory_without_bound(tmp_path, make):
    path = tmp_path / "a.png"
    path.write_bytes(make())
    os.truncate(path, 110_000_000)  # sparse
    tracemalloc.start()
    with pytest.raises(UnreadableImage, match="made to take long or much memory"):
        read_grey(path)
    assert tracemalloc.get_traced_memory()[1] < 90_000_000
    tracemalloc.stop()


@pytest.mark.parametrize("name", ["a.png", "a.webp", "a.jpg"])
def test_exif_of_megabytes_is_not_looked_into(tmp_path, name):
    path = tmp_path / name
    values = struct.pack("<HHHIII", 1, 0x0112, 3, 3_000_000, 26, 0) + b"\1\2" * 3_000_000
    exif = b"Exif\0\0II*\0" + struct.pack("<I", 8) + values
    if name == "a.jpg":
        Image.fromarray(RAMP).save(path)
        pieces = [exif[6 + at : 65_000 + at] for at in range(0, len(exif), 64_994)]
        told = b"".join(b"\xff\xe1" + struct.pack(">H", len(piece) + 8) + b"Exif\0\0" + piece for piece in pieces)
        path.write_bytes(path.read_bytes()[:2] + told + path.read_bytes()[2:])
    else:
        Image.fromarray(RAMP).save(path, exif=exif)
    assert refused(path) == "made to take long or much memory"


def test_millions_of_empty_chunks_are_refused_and_pixels_in_thousands_of_pieces_read(tmp_path):
    path = tmp_path / "a.png"
    content = png(64, 32, 8, 0, b"".join(b"\0" + row.tobytes() for row in RAMP))
    at, empty = content.index(b"IDAT") - 4, chunked((b"abCd", b""))[8:]
    path.write_bytes(content[:at] + empty * 120_000 + content[at:])
    assert refused(path) == "made to take long or much memory"
    path.write_bytes(content[:at] + empty * 20_000 + chunked(*[(b"IDAT", b"")] * 20_000)[8:] + content[at:])
    assert np.array_equal(read_grey(path), RAMP)


@pytest.mark.parametrize(
    ("kind", "count", "value"),
    [(2, 2, b"6\0\0\0"), (11, 1, struct.pack(">f", np.nan)), (3, 1 << 31, b"\0\0\0\x08"), (3, 0, b"\0\6\0\0"),
     (7, 4, b"\6\0\0\0"), (5, 1, b"\0\0\0\x08"), (10, 1, b"\0\0\0\x08"), (99, 1, b"\0\6\0\0"), (8, 1, b"\xff\xfa\0\0")],
)  # fmt: skip
@pytest.mark.parametrize("name", ["a.png", "a.jpg", "a.webp"])
def test_an_orientation_that_is_no_number_of_a_turn_turns_nothing(tmp_path, name, kind, count, value):
    exif = b"Exif\0\0MM\0*\0\0\0\x08\0\x01" + struct.pack(">HHI", 0x0112, kind, count) + value + b"\0" * 60
    Image.fromarray(RAMP).save(tmp_path / name, exif=exif, quality=100)
    assert np.abs(read_grey(tmp_path / name).astype(int) - RAMP).max() <= 2
    assert (inspect(tmp_path / name).width, inspect(tmp_path / name).height) == (64, 32)


# ── Several pictures ──────────────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("name", ["a.png", "a.webp", "a.tif"])
def test_animations_and_pages_are_refused(tmp_path, name):
    first, second = Image.fromarray(RAMP).convert("RGB"), Image.fromarray(255 - RAMP).convert("RGB")
    first.save(tmp_path / name, save_all=True, append_images=[second])
    assert refused(tmp_path / name) == "several pictures in one file, allowed is one"


def test_a_smaller_copy_in_a_tiff_is_no_second_picture(tmp_path):
    small = Image.fromarray(RAMP[::2, ::2])
    small.encoderinfo = {"tiffinfo": {254: 1}}
    Image.fromarray(RAMP).save(tmp_path / "a.tif", save_all=True, append_images=[small])
    assert np.array_equal(read_grey(tmp_path / "a.tif"), RAMP)


# ── Read rightly ──────────────────────────────────────────────────────────────────────────────────────────────────────


def read_by_torchvision(path):
    """libpng and libjpeg without Pillow."""
    io = pytest.importorskip("torchvision.io")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)  # decoding will leave torchvision
        return io.decode_image(str(path), mode=io.ImageReadMode.GRAY, apply_exif_orientation=True)[0].numpy()


@pytest.mark.slow  # it imports torch
@pytest.mark.parametrize("orientation", range(1, 9))
@pytest.mark.parametrize("name", ["a.jpg", "a.png"])
def test_exif_is_turned_as_another_library_turns_it(tmp_path, name, orientation):
    exif = Image.Exif()
    exif[0x0112] = orientation
    both = np.maximum(RAMP, np.linspace(0, 200, 32).astype(np.uint8)[:, None])
    Image.fromarray(both).save(tmp_path / name, exif=exif)
    grey, found = read_grey(tmp_path / name), inspect(tmp_path / name)
    assert np.abs(grey.astype(int) - read_by_torchvision(tmp_path / name)).max() <= 1
    assert grey.shape == (found.height, found.width)


@pytest.mark.parametrize("orientation", range(1, 9))
def test_a_tiff_is_turned_once(tmp_path, orientation):
    expected = {
        1: RAMP, 2: RAMP[:, ::-1], 3: RAMP[::-1, ::-1], 4: RAMP[::-1],
        5: RAMP.T, 6: np.rot90(RAMP, -1), 7: RAMP[::-1, ::-1].T, 8: np.rot90(RAMP),
    }  # fmt: skip
    Image.fromarray(RAMP).save(tmp_path / "a.tif", tiffinfo={0x0112: orientation})
    assert np.array_equal(read_grey(tmp_path / "a.tif"), expected[orientation])
    found = inspect(tmp_path / "a.tif")
    assert (found.height, found.width) == expected[orientation].shape


@pytest.mark.slow
def test_cmyk_jpegs_are_read_as_another_library_reads_them(tmp_path):
    Image.fromarray(RAMP).convert("RGB").convert("CMYK").save(tmp_path / "a.jpg", quality=95)
    assert np.abs(read_grey(tmp_path / "a.jpg").astype(int) - read_by_torchvision(tmp_path / "a.jpg")).max() <= 1


def test_a_palette_written_by_hand_becomes_the_luma_of_its_colours(tmp_path):
    palette = np.random.default_rng(0).integers(0, 256, (256, 3), dtype=np.uint8)
    index = np.arange(256, dtype=np.uint8).reshape(16, 16)
    lines = b"".join(b"\0" + row.tobytes() for row in index)
    (tmp_path / "a.png").write_bytes(png(16, 16, 8, 3, lines, (b"PLTE", palette.tobytes())))
    luma = palette[index] @ np.array([0.299, 0.587, 0.114])
    assert np.abs(read_grey(tmp_path / "a.png") - luma).max() <= 1


@pytest.mark.parametrize(("top", "white"), [(65535, 65535), (4095, 4095), (900, 4095)])
def test_sixteen_bits_written_by_hand_are_scaled_by_their_range(tmp_path, top, white):
    values = np.round(np.linspace(0, top, 256)).astype(">u2").reshape(16, 16)
    lines = b"".join(b"\0" + row.tobytes() for row in values)
    (tmp_path / "a.png").write_bytes(png(16, 16, 16, 0, lines))
    assert np.array_equal(read_grey(tmp_path / "a.png"), np.round(values * (255 / white)).astype(np.uint8))


def test_a_16_bit_tiff_whose_zero_is_white_is_not_shown_as_its_negative(tmp_path):
    values = RAMP.astype(np.uint16) * 257
    Image.fromarray(values).save(tmp_path / "black.tif", tiffinfo={262: 1})
    Image.fromarray(values).save(tmp_path / "white.tif", tiffinfo={262: 0})
    assert np.array_equal(read_grey(tmp_path / "black.tif"), RAMP)
    assert np.array_equal(read_grey(tmp_path / "white.tif"), 255 - RAMP)


def test_lightness_is_not_taken_for_luma(tmp_path):
    Image.merge("LAB", [Image.fromarray(RAMP)] * 3).save(tmp_path / "a.tif")
    assert refused(tmp_path / "a.tif") == "colours of a kind that is not read"


@pytest.mark.parametrize("least", [-100, 0])
@pytest.mark.parametrize("bits", [8, 16])
def test_pixels_below_zero_are_not_taken_for_bright_ones(tmp_path, bits, least):
    values = (RAMP.astype(int) // 2 + least).astype(f"<i{bits // 8}")
    content = tiff(kind=2).replace(struct.pack("<HHII", 258, 3, 1, 8), struct.pack("<HHII", 258, 3, 1, bits))
    (tmp_path / "a.tif").write_bytes(content.ljust(1000, b"\0") + values.tobytes())
    reason = "pixels below zero, of which no black is known" if least < 0 else None
    assert inspect(tmp_path / "a.tif").reason == reason


def test_a_damaged_compressed_tiff_says_nothing_on_stderr(tmp_path, capfd):
    path = tmp_path / "a.tif"
    Image.fromarray(RAMP).save(path, compression="tiff_adobe_deflate")
    content = bytearray(path.read_bytes())
    with Image.open(path) as image:
        place = image.tag_v2[273][0]
    content[place : place + 2] = b"\xff\xff"
    path.write_bytes(content)
    assert refused(path) == "truncated or damaged"
    assert capfd.readouterr() == ("", "")


# ── No files ──────────────────────────────────────────────────────────────────────────────────────────────────────────


@posix
def test_pipes_sockets_and_devices_are_not_waited_for(tmp_path):
    os.mkfifo(tmp_path / "pipe.png")
    assert refused(tmp_path / "pipe.png") == "pipe, socket or device, no file"
    (tmp_path / "zero.png").symlink_to("/dev/zero")
    assert refused(tmp_path / "zero.png") == "pipe, socket or device, no file"
    with socket.socket(socket.AF_UNIX) as server:
        try:
            server.bind(str(tmp_path / "s.png"))
        except OSError:  # a path longer than a socket's
            return
        assert refused(tmp_path / "s.png") == "pipe, socket or device, no file"


def tree(root):
    """Class folders with two images in each."""
    for split in ("train", "val", "test"):
        for label in ("NORMAL", "PNEUMONIA"):
            folder = root / split / label
            folder.mkdir(parents=True)
            for number in range(2):
                Image.fromarray(np.roll(RAMP, 8 * len(split) + (label == "NORMAL") * 2 + number, axis=1)).save(
                    folder / f"{number}.png"
                )
    return root


def excluded(root, **dataset):
    chosen = {"dataset": {"use": "folder", **dataset}} if dataset else {}
    table = DataTable.model_validate({"root": str(root), "validation": "folder", **chosen})
    manifest = build(table, root.parent, load("cxrkit").datasets, seed=0)
    manifest.write(root.parent / "manifest.csv")  # what cannot be written ends here
    again = manifest.read(root.parent / "manifest.csv", manifest.roots)
    assert again.frame.equals(manifest.frame)
    frame = manifest.frame[manifest.frame["excluded"] != ""]
    return dict(zip(frame["image"], frame["excluded"], strict=True)), manifest


@posix
def test_what_is_no_image_of_the_folder_is_excluded_with_its_reason(tmp_path):
    root = tree(tmp_path / "data")
    (tmp_path / "private.png").write_bytes((root / "train/NORMAL/0.png").read_bytes())
    (tmp_path / "elsewhere").mkdir()
    here = root / "train" / "NORMAL"
    os.mkfifo(here / "pipe.png")
    (here / "folder.png").mkdir()
    (here / "out.png").symlink_to(tmp_path / "private.png")
    (here / "beside.png").symlink_to(here / "0.png")
    (here / "gone.png").symlink_to(here / "nothing.png")
    (here / "loop.png").symlink_to(here / "loop.png")
    (root / "train" / "OTHER").symlink_to(tmp_path / "elsewhere")
    told, manifest = excluded(root)
    assert told == {
        "train/NORMAL/gone.png": "missing file",
        "train/NORMAL/loop.png": told["train/NORMAL/loop.png"],
        "train/NORMAL/out.png": "link that leads out of the folder",
        "train/NORMAL/pipe.png": "pipe, socket or device, no file",
        "train/OTHER": "link that leads out of the folder",
    }
    assert "train/NORMAL/beside.png" in set(manifest.usable["image"])
    followed, _ = excluded(root, links=True)
    assert "train/NORMAL/out.png" not in followed


@posix
def test_names_that_no_table_gives_back_are_excluded_and_written_as_escapes(tmp_path):
    root = tree(tmp_path / "data")
    here = root / "train" / "NORMAL"
    content = (root / "train/NORMAL/0.png").read_bytes()
    names = [
        b"caf\xe9.png",
        b"new\nline.png",
        b"bell\a.png",
        b"=1+1.png",
        b'quo"te,.png',
        b"a" * 251 + b".png",
        "é🩻.png".encode(),
    ]
    for name in names:
        try:
            (here / os.fsdecode(name)).write_bytes(content)
        except OSError:  # a file system that takes only UTF-8
            pytest.skip("the file system refuses such names")
    (root / "train" / "NORMAL ").mkdir()
    (root / "train" / "NORMAL " / "a.png").write_bytes(content)
    told, manifest = excluded(root)
    assert told == {
        "train/NORMAL/caf\\udce9.png": "name that is no text in UTF-8",
        "train/NORMAL/new\\nline.png": "name with a control character",
        "train/NORMAL/bell\\x07.png": "name with a control character",
        "train/NORMAL /a.png": "name that begins or ends with a space",
    }
    used = set(manifest.usable["image"])
    assert {
        "train/NORMAL/=1+1.png",
        'train/NORMAL/quo"te,.png',
        f"train/NORMAL/{'a' * 251}.png",
        "train/NORMAL/é🩻.png",
    } <= used


def test_a_file_named_after_a_long_name_has_a_name_that_file_systems_take(tmp_path):
    for stem in ("x" * 300, "𠀀" * 90, "é" * 200):
        name = f"{image_file_name(stem + '.png')}.jpg"
        assert len(name.encode()) < 255
        (tmp_path / name).write_bytes(b"")
