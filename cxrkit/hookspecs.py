"""The hooks that a plugin may implement.

Entry-point group ``cxrkit.train`` holds what may import torch (models, imbalance strategies, trainers, epoch events),
group ``cxrkit`` what never does (datasets, metric reporters, report sections, run events). Each hook is called plugin
by plugin, so that what is wrong can be named with the distribution that it came from.
"""

from collections.abc import Mapping
from typing import TYPE_CHECKING

from pluggy import HookspecMarker

if TYPE_CHECKING:
    from cxrkit.api import (
        DatasetIndex,
        FinishedRun,
        ImbalanceStrategy,
        MetricReporter,
        ModelBuilder,
        SectionMaker,
        Trainer,
        TrainingContext,
    )

hookspec = HookspecMarker("cxrkit")


@hookspec
def cxrkit_register_models() -> "Mapping[str, ModelBuilder]":
    """Offer classifiers by name; called once, when training plugins are loaded.

    Returns:
        name → ``build(num_classes: int, *, …options) -> nn.Module``, whose input is ``float32[n, 3, height, width]``
        (normalised, three equal channels) and whose output is ``[n, num_classes]`` logits.
    """
    raise NotImplementedError


@hookspec
def cxrkit_register_imbalance_strategies() -> "Mapping[str, ImbalanceStrategy]":
    """Offer ways to treat class imbalance by name; called once, when training plugins are loaded.

    Returns:
        name → ``plan(labels: int64[n], num_classes: int, *, …options) -> Imbalance``.
    """
    raise NotImplementedError


@hookspec
def cxrkit_register_trainers() -> "Mapping[str, Trainer]":
    """Offer training procedures by name; called once, when training plugins are loaded.

    Returns:
        name → ``fit(context: TrainingContext, *, …options) -> None``, which leaves the chosen weights in
        ``context.model``.
    """
    raise NotImplementedError


@hookspec
def cxrkit_register_datasets() -> "Mapping[str, DatasetIndex]":
    """Offer ways to read a data set by name; called once, when a command needs data. Must not import torch.

    Returns:
        name → ``index(root: Path, *, …options) -> Iterable[ManifestRow]``.
    """
    raise NotImplementedError


@hookspec
def cxrkit_register_metric_reporters() -> "Mapping[str, MetricReporter]":
    """Offer evaluations by name; called once, when a command evaluates. Must not import torch.

    Returns:
        name → ``report(predictions: Predictions, settings: EvaluationSettings, *, …options) -> MetricReport``, a pure
        function.
    """
    raise NotImplementedError


@hookspec
def cxrkit_register_report_sections() -> "Mapping[str, SectionMaker]":
    """Offer sections of the report by name; called once, when a report with such a section is made.

    Must not import torch.

    Returns:
        name → ``make(study: ReportedStudy, *, …options) -> ReportSection``, called once for each report. Where it
        fails, the report is written without it and a warning says so.
    """
    raise NotImplementedError


@hookspec
def cxrkit_epoch_finished(context: "TrainingContext", row: Mapping[str, float]) -> None:
    """Hear of a finished epoch, in the training process of global rank 0, after its row is in ``history.csv``.

    Args:
        context: the training under way; ``context.directory`` is the folder of this task and seed.
        row: the epoch's figures by column name, ``epoch`` (from 1) among them.
    """


@hookspec
def cxrkit_run_finished(run: "FinishedRun") -> None:
    """Hear of a finished run, in the main process, after its reports are written.

    Args:
        run: where the run directory and the reports lie, and the state of each task.
    """
