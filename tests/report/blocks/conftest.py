"""Run directories that hold everything a report can show, written by hand through the real record models."""

from collections.abc import Callable, Sequence
from types import SimpleNamespace

import numpy as np
import pytest

from cxrkit.api import Predictions
from cxrkit.data import corruptions
from cxrkit.evaluation import predictions
from cxrkit.files import write_text
from cxrkit.records import (
    AcceptanceRecord,
    CamAgreement,
    CamChecks,
    ChangeRecord,
    Comparison,
    DataAudit,
    EnsembleRecord,
    Estimate,
    Explanations,
    Metrics,
    OperatingPoint,
    PriorRecord,
    RandomisationStep,
    Record,
    Robustness,
    SeedSpread,
    TaskInfo,
    TemperatureRecord,
    ThresholdRecord,
    Zone,
    ZoneResult,
)
from cxrkit.report import write
from cxrkit.rundir import RunDirectory

LEVEL = 0.95
CORRUPTIONS = ("blur", "jpeg", "rotation", "noise", "marker")


@pytest.fixture(scope="session")
def full_run(make_run: Callable[..., RunDirectory], show_images: Callable[..., None]) -> RunDirectory:
    """Three models, an ensemble among them, with every figure and check that there is."""
    run = make_run(skill={"scratch": 1.7, "transfer": 2.6, "both": 2.7})
    for number, task in enumerate(("scratch", "transfer", "both")):
        enrich_info(run, task, number)
        enrich_metrics(run, task, number)
        write_curves(run, task, number)
    for number, task in enumerate(("scratch", "transfer")):
        write_checks(run, task, number)
    write_comparison(run)
    write_run_files(run)
    show_images(run)
    return run


@pytest.fixture(scope="session")
def full(full_run: RunDirectory, tmp_path_factory, page_of) -> SimpleNamespace:
    """The report of ``full_run`` in every format, and its text in one line."""
    folder = tmp_path_factory.mktemp("full")
    paths, warnings = write([full_run], folder, ("html", "pdf", "txt"), strict_pdf=True)
    assert warnings == []
    text = paths[2].read_text(encoding="utf-8")
    page = page_of(paths[0])
    return SimpleNamespace(
        run=full_run, pdf=paths[1], lines=text.splitlines(), text=plain(text), page=page, rows=cells(page)
    )


def cells(page) -> list[list[str]]:
    """The cells of every row of a page, their lines one after the other, without the models' dots."""
    return [[plain(cell).removeprefix("●") for cell in row] for row in page.rows]


def plain(text: str) -> str:
    """A text in one line, with plain dashes."""
    return " ".join(text.split()).replace("\N{MINUS SIGN}", "-").replace("\N{EN DASH}", "-")


@pytest.fixture(scope="session")
def imported(imported_run: RunDirectory, tmp_path_factory, page_of) -> SimpleNamespace:
    """The report of ``imported_run``: its rows, and its text in one line."""
    folder = tmp_path_factory.mktemp("imported")
    write([imported_run], folder, ("html", "txt"), strict_pdf=False)
    page = page_of(folder / "report.html")
    text = (folder / "comparison_report.txt").read_text(encoding="utf-8")
    return SimpleNamespace(run=imported_run, page=page, rows=cells(page), text=plain(text))


@pytest.fixture(scope="session")
def imported_run(make_run: Callable[..., RunDirectory]) -> RunDirectory:
    """Two imported models: one gives a score, one a bare decision; the second lacks results."""
    run = make_run(skill={"vendor": 2.2, "caller": 2.0}, trained=False)
    for task, scale in (("vendor", "score"), ("caller", "decision")):
        rescale(run, task, scale)
    return run


