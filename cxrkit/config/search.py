"""``[search]``: which keys of a task are varied, and how."""

from collections.abc import Iterator, Mapping
from typing import Annotated, Any, Literal

from pydantic import BeforeValidator, Discriminator, Field, Tag, field_validator, model_validator

from cxrkit.config.base import Array, Table

Method = Literal["grid", "random", "optuna"]
Metric = Literal["val_roc_auc", "val_average_precision", "val_accuracy", "val_balanced_accuracy", "val_loss"]


class RangeTable(Table):
    """A range of numbers; whole numbers alone are drawn where both ends are whole."""

    low: int | float
    high: int | float
    log: bool = Field(False, description="Even on the logarithmic scale, as learning rates should be.")
    points: Annotated[int, Field(ge=2, le=1000)] | None = Field(
        None, description="Of a grid: how many values, both ends among them."
    )

    @model_validator(mode="after")
    def _a_range(self) -> "RangeTable":
        if self.low >= self.high:
            raise ValueError(f"must have low below high, got low = {self.low} and high = {self.high}")
        if self.log and self.low <= 0:
            raise ValueError(f"must have low above 0 where log = true, got low = {self.low}")
        return self

    @property
    def whole(self) -> bool:
        """Whether it is of whole numbers."""
        return isinstance(self.low, int) and isinstance(self.high, int)


def _values_form(value: Any) -> str | None:
    if isinstance(value, list | tuple):
        return "<values>"
    return "<RangeTable>" if isinstance(value, RangeTable) or _is_range(value) else None


def _is_range(value: Any) -> bool:
    return isinstance(value, Mapping) and bool({"low", "high"} & value.keys())


Dimension = Annotated[
    Annotated[RangeTable, Tag("<RangeTable>")] | Annotated[Array[Any], Field(min_length=1), Tag("<values>")],
    Discriminator(
        _values_form,
        custom_error_type="form",
        custom_error_message="must be an array of values, or a range such as { low = 1e-5, high = 1e-2, log = true }",
    ),
]


def spelled_out_space(space: Any) -> Any:
    """Write every varied key with its dots: ``trainer.learning_rate = […]`` without quotes is a table in TOML."""
    return dict(_leaves(space)) if isinstance(space, Mapping) else space


def _leaves(space: Mapping[str, Any], at: str = "") -> Iterator[tuple[str, Any]]:
    for key, value in space.items():
        if isinstance(value, Mapping) and value and not _is_range(value):
            yield from _leaves(value, f"{at}{key}.")
        else:
            yield f"{at}{key}", value


Space = Annotated[
    dict[str, Dimension],
    BeforeValidator(spelled_out_space, json_schema_input_type=dict[str, Dimension | dict[str, Any]]),
]


class SearchTable(Table):
    """``[search]``: hyper-parameters that ``cxrkit search`` tries; ``cxrkit run`` takes no notice of it."""

    task: str | None = Field(None, description="The task that is varied; needed where several are trained.")
    method: Method = Field("random", description="optuna: by the tree-structured Parzen estimator (an extra).")
    trials: int = Field(
        20,
        ge=1,
        le=10_000,
        description="Of random, by default no more than there are points, and optuna; a grid has all of its points.",
    )
    metric: Metric = Field("val_roc_auc", description="By which a trial is chosen, on validation.")
    seed: int = Field(0, ge=0, description="Of what is drawn.")
    space: Space = Field({}, description="Key of the task or of the file to its values or its range.")

    @field_validator("space")
    @classmethod
    def _all_different(cls, value: dict[str, Any]) -> dict[str, Any]:
        for key, values in value.items():
            if isinstance(values, tuple) and len({repr(one) for one in values}) < len(values):
                raise ValueError(f'must have each value once, got "{key}" with {list(values)}')
        return value
