"""DICOM radiographs, each written here by pydicom."""

import struct
import sys
import tracemalloc
import warnings
from io import BytesIO

import numpy as np
import pytest
from PIL import Image

from cxrkit.data import dicom, headers, images, measured
from cxrkit.data.images import UnreadableImage, burned_in, inspect, probe, read_grey

pydicom = pytest.importorskip("pydicom", reason='DICOM needs the extra: pip install "cxrkit[dicom]"')
encaps = pytest.importorskip("pydicom.encaps")
uid = pydicom.uid

RAMP = np.tile(np.arange(64) * 64, (32, 1)).astype(np.uint16)  # 0 … 4032


@pytest.fixture
def write(tmp_path):
    """Write a radiograph: its stored values, and tags in place of the usual ones."""

    def written(stored=RAMP, *, bits=12, syntax=uid.ExplicitVRLittleEndian, raw=None, **tags):
        meta = pydicom.dataset.FileMetaDataset()
        meta.TransferSyntaxUID = syntax
        meta.MediaStorageSOPClassUID = "1.2.840.10008.5.1.4.1.1.1.1"
        meta.MediaStorageSOPInstanceUID = uid.generate_uid()
        big = syntax == uid.ExplicitVRBigEndian
        kind = {"is_implicit_VR": False, "is_little_endian": not big}
        found = pydicom.dataset.FileDataset(None, {}, file_meta=meta, preamble=b"\0" * 128, **kind)
        found.SOPClassUID, found.SOPInstanceUID = meta.MediaStorageSOPClassUID, meta.MediaStorageSOPInstanceUID
        found.Rows, found.Columns = stored.shape[-2:] if stored.ndim < 3 or stored.shape[-1] != 3 else stored.shape[:2]
        found.SamplesPerPixel = 1
        found.PhotometricInterpretation = "MONOCHROME2"
        found.BitsAllocated = 8 * stored.dtype.itemsize
        found.BitsStored, found.HighBit = bits, bits - 1
        found.PixelRepresentation = int(stored.dtype.kind == "i")
        content = stored.astype(stored.dtype.newbyteorder(">")).tobytes() if big else stored.tobytes()
        found.PixelData = content if raw is None else raw
        found["PixelData"].VR = "OW"
        for name, value in tags.items():
            setattr(found, name, value)
        path = tmp_path / f"{len(list(tmp_path.iterdir()))}.dcm"
        found.save_as(path, enforce_file_format=True)
        return path

    return written


def lut(entries, first, bits):
    item = pydicom.dataset.Dataset()
    item.LUTDescriptor = [len(entries), first, bits]
    item.LUTData = list(entries)
    item["LUTDescriptor"].VR = item["LUTData"].VR = "US"
    return [item]


def shades(path):
    grey = read_grey(path)
    assert grey.dtype == np.uint8
    assert grey.shape == (32, 64)
    assert (grey == grey[0]).all()
    return grey[0].astype(int)