def rescale(run: RunDirectory, task: str, scale: str) -> None:
    """Turn probabilities into a score or a decision, and leave out the figures that it does not support."""
    directory = run.task(task)
    info = TaskInfo.read(directory.info)
    value = 12.5 if scale == "score" else 0.5
    threshold = ThresholdRecord(value=value, rule="fixed")
    info.model_copy(update={"scale": scale, "threshold": threshold}).write(directory.info)
    found = predictions.read(
        directory.predictions("test"), task=task, set_name="test", class_names=info.class_names, positive=info.positive
    )
    predictions.write(directory.predictions("test"), as_scale(found, scale))
    metrics = Metrics.read(directory.metrics)
    kept = KEPT - ({"roc_auc", "average_precision"} if scale == "decision" else set())
    records = [record for record in metrics.records if record.metric in kept and record.set == "test"]
    limits = [f"The model gives a {scale}: what needs more cannot be told."]
    if scale == "decision":
        metrics.confusion[-1].no_result = 6
        records += [figure("no_result", 0.025), figure("sensitivity_complete_cases", 0.934, 0.89, 0.96)]
    nothing: dict[str, object] = {key: [] for key in ("operating_points", "zones", "acceptance", "seeds", "changes")}
    metrics.model_copy(update={**nothing, "records": records, "limits": limits}).write(directory.metrics)
    for path in directory.curves.glob("*"):
        path.unlink()


KEPT = frozenset(
    {
        *("roc_auc", "average_precision", "sensitivity", "specificity", "ppv", "npv", "accuracy", "prevalence"),
        *("precision", "recall", "f1", "support"),
    }
)


def as_scale(found: Predictions, scale: str) -> Predictions:
    score = found.score * 25
    columns = np.stack([-score, score], axis=1)
    if scale == "decision":
        called = (found.score >= 0.5).astype(float)
        columns = np.stack([1 - called, called], axis=1)
    return Predictions(
        **{name: getattr(found, name) for name in ("task", "set", "condition", "class_names", "positive", "images")},
        patients=found.patients,
        labels=found.labels,
        status=found.status,
        probabilities=columns,
        scale=scale,
    )


# ── What a task holds ─────────────────────────────────────────────────────────────────────────────────────────────────


def figure(metric: str, value: float | None, low: float | None = None, high: float | None = None, **more) -> Record:
    known = {"set": "test", "level": LEVEL, "n": 240, "n_patients": 180, "fewest_patients": 64}
    return Record(metric=metric, value=value, low=low, high=high, **known | more)


def estimate(value: float | None, low: float | None = None, high: float | None = None, n: int = 60) -> Estimate:
    return Estimate(value=value, low=low, high=high, level=LEVEL, method="bootstrap by patient", n=n, n_patients=n)


def threshold(value: float, rule: str = "youden", **more) -> ThresholdRecord:
    known = {"set": "val", "n": 80, "low": value - 0.06, "high": value + 0.08, "level": LEVEL}
    return ThresholdRecord(value=value, rule=rule, method="bootstrap by patient", **known | more)


def enrich_info(run: RunDirectory, task: str, number: int) -> None:
    info = TaskInfo.read(run.task(task).info)
    value = 0.431 + 0.05 * number
    update: dict[str, object] = {
        "threshold": threshold(value),
        "patient_thresholds": {"patient-max": threshold(value + 0.1), "patient-mean": threshold(value + 0.02)},
        "temperature": TemperatureRecord(value=1.37 - 0.5 * number, set="val", n=80, n_patients=61),
    }
    if task == "scratch":
        update |= {
            "seeds": [0, 1, 2],
            "represent": "ensemble",
            "prior": PriorRecord(seen=[0.5, 0.5], natural=[0.26, 0.74]),
        }
    if task == "both":
        weights = EnsembleRecord(method="logit-mean", weights={"scratch": 0.5, "transfer": 0.5})
        update |= {"kind": "ensemble", "members": ["scratch", "transfer"], "ensemble": weights, "seeds": []}
        update |= {"represent": None, "model": None, "imbalance": None, "trainer": None, "options": {}}
    info.model_copy(update=update).write(run.task(task).info)


def enrich_metrics(run: RunDirectory, task: str, number: int) -> None:
    path = run.task(task).metrics
    metrics = Metrics.read(path)
    own = [*of_probabilities(task, number), *of_use(number), *of_patients(number), *of_groups(number)]
    taken = {record.metric for record in own} - {
        "roc_auc",
        "sensitivity",
        "specificity",
        "ppv",
        "npv",
        "accuracy",
        "brier",
    }
    kept = [record for record in metrics.records if record.metric not in taken and is_main(record)]
    metrics.model_copy(
        update={
            "records": [*own, *kept],
            "operating_points": points(number),
            "zones": [zone(number)],
            "acceptance": goals(number),
            "seeds": seeds() if task == "scratch" else [],
            "changes": [*conditions(number), *externals(number)] if task != "both" else externals(number),
        }
    ).write(path)


