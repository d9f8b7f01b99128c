from concurrent.futures import ThreadPoolExecutor
from io import BytesIO

import numpy as np
import pytest
from PIL import Image, ImageEnhance, ImageOps

from cxrkit.data import similarity
from cxrkit.data.images import inspect
from cxrkit.data.phantom import Case, render
from cxrkit.data.similarity import MOST_BITS, signs, similar


def radiograph(patient, image=0, size=192):
    """An image of a phantom's patient; every third is ill."""
    pathogen = "bacteria" if patient % 3 == 0 else "normal"
    return Image.fromarray(render(Case("train", pathogen, patient, image, ""), size, seed=5)[0])


@pytest.fixture
def look(tmp_path):
    """Turn an image file's content into what is compared."""

    def looked(content):
        path = tmp_path / "file"
        path.write_bytes(content)
        return np.frombuffer(inspect(path).look.thumbnail, dtype=np.uint8).reshape(32, 32)

    return looked


def encoded(image, form="JPEG", **options):
    target = BytesIO()
    image.save(target, form, **options)
    return target.getvalue()


COPIES = {
    "another format": lambda image: encoded(image, "PNG"),
    "low JPEG quality": lambda image: encoded(image, quality=30),
    "half the size": lambda image: encoded(image.resize((96, 96), Image.Resampling.BICUBIC), quality=80),
    "another aspect ratio": lambda image: encoded(image.resize((300, 220), Image.Resampling.BICUBIC), quality=90),
    "three channels": lambda image: encoded(image.convert("RGB"), quality=85),
    "brighter": lambda image: encoded(image.point(lambda grey: min(255, grey + 20)), quality=90),
    "darker": lambda image: encoded(image.point(lambda grey: max(0, grey - 15)), quality=90),
    "more contrast": lambda image: encoded(ImageEnhance.Contrast(image).enhance(1.15), quality=90),
    "stretched to all grey values": lambda image: encoded(ImageOps.autocontrast(image), quality=90),
}


@pytest.mark.parametrize("change", COPIES)
def test_a_changed_copy_is_found_among_other_patients(look, change):
    images = [radiograph(patient) for patient in range(30)]
    originals = [look(encoded(image, quality=95)) for image in images]
    copies = [look(COPIES[change](image)) for image in images[:10]]
    found = similar(np.stack(originals + copies))
    assert [*zip(found.first.tolist(), found.second.tolist(), strict=True)] == [(k, 30 + k) for k in range(10)]
    assert found.complete


def test_other_images_of_the_same_child_are_no_near_duplicates(look):
    images = [look(encoded(radiograph(patient, image))) for patient in range(12) for image in range(4)]
    assert len(similar(np.stack(images)).first) == 0


def naive_bits(image):
    """The hash by the definition of the cosine transform, without a library."""
    place = np.arange(32)
    basis = np.stack([np.cos(np.pi * (2 * place + 1) * k / 64) for k in range(8)])
    low = (basis @ image.astype(float) @ basis.T).ravel()[1:]
    return np.concatenate([[1], np.where(low > np.median(low), 1, -1)])


@pytest.fixture
def many():
    """Smooth random pictures, some of them nearly alike to the last bit of what the search allows."""
    rng = np.random.default_rng(0)
    pictures = [np.asarray(radiograph(k, size=64).resize((32, 32))) for k in range(60)]
    noisy = [np.clip(picture + rng.normal(0, 1 + k / 2, (32, 32)), 0, 255) for k, picture in enumerate(pictures)]
    return np.stack([*pictures, *noisy]).astype(np.uint8)


def test_hashes_follow_their_definition(many):
    assert np.array_equal(signs(many), np.stack([naive_bits(image) for image in many]))


@pytest.mark.parametrize("cells", [1, 1000, 10**6])
def test_every_pair_within_the_limits_is_found_however_the_work_is_divided(many, cells, monkeypatch):
    monkeypatch.setattr(similarity, "_CELLS", cells)
    bits = [naive_bits(image) for image in many]
    correlation = np.corrcoef(many.reshape(len(many), -1))
    expected = {
        (a, b): ((bits[a] != bits[b]).sum(), correlation[a, b])
        for a in range(len(many))
        for b in range(a + 1, len(many))
        if (bits[a] != bits[b]).sum() <= MOST_BITS and correlation[a, b] >= similarity.LEAST_CORRELATION
    }
    found = similar(many)
    assert 10 < len(expected) < 60
    assert set(zip(found.first.tolist(), found.second.tolist(), strict=True)) == set(expected)
    pairs = zip(found.first, found.second, found.distance, found.correlation, strict=True)
    for first, second, distance, value in pairs:
        assert (distance, pytest.approx(value, abs=1e-5)) == expected[first, second]


@pytest.mark.parametrize("number", [0, 1])
def test_fewer_than_two_images_have_no_pairs(number):
    found = similar(np.zeros((number, 32, 32), dtype=np.uint8))
    assert len(found.first) == len(found.correlation) == 0


def test_images_of_one_grey_are_not_like_anything():
    assert len(similar(np.full((5, 32, 32), 7, dtype=np.uint8)).first) == 0


def test_a_search_that_finds_too_much_ends_and_says_so(many, monkeypatch):
    monkeypatch.setattr(similarity, "MOST_PAIRS", 100)
    monkeypatch.setattr(similarity, "_CELLS", 100)
    found = similar(np.repeat(many[:1], 60, axis=0))
    assert not found.complete
    assert 100 < len(found.first) < 60 * 59 / 2


@pytest.mark.real_data
def test_radiographs_at_their_original_size_are_found_among_small_copies_and_nothing_else(real_data):
    small = {path.name: path for path in sorted((real_data / "chest_xray/train").rglob("*.jpeg"))}
    original = [path for path in sorted((real_data / "chest_xray_original_size").rglob("*.jpeg")) if path.name in small]
    copied = {inspect(path).sha256: path.name for path in small.values()}  # 20 are identical copies of others
    paths = [small[name] for name in copied.values()] + original
    with ThreadPoolExecutor() as pool:
        looks = pool.map(lambda path: inspect(path).look.thumbnail, paths)
        thumbnails = np.frombuffer(b"".join(looks), dtype=np.uint8).reshape(-1, 32, 32)
    found = similar(thumbnails)
    pairs = {(paths[a].name, paths[b].name) for a, b in zip(found.first, found.second, strict=True)}
    expected = {(copied[inspect(small[path.name]).sha256], path.name) for path in original}
    assert len(expected) > 100
    assert pairs == expected
