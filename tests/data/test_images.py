import hashlib
import pickle
import struct
import warnings
import zlib
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pandas as pd
import pytest
from PIL import Image

from cxrkit.data.images import ImageChangedError, UnreadableImage, inspect, probe, read_grey
from cxrkit.data.inspection import inspected
from cxrkit.errors import RunError

RAMP = np.tile(np.linspace(0, 255, 64).astype(np.uint8), (32, 1))


def saved(path, image, **options):
    image.save(path, **options)
    return path


def test_grey_values_come_back_unchanged_with_height_first(tmp_path):
    path = saved(tmp_path / "a.png", Image.fromarray(RAMP))
    grey = read_grey(path)
    assert grey.dtype == np.uint8
    assert grey.shape == (32, 64)
    assert np.array_equal(grey, RAMP)
    assert probe(path) == (64, 32)


@pytest.mark.parametrize("mode", ["RGB", "RGBA", "LA", "P", "CMYK", "1"])
def test_other_pixel_formats_become_their_luma(tmp_path, mode):
    path = saved(tmp_path / "a.tif", Image.fromarray(RAMP).convert(mode))
    expected = np.where(RAMP > 127, 255, 0) if mode == "1" else RAMP
    tolerance = 255 if mode == "1" else 2  # dithering; rounding of colour
    assert np.abs(read_grey(path).astype(int) - expected).max() <= tolerance
    assert abs(read_grey(path).mean() - RAMP.mean()) < 2


def test_a_cmyk_jpeg_is_not_inverted(tmp_path):
    path = saved(tmp_path / "a.jpg", Image.fromarray(RAMP).convert("RGB").convert("CMYK"), quality=95)
    assert np.abs(read_grey(path).astype(int) - RAMP).mean() < 4


@pytest.mark.parametrize("white", [65535, 4095])
def test_sixteen_bit_files_are_scaled_by_their_range(tmp_path, white):
    values = np.round(RAMP * (white / 255)).astype(np.uint16)
    path = saved(tmp_path / "a.png", Image.fromarray(values))
    assert np.array_equal(read_grey(path), RAMP)
    assert inspect(path).look.mode.startswith("I")


@pytest.mark.parametrize(("orientation", "turned"), [(1, False), (3, False), (6, True), (8, True)])
def test_exif_orientation_is_applied(tmp_path, orientation, turned):
    image = Image.fromarray(RAMP)
    exif = image.getexif()
    exif[0x0112] = orientation
    path = saved(tmp_path / "a.jpeg", image, exif=exif, quality=100)
    assert read_grey(path).shape == ((64, 32) if turned else (32, 64))
    assert probe(path) == ((32, 64) if turned else (64, 32))


def test_a_sixteen_bit_image_keeps_its_orientation(tmp_path):
    image = Image.fromarray(np.round(RAMP * 257.0).astype(np.uint16))
    exif = image.getexif()
    exif[0x0112] = 6
    path = saved(tmp_path / "a.png", image, exif=exif)
    assert read_grey(path).shape == (64, 32)
    assert np.array_equal(np.rot90(read_grey(path)), RAMP)


def truncated(path):
    saved(path, Image.fromarray(np.tile(RAMP, (8, 4))), quality=95)
    path.write_bytes(path.read_bytes()[:-400])


def bomb(path):
    head = struct.pack(">IIBBBBB", 50_000, 50_000, 8, 0, 0, 0, 0)
    chunks = [(b"IHDR", head), (b"IDAT", zlib.compress(b"\0")), (b"IEND", b"")]
    body = b"".join(
        struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data)) for kind, data in chunks
    )
    path.write_bytes(b"\x89PNG\r\n\x1a\n" + body)


def large(path):
    """More than is read, and less than what Pillow itself refuses: it warns."""
    bomb(path)
    head = path.read_bytes()
    wide = struct.pack(">IIBBBBB", 12_000, 12_000, 8, 0, 0, 0, 0)
    old = struct.pack(">IIBBBBB", 50_000, 50_000, 8, 0, 0, 0, 0)
    path.write_bytes(
        head.replace(old, wide).replace(
            struct.pack(">I", zlib.crc32(b"IHDR" + old)), struct.pack(">I", zlib.crc32(b"IHDR" + wide))
        )
    )


BROKEN = {
    "empty file": lambda path: path.write_bytes(b""),
    "no image by its content": lambda path: path.write_text("I am no image"),
    "truncated or damaged": truncated,
    "missing file": lambda _path: None,
    "cannot be opened": lambda path: path.mkdir(),
    "less than 8 pixels wide or high": lambda path: Image.new("L", (1, 1)).save(path),
    "floating-point pixels, of which no white is known": lambda path: Image.new("F", (9, 9)).save(path, format="TIFF"),
    "32-bit pixels, of which no white is known": lambda path: Image.new("I", (9, 9), 70000).save(path, format="TIFF"),
}