def is_main(record: Record) -> bool:
    return record.unit == "image" and record.calibrated is None and record.condition is None


def of_probabilities(task: str, number: int) -> list[Record]:
    kinds = (None, "temperature", *(["prior"] if task == "scratch" else []))
    found = []
    for place, kind in enumerate(kinds):
        shift = 0.01 * number - 0.02 * place
        found += [
            figure("calibration_intercept", 0.412 + shift, 0.12 + shift, 0.7 + shift, calibrated=kind),
            figure("calibration_slope", 0.731 + shift, 0.55 + shift, 0.98 + shift, calibrated=kind),
            figure("ece_equal_width", 0.083 + shift, calibrated=kind),
            figure("ece_equal_mass", 0.079 + shift, calibrated=kind),
            figure("log_loss", 0.402 + shift, 0.35 + shift, 0.47 + shift, calibrated=kind),
            figure("brier_reliability", 0.0113, calibrated=kind),
            figure("brier_resolution", 0.1207, calibrated=kind),
            figure("brier_uncertainty", 0.2361, calibrated=kind),
            figure("brier_within_bins", 0.0007, calibrated=kind),
        ]
        found += [figure("brier", 0.127 + shift, 0.1 + shift, 0.15 + shift, calibrated=kind)] if kind else []
    if task == "scratch":
        found += [
            figure("sensitivity", 0.981, 0.95, 0.99, calibrated="prior", threshold=0.5),
            figure("specificity", 0.604, 0.51, 0.69, calibrated="prior", threshold=0.5),
        ]
    return found


def of_use(number: int) -> list[Record]:
    found = [
        figure("lr_positive", 6.41 + number, 4.2, 9.8),
        figure("lr_negative", 0.083, 0.05, 0.14),
        figure("net_benefit", 0.481, 0.44, 0.52),
        figure("net_benefit_treat_all", 0.402, 0.36, 0.44),
    ]
    for prevalence, scale in ((None, 1.0), (0.1, 0.16)):
        known = {"prevalence": prevalence}
        found += [
            figure("true_positives_per_1000", 571.3 * scale, 550 * scale, 590 * scale, **known),
            figure("false_negatives_per_1000", 48.7 * scale, 30 * scale, 70 * scale, **known),
            figure("true_negatives_per_1000", 331.4 * scale, 300 * scale, 350 * scale, **known),
            figure("false_positives_per_1000", 48.6 * scale, 30 * scale, 80 * scale, **known),
        ]
    return found


def of_patients(number: int) -> list[Record]:
    found = []
    for place, unit in enumerate(("patient-max", "patient-mean")):
        known = {"unit": unit, "n": 180}
        found += [
            figure("roc_auc", 0.923 + 0.01 * place + 0.001 * number, 0.88, 0.95, **known),
            figure("sensitivity", 0.887 + 0.01 * place, 0.82, 0.93, **known),
            figure("specificity", 0.829 - 0.01 * place, 0.73, 0.89, **known),
            figure("ppv", 0.891, 0.83, 0.93, **known),
            figure("npv", 0.823, 0.73, 0.89, **known),
            figure("accuracy", 0.866, 0.81, 0.91, **known),
        ]
    return found


def of_groups(number: int) -> list[Record]:
    few = {"n": 31, "n_patients": 22, "fewest_patients": 22, "subgroup": "pathogen=fungus"}
    return [
        figure(
            "sensitivity_heterogeneity", 7.13 + number, p_value=0.0076 if number == 0 else 0.31, subgroup="pathogen"
        ),
        figure("specificity_heterogeneity", None, subgroup="pathogen"),
        figure("sensitivity", 0.806, 0.62, 0.91, **few),
        figure("roc_auc_against_all", 0.871, 0.79, 0.92, **few),
        figure("accuracy", 0.806, 0.62, 0.91, **few),
    ]


