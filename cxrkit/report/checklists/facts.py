"""What items of checklists are answered by: each fact looks at the results of this very run.

Ethics, registration, funding, the patients' selection, the reference standard and whatever else a run cannot know are
facts of the author (``author``), which no run ever fills.
"""

from cxrkit.report import wording
from cxrkit.report.checklists.form import Answer, Evidence, Fact

DEMOGRAPHIC = ("age", "sex", "gender", "ethnic", "race", "insurance", "income")
"""How columns begin whose subgroups speak of fairness."""


# ── Kinds of facts ────────────────────────────────────────────────────────────────────────────────────────────────────


def author(needed: str, chapter: str | None = None) -> Fact:
    """Make a fact that only the author knows; ``chapter`` holds what the report has to it."""
    return lambda evidence: _needs(evidence, needed, chapter)


def of_development(fact: Fact) -> Fact:
    """Ask only where a model was trained here."""

    def answer(evidence: Evidence) -> Answer:
        if all(task.info.kind != "trained" for task in evidence.models):
            return Answer("not applicable", "Of development alone: no model was trained in this run.")
        return fact(evidence)

    return answer


def of_training(chapter: str, told: str, needed: str) -> Fact:
    """Make a fact that the report tells of models trained here; of others the author must (``needed``)."""

    def answer(evidence: Evidence) -> Answer:
        if evidence.trained:
            return _told(evidence, chapter, told, needed)
        return _needs(evidence, f"{needed} (of {wording.listed(evidence.given)}, not trained here)", chapter)

    return answer


def of_data(chapter: str, told: str, needed: str) -> Fact:
    """Make a fact that the report tells where the images are described, not where predictions alone were given."""

    def answer(evidence: Evidence) -> Answer:
        return _told(evidence, chapter, told, needed) if evidence.has_data else _needs(evidence, needed)

    return answer


def of_chapter(chapter: str, told: str, needed: str) -> Fact:
    """Make a fact that the report tells where it has a chapter."""
    return lambda evidence: _told(evidence, chapter, told, needed)


def _told(evidence: Evidence, chapter: str, told: str, needed: str) -> Answer:
    place = evidence.place(chapter)
    return Answer("filled", _sentence(told), place) if place else _needs(evidence, needed)


def _needs(evidence: Evidence, needed: str, chapter: str | None = None) -> Answer:
    """Ask the author for what is needed; ``chapter`` holds what the report has to it already."""
    place = evidence.place(chapter) if chapter else None
    return Answer("needs the author", _sentence(f"Still needed: {needed}" if place else needed), place)


def _sentence(text: str) -> str:
    return f"{wording.capitalised(text)}."


# ── Data ──────────────────────────────────────────────────────────────────────────────────────────────────────────────


flow = of_data(
    "data",
    "Diagram from the files found to the images of each split, with what was excluded and why",
    "how many patients and images were eligible, excluded and why, as a diagram",
)
numbers = of_data(
    "data",
    "Images of each class and patients in every split",
    "patients, and those with the finding, in development and in evaluation",
)


def missing(evidence: Evidence) -> Answer:
    """Tell how unusable files and images without a result were handled."""
    needed = "how missing labels and unusable images were handled before the predictions were made"
    if not evidence.has_data:
        return _needs(evidence, needed, "results")
    counts = [task.confusion(evidence.results.shown_set) for task in evidence.results.tasks]
    without = any(one is not None and one.no_result for one in counts)
    how = "count as wrong calls, complete cases stand beside" if without else "there are none"
    return _told(evidence, "data", f"Unusable files are excluded and counted; images without a result: {how}", needed)


def disjoint(evidence: Evidence) -> Answer:
    """Tell whether a patient can be in two splits."""
    needed = "whether patients of the test set took part in training"
    if not evidence.has_data or evidence.given:
        return _needs(evidence, needed)
    shares = any(source.shares_patients for source in evidence.results.sources)
    level = "Not by patient: splits may share patients, and the report says so" if shares else "Disjoint by patient"
    return _told(evidence, "data", level, needed)