def test_without_a_window_the_stored_bits_are_the_range(write):
    plain = np.round(RAMP[0] * (255 / 4095)).astype(int)
    assert np.array_equal(shades(write()), plain)
    assert np.array_equal(shades(write(bits=16)), plain)  # no value beyond 12 bits
    assert shades(write(RAMP * 16, bits=16)).max() == 251
    assert np.array_equal(shades(write((RAMP // 16).astype(np.uint8), bits=8)), RAMP[0] // 16)
    signed = shades(write(RAMP.astype(np.int16) - 1000, bits=16))
    assert (signed.min(), signed.max()) == (0, 255)


def test_monochrome1_is_inverted_and_byte_order_and_compression_make_no_difference(write):
    plain = shades(write())
    assert np.array_equal(shades(write(PhotometricInterpretation="MONOCHROME1")), 255 - plain)
    assert np.array_equal(shades(write(syntax=uid.ExplicitVRBigEndian)), plain)
    path = write()
    packed = pydicom.dcmread(path)
    packed.compress(uid.RLELossless)
    packed.save_as(path)
    assert np.array_equal(shades(path), plain)


def linear(values, centre, width):
    """The formula of DICOM PS3.3, C.11.2.1.2.1, into 0 … 255."""
    shown = ((values - (centre - 0.5)) / (width - 1) + 0.5) * 255
    return np.round(np.clip(shown, 0, 255)).astype(int)


def test_the_first_window_is_applied_by_its_function(write):
    values = RAMP[0].astype(float)
    one = write(WindowCenter=2000, WindowWidth=1000)
    assert np.array_equal(shades(one), linear(values, 2000, 1000))
    assert np.array_equal(shades(write(WindowCenter=[2000, 1], WindowWidth=[1000, 2])), shades(one))
    exact = np.round(np.clip((values - 2000) / 1000 + 0.5, 0, 1) * 255).astype(int)
    assert np.array_equal(shades(write(WindowCenter=2000, WindowWidth=1000, VOILUTFunction="LINEAR_EXACT")), exact)
    sigmoid = np.round(255 / (1 + np.exp(-4 * (values - 2000) / 1000))).astype(int)
    assert np.array_equal(shades(write(WindowCenter=2000, WindowWidth=1000, VOILUTFunction="SIGMOID")), sigmoid)


def test_the_window_is_on_rescaled_values(write):
    values = RAMP[0] * 0.5 - 1000
    path = write(RescaleSlope="0.5", RescaleIntercept="-1000", WindowCenter="0", WindowWidth="400")
    assert np.array_equal(shades(path), linear(values, 0, 400))
    falling = shades(write(RescaleSlope="-1", RescaleIntercept="4095"))
    assert np.array_equal(falling, np.round((4095 - RAMP[0]) * (255 / 4095)).astype(int))


@pytest.mark.parametrize(("bits", "white"), [(8, 255), (12, 4095), (16, 65535)])
def test_a_voi_table_goes_before_a_window(write, bits, white):
    entries = np.round(np.linspace(0, white, 4096)).astype(int).tolist()
    path = write(VOILUTSequence=lut(entries, 0, bits), WindowCenter=1, WindowWidth=1)
    assert np.abs(shades(path) - RAMP[0] * (255 / 4095)).max() <= 1
    from_1000 = write(VOILUTSequence=lut(entries, 1000, bits))
    assert shades(from_1000)[RAMP[0] <= 1000].max() == 0


def test_a_modality_table_of_12_bits_is_read(write):
    falling = shades(write(ModalityLUTSequence=lut(range(4095, -1, -1), 0, 12)))
    assert np.abs(falling + shades(write()) - 255).max() <= 1


def test_colour_becomes_luma(write):
    red = np.zeros((32, 64, 3), np.uint8)
    red[..., 0] = 255
    path = write(red, bits=8, SamplesPerPixel=3, PhotometricInterpretation="RGB", PlanarConfiguration=0)
    assert set(shades(path)) == {76}


@pytest.mark.parametrize(
    ("tags", "shape"),
    [
        ({"PixelAspectRatio": [2, 1]}, (64, 64)),
        ({"PixelAspectRatio": [1, 2]}, (32, 128)),
        ({"ImagerPixelSpacing": ["0.3", "0.1"]}, (96, 64)),
        ({"PixelSpacing": ["0.143", "0.143"]}, (32, 64)),
    ],
)
def test_pixels_are_made_square(write, tags, shape):
    path = write(**tags)
    assert read_grey(path).shape == shape
    assert probe(path) == shape[::-1]


def test_it_is_read_wherever_images_are(write):
    path = write()
    found = inspect(path)
    assert (found.reason, found.width, found.height, len(found.sha256)) == (None, 64, 32, 64)
    assert path.suffix in images.SUFFIXES
    assert not burned_in(path)
    assert burned_in(write(BurnedInAnnotation="YES"))


REFUSED = {
    "DICOM with several frames, allowed is one": {"stored": np.stack([RAMP] * 2), "NumberOfFrames": 2},
    "DICOM without an image": {"raw": b"", "empty": True},
    "DICOM in colours of a kind that is not read": {"PhotometricInterpretation": "PALETTE COLOR"},
    "DICOM of more than 16 bits, of which no white is known": {"stored": RAMP.astype(np.uint32), "bits": 32},
    "DICOM that is deflated as a whole": {"syntax": uid.DeflatedExplicitVRLittleEndian},
    "DICOM with a window of a kind that is not read": {"WindowCenter": 1, "WindowWidth": 9, "VOILUTFunction": "GEHEIM"},
    "truncated or damaged": {"raw": b"\0" * 90},
    "more than 100 megapixels": {"Rows": 20_000, "Columns": 20_000},
    "less than 8 pixels wide or high": {"stored": RAMP[:4, :4]},
}


@pytest.mark.parametrize("reason", REFUSED)
def test_what_is_no_radiograph_is_told_without_quoting_it(write, reason, capfd):
    options = dict(REFUSED[reason])
    empty = options.pop("empty", False)
    path = write(**options)
    if empty:
        lacking = pydicom.dcmread(path)
        del lacking.PixelData
        lacking.save_as(path)
    with pytest.raises(UnreadableImage) as caught:
        read_grey(path)
    assert caught.value.reason == reason
    assert inspect(path).reason == reason
    assert capfd.readouterr() == ("", "")


def test_stretching_is_bounded(write):
    with pytest.raises(UnreadableImage, match="more than 100 megapixels"):
        read_grey(write(PixelAspectRatio=[100_000, 1]))


def test_compressed_pixels_that_cannot_be_decoded_are_told_with_what_would_help(write):
    path = write(raw=encaps.encapsulate([b"no JPEG"]), syntax=uid.JPEGLosslessSV1)
    with pytest.raises(UnreadableImage) as caught:
        read_grey(path)
    assert caught.value.reason == (
        "compressed DICOM (JPEG Lossless, Non-Hierarchical, First-Order Prediction (Process 14 [Selection Value 1])) "
        "that cannot be decoded here; more decoders come with: pip install "
        "pylibjpeg pylibjpeg-libjpeg pylibjpeg-openjpeg"
    )


def test_without_the_extra_it_says_how_to_get_it(write, monkeypatch):
    path = write()
    monkeypatch.setitem(sys.modules, "pydicom", None)
    assert inspect(path).reason == 'DICOM, which needs: pip install "cxrkit[dicom]"'


def test_no_tag_beside_those_of_the_pixels_is_read():
    assert not [name for name in dicom.TAGS if name.startswith(("Patient", "Study", "Series", "Accession", "Inst"))]


# ── Of strangers ──────────────────────────────────────────────────────────────────────────────────────────────────────


def reason(path):
    with pytest.raises(UnreadableImage) as caught:
        read_grey(path)
    assert inspect(path).reason == caught.value.reason
    return caught.value.reason


def test_a_deflated_file_is_not_inflated_wherever_it_says_so(write, monkeypatch):
    path = write(syntax=uid.DeflatedExplicitVRLittleEndian)
    content = path.read_bytes()
    at = content.index(b"\x02\x00\x10\x00UI")
    private = b"\x02\x00\x02\x01OB\0\0" + struct.pack("<I", 8192) + b"\0" * 8192
    path.write_bytes(content[:at] + private + content[at:])
    monkeypatch.setattr("zlib.decompress", lambda *_: pytest.fail("was inflated"))
    assert reason(path) == "DICOM that is deflated as a whole"


def test_an_element_takes_no_more_memory_than_the_file_has(write):
    path = write()
    plain, content = shades(path), path.read_bytes()
    at = content.index(b"\xe0\x7f\x10\x00OW") + 8
    path.write_bytes(content[:at] + struct.pack("<I", 0xFFFFFFF0) + content[at + 4 :])
    tracemalloc.start()
    assert np.array_equal(shades(path), plain)  # all pixels are there, whatever is claimed beyond
    assert tracemalloc.get_traced_memory()[1] < 20_000_000
    tracemalloc.stop()


def test_a_wrong_transfer_syntax_is_told(write):
    path = write(syntax=uid.RLELossless, raw=encaps.encapsulate([RAMP.tobytes()]))
    assert "cannot be decoded here" in reason(path)
    path = write()
    path.write_bytes(path.read_bytes().replace(b"1.2.840.10008.1.2.1\0", b"1.2.840.10008.1.2.2\0"))
    assert reason(path)


def test_compressed_pixels_of_another_size_are_refused_before_they_are_decoded(write, monkeypatch):
    file = BytesIO()
    Image.new("L", (64, 64)).save(file, "JPEG")
    path = write(RAMP.astype(np.uint8), bits=8, syntax=uid.JPEGBaseline8Bit, raw=encaps.encapsulate([file.getvalue()]))
    assert reason(path) == "DICOM whose compressed pixels are of another size than it says"
    monkeypatch.setattr(dicom, "SURELY_SMALL", 0)
    runs = struct.pack("<16L", 2, 64, 64, *[0] * 13) + b"\x81\0" * 20_000
    path = write(syntax=uid.RLELossless, raw=encaps.encapsulate([runs]))
    assert reason(path) == "DICOM whose compressed pixels are of another size than it says"
    sound = pydicom.dcmread(write())
    sound.compress(uid.RLELossless)
    sound.save_as(path)
    assert np.array_equal(shades(path), shades(write()))


def test_run_lengths_longer_than_any_for_their_size_are_refused(write):
    path = write(
        syntax=uid.RLELossless, raw=encaps.encapsulate([struct.pack("<16L", 1, 64, *[0] * 14) + b"\x80" * 50_000])
    )
    assert reason(path) == "DICOM whose compressed pixels are of another size than it says"


@pytest.mark.parametrize("syntax", [uid.JPEGBaseline8Bit, uid.JPEGExtended12Bit, uid.JPEGLosslessSV1])
def test_a_jpeg_of_thousands_of_scans_is_refused_before_it_is_decoded(write, syntax):
    file = BytesIO()
    Image.fromarray((RAMP // 16).astype(np.uint8)).save(file, "JPEG", progressive=True)
    content = file.getvalue()
    at = content.rindex(b"\xff\xda")
    many = content[:-2] + content[at:-2] * headers.MOST_SCANS + b"\xff\xd9"
    path = write((RAMP // 16).astype(np.uint8), bits=8, syntax=syntax, raw=encaps.encapsulate([many]))
    assert reason(path) == "made to take long or much memory"
    path = write((RAMP // 16).astype(np.uint8), bits=8, syntax=uid.JPEGBaseline8Bit, raw=encaps.encapsulate([content]))
    assert np.abs(read_grey(path).astype(int) - RAMP // 16).max() <= 4


def element(tag, kind, value):
    return struct.pack("<HH2sHI", tag >> 16, tag & 0xFFFF, kind, 0, len(value)) + value


def before_pixels(path, more):
    content = path.read_bytes()
    at = content.rindex(b"\xe0\x7f\x10\x00")
    path.write_bytes(content[:at] + more + content[at:])
    return path


def test_endless_elements_are_given_up(write, tmp_path, monkeypatch):
    monkeypatch.setattr(measured, "MOST_READS", 10_000)
    zeros = tmp_path / "zeros"
    zeros.write_bytes(b"\0" * 128 + b"DICM" + b"\0" * 200_000)
    assert reason(zeros) == "DICOM of more elements than an image needs"
    many = before_pixels(write(), element(0x00291001, b"UN", b"") * 10_000)
    assert reason(many) == "DICOM of more elements than an image needs"
    assert inspect(before_pixels(write(), element(0x00291001, b"UN", b"") * 4_000)).reason is None


@pytest.mark.parametrize(
    ("tag", "kind", "value"),
    [(0x00080005, b"UT", b"\\"), (0x00281050, b"UT", b"1\\"), (0x00283000, b"SQ", b"\xfe\xff\x00\xe0\0\0\0\0")],
)
def test_only_pixels_are_long(write, tag, kind, value):
    path = before_pixels(write(), element(tag, kind, value * (3_000_000 // len(value))))
    assert reason(path) == "DICOM with an element longer than an image needs"
    assert inspect(before_pixels(write(), element(0x00291001, b"UN", b"\0" * 3_000_000))).reason is None
    after = write(WindowCenter=2000, WindowWidth=4000)
    after.write_bytes(after.read_bytes() + element(tag, kind, value * (3_000_000 // len(value))))
    assert reason(after) == "DICOM with an element longer than an image needs"


@pytest.mark.parametrize("undefined", [True, False])
def test_a_frame_in_endless_pieces_or_with_a_huge_table_of_them_is_refused(write, undefined):
    file = BytesIO()
    Image.fromarray((RAMP // 16).astype(np.uint8)).save(file, "JPEG")
    item, jpeg = b"\xfe\xff\x00\xe0", file.getvalue()
    frame = item + struct.pack("<I", len(jpeg)) + jpeg
    table = b"\0" * 3_000_000
    for raw in (
        item + b"\0" * 4 + (item + b"\0" * 4) * 110_000 + frame,
        item + struct.pack("<I", len(table)) + table + frame,
    ):
        path = write((RAMP // 16).astype(np.uint8), bits=8, syntax=uid.JPEGBaseline8Bit, raw=raw)
        if not undefined:
            content = path.read_bytes()
            at = content.rindex(b"\xe0\x7f\x10\x00") + 8
            path.write_bytes(content[:at] + struct.pack("<I", len(raw)) + content[at + 4 :])
        assert reason(path) in {"made to take long or much memory", "DICOM of more elements than an image needs"}


@pytest.mark.parametrize("kind", ["u", "i"])
def test_twelve_bits_that_are_not_the_lowest_of_sixteen_are_refused(write, kind):
    path = write(RAMP.astype(f"{kind}2") * 8, HighBit=15)
    assert reason(path) == "DICOM whose stored bits are not the lowest ones"


def test_signed_values_of_twelve_bits_are_read_whatever_lies_above_them(write):
    signed = RAMP.astype(np.int16) - 2048
    plain = shades(write(signed))
    assert (plain.min(), plain.max()) == (0, 255)
    assert np.array_equal(shades(write(signed & 0xFFF)), plain)
    assert np.array_equal(shades(write((signed & 0xFFF) | 0x5000)), plain)


@pytest.mark.parametrize("tags", [{"RescaleSlope": "1e400"}, {"WindowCenter": "nan", "WindowWidth": "1"}])
def test_numbers_that_are_none_are_refused(write, tags, capfd):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        path = write(**tags)
    assert reason(path)
    assert capfd.readouterr() == ("", "")