def points(number: int) -> list[OperatingPoint]:
    aims = [("sensitivity", 0.95, 0.21), ("specificity", 0.95, 0.74), ("specificity", 0.99, 0.93)]
    note = "80 images cannot tell a specificity of 0.99, at least 300 negatives are needed"
    return [
        OperatingPoint(
            set="test",
            threshold=threshold(value + 0.01 * number, rule, target=target, note=note if target == 0.99 else None),
            figures=[
                figure("sensitivity", 0.957 - value / 5, 0.9 - value / 5, 0.98 - value / 5),
                figure("specificity", 0.611 + value / 4, 0.5 + value / 4, 0.7 + value / 4),
                figure("ppv", 0.802, 0.75, 0.85),
                figure("npv", 0.897, 0.81, 0.94),
            ],
        )
        for rule, target, value in aims
    ]


def zone(number: int) -> ZoneResult:
    return ZoneResult(
        set="test",
        zone=Zone(
            lower=threshold(0.22 + 0.01 * number, "sensitivity", target=0.95),
            upper=threshold(0.71, "specificity", target=0.95),
        ),
        figures=[
            figure("coverage", 0.738, 0.67, 0.79),
            figure("sensitivity", 0.969, 0.92, 0.99),
            figure("specificity", 0.931, 0.85, 0.97),
            figure("referred_positives", 0.211, 0.15, 0.28),
            figure("referred_negatives", 0.347, 0.26, 0.45),
        ],
    )


def goals(number: int) -> list[AcceptanceRecord]:
    verdicts, shift = ("not met", "undecided", "met"), (-0.06, -0.03, 0.02)
    return [
        AcceptanceRecord(
            metric="sensitivity",
            set="test",
            goal=0.9,
            verdict=verdicts[number],
            estimate=estimate(*(one + shift[number] for one in (0.912, 0.889, 0.935))),
        ),
        AcceptanceRecord(
            metric="npv",
            set="test",
            goal=0.98,
            verdict="met",
            estimate=estimate(0.993, 0.985, 0.997),
            prevalence=0.1,
        ),
    ]


def seeds() -> list[SeedSpread]:
    return [
        SeedSpread(
            metric=metric,
            set="test",
            values={"0": mean - spread, "1": mean, "2": mean + spread},
            mean=mean,
            sd=spread,
            low=mean - spread,
            high=mean + spread,
        )
        for metric, mean, spread in (("roc_auc", 0.871, 0.012), ("sensitivity", 0.884, 0.031), ("brier", 0.133, 0.004))
    ]


def change(metric: str, before: float, difference: float, **more) -> ChangeRecord:
    known = {"set": "test", "from_set": "test", "level": LEVEL, "paired": True, "n": 120, "n_patients": 97}
    return ChangeRecord(
        metric=metric,
        before=before,
        after=before + difference,
        difference=difference,
        low=difference - 0.02,
        high=difference + 0.02,
        method="bootstrap by patient",
        **known | more,
    )


def conditions(number: int) -> list[ChangeRecord]:
    found = []
    for corruption in CORRUPTIONS:
        for severity in (1, 3, 5):
            fall = -0.015 * severity / (1 + number)
            name = f"{corruption}-{severity}"
            found += [
                change("roc_auc", 0.88, fall, condition=name),
                change("sensitivity", 0.91, fall * 2, condition=name),
                change("specificity", 0.84, -fall, condition=name),
            ]
    fall = -0.041 if number == 0 else -0.004
    return [
        *found,
        change("roc_auc", 0.88, fall, condition="borders"),
        change("roc_auc", 0.88, 0.003, condition="corners"),
    ]


def externals(number: int) -> list[ChangeRecord]:
    known = {"set": "hospital_b", "paired": False, "n": 311, "n_patients": 300, "p_value": 0.0004, "test": "z"}
    return [
        change("roc_auc", 0.88, -0.061, **known),
        change("sensitivity", 0.91, 0.011, **known),
        change("specificity", 0.84, -0.173 + 0.01 * number, **known),
    ]


# ── Curves ────────────────────────────────────────────────────────────────────────────────────────────────────────────