@pytest.mark.parametrize("reason", BROKEN)
def test_an_unusable_file_is_told_with_its_reason(tmp_path, reason):
    path = tmp_path / "a.jpeg"
    BROKEN[reason](path)
    with pytest.raises(UnreadableImage, match=reason) as caught:
        read_grey(path)
    assert caught.value.reason == reason
    with pytest.raises(UnreadableImage, match=reason):
        probe(path)
    assert inspect(path).reason == reason
    assert bool(inspect(path).sha256) == path.is_file()


@pytest.mark.parametrize("make", [bomb, large])
def test_an_image_too_large_for_memory_is_refused_by_its_header(tmp_path, make):
    path = tmp_path / "a.png"
    make(path)
    assert inspect(path).reason == "more than 100 megapixels"
    with pytest.raises(UnreadableImage, match="more than 100 megapixels"):
        read_grey(path)


def test_formats_that_start_other_programs_are_no_images(tmp_path):
    path = tmp_path / "a.png"
    path.write_bytes(b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 90 90\n%%EndComments\nshowpage\n")
    assert inspect(path).reason == "no image by its content"


def test_an_unreadable_image_passes_through_a_process_boundary(tmp_path):
    error = pickle.loads(pickle.dumps(UnreadableImage(tmp_path / "a.png", "empty file")))
    assert error.reason == "empty file"
    assert "a.png: empty file" in str(error)


def test_reading_in_threads_leaves_the_warning_filters_as_they_were(tmp_path):
    palette = Image.fromarray(RAMP).convert("P")
    path = saved(tmp_path / "a.png", palette, transparency=bytes(range(256)))
    before = list(warnings.filters)
    with ThreadPoolExecutor(4) as pool:
        results = list(pool.map(inspect, [path] * 40))
    assert {result.reason for result in results} == {None}
    assert warnings.filters == before
    with pytest.warns(UserWarning, match="still heard"):
        warnings.warn("still heard", stacklevel=1)


def test_a_file_is_known_by_the_hash_of_its_bytes(tmp_path):
    path = saved(tmp_path / "a.png", Image.fromarray(RAMP))
    (tmp_path / "b.png").write_bytes(path.read_bytes())
    assert inspect(path).sha256 == inspect(tmp_path / "b.png").sha256
    assert len(inspect(path).sha256) == 64


def test_a_damaged_tiff_says_nothing_on_stderr(tmp_path, capfd):
    path = saved(tmp_path / "a.tif", Image.fromarray(RAMP).convert("RGB"))
    samples = struct.pack("<HHI", 277, 3, 1)  # tag, type, count; its value follows
    content = path.read_bytes()
    at = content.index(samples) + len(samples)
    path.write_bytes(content[:at] + struct.pack("<H", 2048) + content[at + 2 :])
    assert inspect(path).reason is not None
    assert capfd.readouterr().err == ""


def test_an_image_of_the_manifest_is_read_only_as_the_manifest_has_it(tmp_path):
    path = saved(tmp_path / "a.png", Image.fromarray(np.arange(256, dtype=np.uint8).reshape(16, 16)))
    known = hashlib.sha256(path.read_bytes()).hexdigest()
    assert np.array_equal(read_grey(path, known), read_grey(path))

    path.write_bytes(path.read_bytes() + b"\0")  # which every decoder ignores
    assert np.array_equal(read_grey(path)[0], np.arange(16))
    with pytest.raises(ImageChangedError, match=r"a\.png: is not as it was .* \(its SHA-256 is another\), put it back"):
        read_grey(path, known)

    path.unlink()
    with pytest.raises(ImageChangedError, match=r"\(missing file\)"):
        read_grey(path, known)
    with pytest.raises(UnreadableImage, match="missing file"):
        read_grey(path)


def test_a_changed_image_is_one_sentence_also_from_another_process(tmp_path):
    error = ImageChangedError.of(tmp_path / "a.png", "missing file")
    around = f"Caught ImageChangedError in worker 0.\nTraceback:\ncxrkit.data.images.ImageChangedError: {error}\n"
    assert str(ImageChangedError(around)) == str(pickle.loads(pickle.dumps(error))) == str(error)


def test_a_folder_that_vanishes_while_it_is_read_is_no_set_of_missing_files(tmp_path):
    frame = pd.DataFrame({"image": ["a.png"], "split": ["test"], "excluded": [""]})
    with pytest.raises(RunError, match="gone: has vanished while its images were read"):
        inspected(frame, {"test": tmp_path / "gone"})
    (tmp_path / "gone").mkdir()  # an empty one is left where nothing is mounted any more
    with pytest.raises(RunError, match="gone: has vanished while its images were read"):
        inspected(frame, {"test": tmp_path / "gone"})
    (tmp_path / "gone/b.png").touch()
    assert inspected(frame, {"test": tmp_path / "gone"}).frame["excluded"].tolist() == ["missing file"]
