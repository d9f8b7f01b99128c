"""What a dataset plugin lists is looked at before it is believed."""

import pytest

from cxrkit.api import ManifestRow
from cxrkit.config.base import Use
from cxrkit.config.schema import DataTable
from cxrkit.data.sources import index
from cxrkit.errors import RunError
from cxrkit.registry import Registered, Registry

ROW = ManifestRow("a.png", "NORMAL", "train")


def datasets(rows):
    registry = Registry("dataset")
    registry.add(
        Registered("mine", "dataset", lambda _root: rows, "acme", "1.2", "", "extra", "cxrkit_register_datasets")
    )
    return registry


def listed(tmp_path, rows):
    return index(DataTable(root=str(tmp_path), dataset=Use(use="mine")), tmp_path, datasets(rows))


@pytest.mark.parametrize(
    ("second", "told"),
    [
        ({"image": "a"}, "is dict, a ManifestRow is needed"),
        (ManifestRow("a.png", None, "train"), "has the label None, a text is needed"),
        (ManifestRow("a.png", "NORMAL", "train", patient=7), "has the patient 7, a text is needed"),
        (ManifestRow("a.png", "NORMAL", "train", columns=None), "has the columns None, a mapping"),
        (ManifestRow("a.png", "NORMAL", "train", columns={1: "x"}), "has the columns {1: 'x'}, a mapping"),
    ],
)
def test_a_row_that_is_none_is_told_with_the_plugin(tmp_path, second, told):
    with pytest.raises(RunError) as raised:
        listed(tmp_path, [ROW, second])
    who = 'dataset "mine" (plugin "extra" of acme 1.2, cxrkit_register_datasets)'
    assert str(raised.value).startswith(f"{who}: row 2 {told}")
    assert listed(tmp_path, [ROW])["image"].tolist() == ["a.png"]