def alternatives(evidence: Evidence) -> Answer:
    """Tell the distribution of the classes other than the finding, where there are several."""
    needed = "what else those without the finding had"
    if len(evidence.results.negatives) > 1 and evidence.has_data:
        return _told(evidence, "data", "Images of each class in every split", needed)
    return _needs(evidence, needed, "data")


# ── Models and training ───────────────────────────────────────────────────────────────────────────────────────────────


architecture = of_training(
    "models", "Architecture, layers with output sizes, parameters", "architecture with inputs, layers and outputs"
)
software = of_training(
    "compute", "Versions of the libraries, hardware", "software and versions that made and ran the models"
)
training = of_training(
    "models",
    "Settings, augmentation and seeds; the course by epoch is in the chapter on training",
    "training, augmentation and all hyperparameters",
)
selection = of_training(
    "training", "The epoch is chosen on validation, by the figure that is told", "how the final model was selected"
)
imbalance = of_training(
    "models",
    "How each training made up for class imbalance; what that does to probabilities is told where it matters",
    "whether and how class imbalance was handled, and any recalibration afterwards",
)
calculation = of_training(
    "models",
    "Network, its input size and the threshold; the run keeps the saved models",
    "how the given predictions were computed",
)


def development(evidence: Evidence) -> Answer:
    """Tell how the index test was trained, on how many images."""
    needed = "how the models were developed: training, validation, testing, with sample sizes"
    made = of_training("training", "Training and validation by epoch; sizes of all splits with the images", needed)
    return made(evidence) if evidence.has_data else _needs(evidence, needed)


def ensembles(evidence: Evidence) -> Answer:
    """Tell how ensembles are put together; of given predictions nobody here knows whether they are of one."""
    if evidence.given:
        names = wording.listed(evidence.given)
        return _needs(evidence, f"whether an ensemble made the predictions of {names}, and how", "models")
    several = any(task.info.kind in {"ensemble", "tta"} or len(task.info.seeds) > 1 for task in evidence.results.tasks)
    if not several:
        return Answer("not applicable", "Each model is a single network.")
    return _told(evidence, "models", "Members, weights and how their outputs are combined", "how models are combined")


def thresholds(evidence: Evidence) -> Answer:
    """Tell the thresholds and where they come from; of bare decisions there are none to tell."""
    infos = {task.name: task.info for task in evidence.results.tasks}
    bare = [name for name, info in infos.items() if info.threshold is None or info.scale == "decision"]
    needed = "thresholds, why these, and whether they were fixed beforehand"
    if bare:
        return _needs(evidence, f"{needed} (of {wording.listed(bare)})", "models")
    return _told(evidence, "models", "Value, rule and origin of every threshold; others are exploratory", needed)


# ── Evaluation ────────────────────────────────────────────────────────────────────────────────────────────────────────


figures = of_chapter("results", "Figures of ranking, of decisions and of probabilities", "figures and why these")
cross_table = of_chapter("results", "Confusion matrices, counts and shares", "cross-table of calls and reference")
failures = of_chapter(
    "errors", "Every wrong call with its image, and errors shared by all models", "an analysis of wrong calls"
)
robustness = of_chapter(
    "robustness",
    "Figures on images made worse, and with borders or corners masked",
    "a robustness or sensitivity analysis, or that none was made ([robustness] makes one)",
)


def intervals(evidence: Evidence) -> Answer:
    """Tell uncertainty, by what method, and tests between models where there are several."""
    records = [record for task in evidence.results.tasks for record in task.metrics.records]
    needed = "uncertainty of the figures, and how models were compared"
    if not any(record.low is not None for record in records):
        return _needs(evidence, needed, "results")
    level = wording.level(evidence.results.level)
    tests = "; paired tests between models" if evidence.results.comparisons else ""
    return _told(evidence, "results", f"{level} intervals with their methods{tests}", needed)


def explanations(evidence: Evidence) -> Answer:
    """Tell how activation maps were made and whether they hold; none made, none to tell."""
    checks = [task.checks for task in evidence.results.tasks if task.checks]
    if checks:
        return _told(
            evidence,
            "maps",
            "Method and layer of the activation maps, and checks of them",
            "checks of the activation maps",
        )
    if any(task.cam and task.cam.entries for task in evidence.results.tasks):
        return _needs(evidence, "a check of the activation maps that are shown", "errors")
    return Answer("not applicable", "No activation maps or other explanations were made in this run.")