def write_curves(run: RunDirectory, task: str, number: int) -> None:
    folder = run.task(task).curves
    kinds = ("", "_temperature", *(["_prior"] if task == "scratch" else []))
    for place, kind in enumerate(kinds):
        for mass in ("", "_mass"):
            write_csv(folder / f"test_calibration{mass}{kind}.csv", reliability(0.12 - 0.05 * place, 0.03 * bool(mass)))
    write_csv(folder / "test_predictive.csv", predictive(0.9 + 0.02 * number, 0.85))
    write_csv(folder / "test_decision.csv", decision(0.9 + 0.02 * number, 0.85))
    if task == "scratch":
        write_csv(folder / "test_decision_prior.csv", decision(0.92, 0.87))


def write_csv(path, columns: dict[str, Sequence[float]]) -> None:
    rows = zip(*(np.asarray(column).tolist() for column in columns.values()), strict=True)
    lines = [",".join(columns), *(",".join("" if np.isnan(cell) else repr(cell) for cell in row) for row in rows)]
    write_text(path, "\n".join(lines) + "\n")


def reliability(bend: float, offset: float) -> dict[str, np.ndarray]:
    middle = np.linspace(0.05, 0.95, 10) - offset
    observed = np.clip(middle + bend * np.sin(3 * middle), 0, 1)
    observed[4] = np.nan if not offset else observed[4]
    low, high = np.clip(observed - 0.1, 0, 1), np.clip(observed + 0.1, 0, 1)
    n = np.full(10, 24)
    edges = {"lower": middle - 0.05, "upper": middle + 0.05, "n": n}
    return edges | {"mean_predicted": middle, "observed": observed, "low": low, "high": high}


def predictive(sensitivity: float, specificity: float) -> dict[str, np.ndarray]:
    prevalence = np.concatenate([np.geomspace(0.001, 0.1, 20), np.linspace(0.15, 0.9, 16)])
    positive = sensitivity * prevalence
    ppv = positive / (positive + (1 - specificity) * (1 - prevalence))
    negative = specificity * (1 - prevalence)
    npv = negative / (negative + (1 - sensitivity) * prevalence)
    bands = {"ppv_low": ppv * 0.9, "ppv_high": np.minimum(ppv * 1.1, 1), "npv_low": npv * 0.97}
    return {"prevalence": prevalence, "ppv": ppv, "npv": npv, **bands, "npv_high": np.minimum(npv * 1.01, 1)}


def decision(sensitivity: float, specificity: float, prevalence: float = 0.1) -> dict[str, np.ndarray]:
    at = np.linspace(0.01, 0.99, 99)
    weight = at / (1 - at)
    treat_all = prevalence - (1 - prevalence) * weight
    benefit = sensitivity * prevalence * (1 - at / 2) - (1 - specificity) * (1 - at) * (1 - prevalence) * weight
    bands = {"low": benefit - 0.008, "high": benefit + 0.008}
    return {"threshold_probability": at, "net_benefit": benefit, **bands, "treat_all": treat_all, "treat_none": 0 * at}


# ── What a run holds ──────────────────────────────────────────────────────────────────────────────────────────────────


def write_checks(run: RunDirectory, task: str, number: int) -> None:
    parts = ("fc", "layer4", "layer1", "conv1")
    alike = (0.81, 0.44, 0.2, 0.11) if number else (0.93, 0.9, 0.88, 0.86)
    CamChecks(
        method="GradCAM",
        layer="layer4",
        seed=0,
        set="test",
        n=60,
        rule="60 images of different patients, drawn blindly",
        empty=3,
        randomisation=[
            RandomisationStep(part=part, correlation=estimate(one, one - 0.04, one + 0.03))
            for part, one in zip(parts, alike, strict=True)
        ],
        depends_on_parameters=bool(number),
        pointing_game=estimate(0.617, 0.49, 0.73),
        energy_in_mask=estimate(0.284, 0.24, 0.33),
        area_of_mask=0.092,
    ).write(run.task(task).cam / "checks.json")


