"""The glossary: every term that this report uses, for readers who are no statisticians."""

from collections.abc import Sequence

from cxrkit.report import wording
from cxrkit.report.chapters.terms import FIGURES, METHODS, TERMS
from cxrkit.report.content import Section, Terms
from cxrkit.report.results import Results


def section(results: Results, chapters: Sequence[Section]) -> Section:
    """Explain what occurs in the results and in the chapters before, in the order of the alphabet."""
    names = {chapter.name.split("-")[0] for chapter in chapters}
    used = _used(results) | _used_by_models(results) | _used_by_chapters(results, names)
    entries = {**_figures(results), **{term: text for term, text in TERMS.items() if used[term]}}
    entries[f"{wording.level(results.level)} interval"] = _interval(wording.level(results.level))
    named = [f"{name} ({what})" for name, what in METHODS.items() if any(name in one for one in _methods(results))]
    if named:
        entries["Methods by name"] = f"Called after those who published them: {wording.listed(named)}."
    ordered = sorted(entries.items(), key=lambda entry: entry[0].casefold())
    return Section("glossary", "Glossary", (Terms(tuple((term, wording.unfolded(text)) for term, text in ordered)),))


def _figures(results: Results) -> dict[str, str]:
    """Explain every figure that any model has or that models were compared by, by the name that tables give it."""
    known = {record.metric for task in results.tasks for record in task.metrics.records}
    known |= {record.metric for record in results.comparisons}
    if not any(confusion.no_result for task in results.tasks for confusion in task.metrics.confusion):
        known.discard("no_result")
    return {_term(metric): text for metric, text in FIGURES.items() if metric in known}


def _term(metric: str) -> str:
    """Name a figure as tables do; parts of the Brier score say so, since their names have other meanings as well."""
    part = metric.startswith("brier_")
    return f"{wording.label(metric)} (of the Brier score)" if part else wording.label(metric)


def _methods(results: Results) -> set[str]:
    """Name the methods of intervals and of tests."""
    records = [record.method for task in results.tasks for record in task.metrics.records]
    compared = [name for one in results.comparisons for name in (one.method, one.test)]
    return {name for name in (*records, *compared) if name}


def _used(results: Results) -> dict[str, bool]:
    """Say which terms of comparing and estimating occur."""
    compared, methods = results.comparisons, _methods(results)
    metrics = [task.metrics for task in results.tasks]
    records = [record for one in metrics for record in one.records]
    tested = [one.p_value for one in compared] + [one.p_value for one in records]
    return {
        "Assuming independent images": any("independent" in one for one in methods),
        "Bootstrap": any("bootstrap" in one for one in methods),
        "By patient": any(record.unit != "image" for record in records),
        "Complete cases": any(confusion.no_result for one in metrics for confusion in one.confusion),
        "Design effect": any("design effect" in one for one in methods),
        "Exploratory": any(record.exploratory for record in compared) or any(record.subgroup for record in records),
        "Heterogeneity": any(record.p_value is not None for record in records),
        "Holm's correction": any(record.p_adjusted is not None for record in compared),
        "Met, not met, undecided": any(one.acceptance for one in metrics),
        "Non-inferiority": any(record.margin is not None for record in compared),
        "p value": any(value is not None for value in tested),
        "Paired": bool(compared),
        "Percentage points (pp)": bool(compared),
        "Permutation test": any("permutation" in one for one in methods),
    }


def _used_by_models(results: Results) -> dict[str, bool]:
    """Say which terms of the models and their thresholds occur."""
    infos = [task.info for task in results.tasks]
    deciding = [info.threshold for info in infos if info.threshold and info.scale != "decision"]
    trained = any(info.kind == "trained" for info in infos)
    checks = [task.checks for task in results.tasks if task.checks]
    mapped = bool(checks) or any(task.cam and task.cam.entries for task in results.tasks)
    several = any(len(info.seeds) > 1 for info in infos)
    return {
        "Activation map": mapped,
        "Augmentation": trained,
        "Class imbalance": any(info.imbalance or info.prior for info in infos),
        "Ensemble": several or any(info.kind == "ensemble" for info in infos),
        "Epoch": trained,
        "Interval of a threshold": any(one.low is not None for one in deciding),
        "Logit": several or any(info.temperature or info.ensemble or info.tta for info in infos),
        "Loss": trained,
        "Parameter randomisation": any(one.randomisation for one in checks),
        "Pointing game": any(one.pointing_game for one in checks),
        "Prior-corrected": any(info.prior for info in infos),
        "Rank correlation": bool(checks),
        "Score, decision": any(info.scale != "probability" for info in infos),
        "Seed": bool([seed for info in infos for seed in info.seeds]),
        "Temperature scaling": any(info.temperature for info in infos),
        "Test-time augmentation": any(info.tta for info in infos),
        "Threshold": bool(deciding),
        "Training, validation and test set": trained or any(one.rule != "fixed" for one in deciding),
        "Uncertain zone": any(task.metrics.zones for task in results.tasks),
        "Youden's index": any(one.rule == "youden" for one in deciding),
    }


def _used_by_chapters(results: Results, names: set[str]) -> dict[str, bool]:
    """Say which terms occur with a chapter of the report or with the audit of the images."""
    audits = [source.audit for source in results.sources if source.audit]
    return {
        "Calibration": "calibration" in names,
        "Confusion matrix": "results" in names,
        "Cross-validation": any(one.cross_validated for audit in audits for one in audit.baselines),
        "Decision curve": "utility" in names,
        "Drift": bool(audits),
        "External set": "external" in names or len(results.sets) > 1,
        "Near duplicate": bool(audits),
        "Operating point": "thresholds" in names,
        "Precision\N{EN DASH}recall curve": "curves" in names,
        "Reliability diagram": "calibration" in names,
        "ROC curve": "curves" in names,
        "Robustness": "robustness" in names,
        "Shortcut": bool(audits) or "robustness" in names,
        "Threshold probability": "utility" in names,
    }


def _interval(level: str) -> str:
    return f"""The range of values that the data are compatible with: made like this, {level} of such ranges would hold
        the true figure. It covers the chance of which patients were tested, not other hospitals and not other seeds."""