def internal_test(evidence: Evidence) -> Answer:
    """Tell the figures on a test set of the training images' own source."""
    needed = "whether the test set is of the same source as the training images"
    if evidence.trained and evidence.has_data and "test" in evidence.results.sets:
        told = "Figures on the internal test set; those on validation stand with the training"
        return _told(evidence, "results", told, needed)
    return _needs(evidence, needed, "results")


external_test = of_chapter(
    "external",
    "Figures on the external sets, and how they change from the internal one",
    "evaluation on images from elsewhere, or why there is none",
)


def external_difference(evidence: Evidence) -> Answer:
    """Tell how external images differ from the others; needs an audit that has looked at them."""
    if not evidence.external:
        return Answer("not applicable", "No external set was evaluated.")
    sets = set(evidence.results.sets) - {"test"}
    audits = [source.audit for source in evidence.results.sources if source.audit]
    needed = "how patients, devices and setting of the external sets differ"
    if any(drift.to_set in sets for audit in audits for drift in audit.drift):
        return _told(evidence, "data", "Sizes, class shares and look of the images, set against the others", needed)
    return _needs(evidence, needed, "external")


def performance(evidence: Evidence) -> Answer:
    """Tell figures with intervals in subgroups as well as overall."""
    needed = "figures of subgroups ([evaluation] subgroups makes them)"
    if not evidence.subgroups:
        return _needs(evidence, needed, "results")
    groups = wording.listed(evidence.subgroups)
    return _told(evidence, "results", f"Figures with intervals, overall and by {groups}", needed)


def variability(evidence: Evidence) -> Answer:
    """Tell subgroups and repeats, where there are any."""
    seeds = any(len(task.info.seeds) > 1 for task in evidence.results.tasks)
    found = [f"subgroups by {wording.listed(evidence.subgroups)}"] if evidence.subgroups else []
    found += ["several seeds"] if seeds else []
    needed = "analyses of variability, such as by subgroup, or that none was made"
    if not found:
        return _needs(evidence, needed, "results")
    return _told(evidence, "results", f"{wording.listed(found)}; labelled as exploratory", needed)


def fairness(evidence: Evidence) -> Answer:
    """Tell errors and, where subgroups are of people, fairness."""
    columns = [name for name in evidence.subgroups if name.lower().startswith(DEMOGRAPHIC)]
    needed = "bias and fairness between groups of patients, or that they were not looked at"
    if not columns:
        return _needs(evidence, needed, "errors")
    told = f"Errors one by one; figures by {wording.listed(columns)} with the results"
    return _told(evidence, "errors", told, needed)


def clusters(evidence: Evidence) -> Answer:
    """Tell how figures differ between places, which takes an external set."""
    needed = "whether the images come from several places, and how figures differ between these"
    if evidence.external:
        return _told(evidence, "external", "Change of the figures from the internal to each external set", needed)
    return _needs(evidence, needed)


def updating(evidence: Evidence) -> Answer:
    """Tell recalibration, where there was any."""
    records = [record for task in evidence.results.tasks for record in task.metrics.records]
    if not any(record.calibrated for record in records):
        return Answer("not applicable", "No model was recalibrated or otherwise updated in this run.")
    return _told(evidence, "calibration", "Recalibration, before and after", "how models were updated")


def pixels(evidence: Evidence) -> Answer:
    """Tell that the input is an image, which no reader has to interpret."""
    if evidence.given:
        return _needs(evidence, f"what the models take as input (of {wording.listed(evidence.given)})")
    return Answer("not applicable", "The only input is the image as it is.")


def indeterminate(evidence: Evidence) -> Answer:
    """Tell how calls without a decision were handled; of the reference only the author knows."""
    zone = any(task.zone(evidence.results.shown_set) for task in evidence.results.tasks)
    chapter = "thresholds" if zone else "results"
    return _needs(evidence, "how unclear readings of the reference were handled", chapter)
