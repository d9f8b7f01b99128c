import enum
import re
from datetime import date
from functools import partial, wraps
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

import pytest
from pydantic import Field

from cxrkit import options
from cxrkit.errors import InputError

if TYPE_CHECKING:
    from torch import Tensor, nn

WHERE = 'tasks.toml: task "a": model'


def build(
    num_classes: int,
    *,
    head: Literal["two-layer", "linear"] = "two-layer",
    hidden: int = 256,
    rate: Annotated[float, Field(gt=0)] = 1e-3,
    betas: tuple[float, float] = (0.9, 0.999),
    start: "Tensor | None" = None,
) -> "nn.Module":
    raise NotImplementedError


def test_defaults_are_filled_in():
    assert options.check(build, {"hidden": 8}, WHERE) == {
        "head": "two-layer",
        "hidden": 8,
        "rate": 1e-3,
        "betas": (0.9, 0.999),
        "start": None,
    }


def test_an_int_fits_a_float_and_becomes_one():
    rate = options.check(build, {"rate": 1}, WHERE)["rate"]
    assert rate == 1.0
    assert isinstance(rate, float)


def test_a_list_as_toml_has_it_fits_a_tuple():
    assert options.check(build, {"betas": [0.8, 1]}, WHERE)["betas"] == (0.8, 1.0)


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"hidden": "3"}, 'model.hidden: must be a valid integer, got "3"'),
        ({"hidden": 3.0}, "model.hidden: must be a valid integer, got 3.0"),
        ({"hidden": True}, "model.hidden: must be a valid integer, got true"),
        ({"rate": "1e-3"}, 'model.rate: must be a valid number, got "1e-3"'),
        ({"rate": -0.1}, "model.rate: must be greater than 0, got -0.1"),
        ({"head": "lin"}, "model.head: must be 'two-layer' or 'linear', got \"lin\""),
        ({"betas": [0.9]}, "model.betas: must be tuple[float, float], got [0.9]"),
        ({"betas": [0.9, "b"]}, 'model.betas[1]: must be a valid number, got "b"'),
        ({"hiden": 3}, 'model.hiden: unknown option, did you mean "hidden"?'),
    ],
)
def test_a_wrong_option_is_told_with_place_value_and_what_is_allowed(given, message):
    with pytest.raises(InputError) as caught:
        options.check(build, given, WHERE)
    assert str(caught.value) == f'tasks.toml: task "a": {message}'


def test_all_problems_are_told_at_once():
    with pytest.raises(InputError) as caught:
        options.check(build, {"hiden": 3, "rate": 0, "head": 1}, WHERE)
    assert len(caught.value.problems) == 3


def test_an_option_without_default_must_be_given():
    def plan(labels: Any, num_classes: int, *, beta: float) -> None: ...

    assert options.check(plan, {"beta": 1}, WHERE) == {"beta": 1.0}
    with pytest.raises(InputError, match=r"model\.beta: missing, must be float"):
        options.check(plan, {}, WHERE)


def test_a_name_known_only_to_type_checkers_harms_no_other_option():
    """``start`` and the return type of ``build`` cannot be resolved; ``hidden`` is checked all the same."""
    assert options.check(build, {"start": [1, 2]}, WHERE)["start"] == [1, 2]
    with pytest.raises(InputError, match="hidden"):
        options.check(build, {"start": [1, 2], "hidden": "x"}, WHERE)


def test_annotations_as_text_are_resolved(tmp_path, monkeypatch):
    """A plugin with ``from __future__ import annotations`` has nothing but text in its signature."""
    source = "from __future__ import annotations\ndef build(num_classes: int, *, depth: int = 3) -> Module: ...\n"
    (tmp_path / "future_plugin.py").write_text(source, encoding="utf-8")
    monkeypatch.syspath_prepend(str(tmp_path))
    from future_plugin import build as future_build

    assert options.check(future_build, {"depth": 4}, WHERE) == {"depth": 4}
    with pytest.raises(InputError, match=r"model\.depth: must be a valid integer"):
        options.check(future_build, {"depth": "4"}, WHERE)


def test_keyword_arguments_without_names_are_refused():
    def loose(num_classes: int, **rest: Any) -> None: ...

    with pytest.raises(InputError, match=r"takes \*\*kwargs, a plugin's options must be named one by one"):
        options.check(loose, {}, WHERE)
    with pytest.raises(InputError, match=r"loose: its signature takes \*\*kwargs"):
        options.describe(loose)


class Colour(enum.Enum):
    GREY = "grey"
    RGB = "rgb"


class Network:
    """A class is a factory too."""

    def __init__(self, num_classes: int, *, colour: Colour = Colour.GREY, weights: Path | None = None) -> None:
        self.chosen = (num_classes, colour, weights)


def test_a_class_is_a_factory():
    checked = options.check(Network, {"colour": "rgb", "weights": "a/b.pth"}, WHERE)
    assert checked == {"colour": Colour.RGB, "weights": Path("a/b.pth")}


def test_checking_what_was_checked_changes_nothing():
    """A plan that passed through JSON is checked again in the child process."""
    once = options.check(Network, {"weights": "a/b.pth"}, WHERE)
    assert options.check(Network, {"colour": once["colour"].value, "weights": once["weights"]}, WHERE) == once
    betas = options.check(build, {}, WHERE)
    assert options.check(build, betas, WHERE) == betas


def test_partial_applications_and_decorated_functions_keep_their_options():
    @wraps(build)
    def decorated(*arguments: Any, **rest: Any) -> Any:
        return build(*arguments, **rest)

    assert [option.name for option in options.describe(decorated)] == [o.name for o in options.describe(build)]
    assert options.check(partial(build, head="linear"), {}, WHERE)["head"] == "linear"


def test_a_toml_date_reaches_an_option_of_that_type():
    def index(root: Path, *, since: date) -> None: ...

    assert options.check(index, {"since": date(2020, 1, 2)}, WHERE) == {"since": date(2020, 1, 2)}


def test_a_union_is_told_whole():
    def fit(context: Any, *, workers: int | Literal["auto"] = "auto") -> None: ...

    assert options.check(fit, {"workers": 2}, WHERE) == {"workers": 2}
    with pytest.raises(InputError, match=r'workers: must be int \| "auto", got "many"'):
        options.check(fit, {"workers": "many"}, WHERE)


def test_describe_tells_name_type_and_default():
    described = {option.name: (option.type, option.default, option.required) for option in options.describe(build)}
    assert described == {
        "head": ('"two-layer" | "linear"', "two-layer", False),
        "hidden": ("int", 256, False),
        "rate": ("float (> 0)", 1e-3, False),
        "betas": ("tuple[float, float]", (0.9, 0.999), False),
        "start": ("Tensor | None", None, False),
    }


def test_a_usable_factory_has_no_fault():
    assert options.fault(build, ("num_classes",)) is None
    assert options.fault(Network, ("num_classes",)) is None


@pytest.mark.parametrize(
    ("factory", "reason"),
    [
        ("resnet18", "is a str, must be a function"),
        (lambda: None, r"takes \(\) by position, must be f\(num_classes, \*, …options\)"),
        (lambda _n, _depth: None, r"takes \(_n, _depth\) by position"),
        (lambda _n, **_rest: None, r"takes \*\*kwargs"),
        (lambda _n, *, _depth=3: None, r"has options without a type \(_depth\)"),
    ],
)
def test_a_fault_of_a_factory_is_told(factory, reason):
    assert re.match(reason, options.fault(factory, ("num_classes",)))
