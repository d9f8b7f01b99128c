import numpy as np
import pytest
import torch
from PIL import Image
from torchvision.transforms import v2

from cxrkit.overlay_colours import MIDDLE, bar
from cxrkit.records import Preprocessing
from cxrkit.training import overlays

SIZES = [(400, 300), (300, 400), (256, 256), (1857, 1317), (257, 911), (90, 120)]


def preprocessing(image_size=224):
    resize = image_size * 256 // 224
    return Preprocessing(image_size=image_size, resize=resize, mean=[0, 0, 0], std=[1, 1, 1])


def spot(size=64, row=10, column=50):
    activation = np.zeros((size, size), np.float32)
    activation[row - 3 : row + 4, column - 3 : column + 4] = 1
    return activation


@pytest.mark.parametrize(("width", "height"), SIZES)
def test_the_part_seen_is_what_torchvision_resizes_and_crops(width, height):
    """Pixels that carry their own position are put through torchvision; what its crop shows is what the box says."""
    rows, columns = np.mgrid[:height, :width].astype(np.float32) + 0.5
    position = torch.from_numpy(np.stack([columns, rows]))
    pipeline = v2.Compose([v2.Resize(256, antialias=False), v2.CenterCrop(224)])

    x, y = pipeline(position).numpy()

    box = overlays.seen(width, height, preprocessing())
    step = (box.right - box.left) / 224
    middle = slice(20, -20)  # away from the edges, where resizing repeats the last pixel
    assert x[0, middle] == pytest.approx(box.left + step * (np.arange(224)[middle] + 0.5), abs=0.51 * max(1, step))
    step = (box.bottom - box.top) / 224
    assert y[middle, 0] == pytest.approx(box.top + step * (np.arange(224)[middle] + 0.5), abs=0.51 * max(1, step))


@pytest.mark.parametrize(("width", "height"), SIZES)
def test_an_overlay_has_the_size_of_the_thumbnail(width, height):
    thumbnail = Image.new("L", (width, height))
    thumbnail.thumbnail((320, 320))
    grey = np.zeros((height, width), np.uint8)

    assert overlays.draw(grey, spot(), overlays.seen(width, height, preprocessing())).size == thumbnail.size


def test_the_map_lies_where_it_was_seen():
    grey = np.full((300, 400), 100, np.uint8)
    box = overlays.seen(400, 300, preprocessing())

    drawn = np.asarray(overlays.draw(grey, spot(row=10, column=50), box)).astype(int)

    scale = 320 / 400
    x = (box.left + (50 + 0.5) / 64 * (box.right - box.left)) * scale
    y = (box.top + (10 + 0.5) / 64 * (box.bottom - box.top)) * scale
    coloured = drawn[..., 0] - drawn[..., 2] > 40
    rows, columns = np.nonzero(coloured)
    assert columns.mean() + 0.5 == pytest.approx(x, abs=1)
    assert rows.mean() + 0.5 == pytest.approx(y, abs=1)


def test_what_was_not_seen_stays_grey_and_the_border_is_marked():
    grey = np.full((300, 400), 100, np.uint8)
    box = overlays.seen(400, 300, preprocessing())

    drawn = np.asarray(overlays.draw(grey, np.ones((64, 64), np.float32), box))

    left, top, right, bottom = (round(edge * 0.8) for edge in box)
    outside = np.ones(drawn.shape[:2], bool)
    outside[top:bottom, left:right] = False
    assert (drawn[outside] == 100).all()
    assert (drawn[top, left:right] == overlays.BORDER).all()
    assert (drawn[bottom - 1, left:right] == overlays.BORDER).all()
    assert (drawn[top:bottom, left] == overlays.BORDER).all()
    assert (drawn[top:bottom, right - 1] == overlays.BORDER).all()


def test_a_map_without_evidence_leaves_the_image_grey():
    grey = np.full((256, 256), 77, np.uint8)

    drawn = np.asarray(overlays.draw(grey, np.zeros((64, 64), np.float32), overlays.seen(256, 256, preprocessing())))

    assert set(map(tuple, drawn.reshape(-1, 3))) == {(77, 77, 77), overlays.BORDER}


def test_a_raw_map_has_sixteen_bits(tmp_path):
    activation = np.linspace(0, 1, 32 * 32, dtype=np.float32).reshape(32, 32)

    overlays.sixteen_bit(activation).save(tmp_path / "raw.png")

    read = np.asarray(Image.open(tmp_path / "raw.png")).astype(np.float64) / 65535
    assert read == pytest.approx(activation, abs=1 / 65535)


def test_the_bar_of_the_report_has_the_colours_of_an_overlay_over_medium_grey():
    ramp = np.tile(np.linspace(0, 1, 300, dtype=np.float32), (300, 1))
    drawn = np.asarray(overlays.draw(np.full((300, 300), MIDDLE, np.uint8), ramp, overlays.Box(0, 0, 300, 300)))
    assert np.abs(drawn[150, 1:-1].astype(int) - bar(300)[1:-1]).max() <= 1