def write_comparison(run: RunDirectory) -> None:
    found = Comparison.read(run.comparison)
    first = next(record for record in found.records if record.metric == "roc_auc" and record.set == "test")
    tested = {"margin": 0.05, "non_inferior": True, "low": -0.011, "high": 0.09, "better": None}
    beside = {"exploratory": True, "p_adjusted": None}
    records = [record.model_copy(update=tested) if record is first else record for record in found.records]
    records = [record for record in records if not record.metric.endswith(("_independent", "_complete_cases"))]
    records += [
        first.model_copy(update={**beside, "metric": "roc_auc_independent", "difference": 0.0417}),
        first.model_copy(update={**beside, "metric": "sensitivity_complete_cases", "difference": -0.021}),
    ]
    refused = ['Tasks "both" and "other" on test: 3 images are in one alone, e.g. "x.jpeg", they must be the same.']
    found.model_copy(update={"records": records, "refused": refused}).write(run.comparison)


def write_run_files(run: RunDirectory) -> None:
    listed = corruptions.conditions(CORRUPTIONS, (1, 3, 5), shortcuts=True)
    Robustness(set="test", n=120, rule="120 test images, drawn by patient", conditions=listed).write(run.robustness)
    agreement = [CamAgreement(task="transfer", reference="scratch", correlation=estimate(0.463, 0.41, 0.52))]
    Explanations(set="test", n=60, rule="60 images, drawn blindly", agreement=agreement).write(run.explanations)
    audit().write(run.audit)


def audit() -> DataAudit:
    """An audit that found something of every kind."""
    pair = {"images": ["train/a.jpeg", "test/b.jpeg"], "splits": ["train", "test"], "labels": ["NORMAL", "PNEUMONIA"]}
    statistics = [
        {"set": split, "class": name, "statistic": statistic, "n": 100, "mean": mean, "sd": 1.0, "least": mean / 2}
        | {"lower_quartile": mean * 0.9, "median": mean, "upper_quartile": mean * 1.1, "most": mean * 2}
        for split in ("train", "test")
        for name, factor in (("NORMAL", 1.3), ("PNEUMONIA", 1.0))
        for statistic, mean in (("width", 1200 * factor), ("aspect", 1.2), ("intensity", 122.0), ("colour", 0.05))
    ]
    drift = {"statistic": "intensity", "class": "NORMAL", "from_set": "val", "to_set": "test", "named": True}
    drift |= {"before": 122.0, "after": 140.0, "effect": 0.41, "ks": 0.33, "n_before": 60, "n_after": 90}
    drift |= {"p_value": 1e-5, "p_adjusted": 4e-4}
    auc = {"value": 0.871, "low": 0.83, "high": 0.9, "level": LEVEL, "n": 240, "n_patients": 180}
    baseline = {"name": "size", "positive": "PNEUMONIA", "features": ["width", "aspect"], "fitted_on": ["train"]}
    baseline |= {"method": "logistic regression", "cross_validated": auc | {"value": 0.884}, "auc": {"test": auc}}
    return DataAudit.model_validate(
        {
            "source": "chest_xray",
            "found": 1121,
            "usable": 1120,
            "counts": {"train": {"NORMAL": 300}, "test": {"NORMAL": 90}},
            "patients": {"train": 560, "test": 180},
            "patient_rule": 'file names by rule "kermany"',
            "most_images_of_a_patient": 30,
            "shared_patients": [{"splits": ["train", "test"], "count": 2, "example": "bacteria-7 (a.jpeg and b.jpeg)"}],
            "shared_patients_by_naive_key": [{"splits": ["train", "test"], "count": 170, "example": "7"}],
            "identical_across_splits": [{"splits": ["train", "test"], "count": 1, "example": "a.jpeg and b.jpeg"}],
            "identical_within_splits": {"train": 4},
            "near_duplicates": {
                "rule": "at most 4 of 64 bits differ",
                "searched": 1115,
                "counts": [
                    {"splits": ["train", "test"], "pairs": 1, "of_different_patients": 1, "of_different_labels": 1}
                ],
                "pairs": [pair | {"same_patient": False, "distance": 3, "correlation": 0.987}],
            },
            "label_conflicts": [{"images": pair["images"], "labels": pair["labels"], "identical": False}],
            "width": [384, 2916],
            "height": [127, 2713],
            "statistics": statistics,
            "drift": [drift | {"sentence": "NORMAL images are brighter in test than in val."}],
            "baselines": [
                baseline
                | {"carried_by": "width", "shortcut": True}
                | {"sentence": "Size alone tells PNEUMONIA from the rest with an AUC of 0.871."}
            ],
        }
    )
