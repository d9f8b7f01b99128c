"""The glossary: every term of this report, for readers who are no statisticians."""

from cxrkit.report import wording
from cxrkit.report.content import Section, Terms
from cxrkit.report.phrases import headline
from cxrkit.report.results import Results

FIGURES = {
    "sensitivity": "Of the images with the disease, the share that the model finds (recall of the positive class).",
    "specificity": "Of the images without the disease, the share that the model rightly clears.",
    "roc_auc": """Of all pairs of one image with and one without the disease, the share in which the diseased one gets
        the higher probability. 0.5 is guessing, 1 is perfect; it depends on no threshold.""",
    "average_precision": "The mean precision over all levels of recall. Guessing gives the share of the disease.",
    "ppv": "Positive predictive value, or precision: of the positive calls, the share that is right.",
    "npv": "Negative predictive value: of the negative calls, the share that is right.",
    "accuracy": """The share of all images that is called rightly. Calling everything by the most frequent class can
        have a high accuracy, so it should not be read alone.""",
    "balanced_accuracy": "The mean of the classes' recalls: guessing gives 50% with two classes, however frequent.",
    "f1": "The harmonic mean of precision and recall: high only where both are.",
    "mcc": "Matthews' correlation of truth and call: 1 perfect, 0 guessing.",
    "brier": "The mean squared error of the probabilities: less is better.",
    "log_loss": "The mean surprise at the truth, by the probability that it was given: less is better.",
    "calibration_intercept": """How far the probabilities are too low (above 0) or too high (below 0) on the whole; 0 is
        right.""",
    "calibration_slope": "Whether the probabilities are too extreme (below 1) or too timid (above 1); 1 is right.",
    "ece_equal_width": """Expected calibration error: the mean distance of predicted and observed shares, over bins of
        equal width or of equally many images (equal mass). Less is better. It is corrected for its bias and has no
        interval.""",
    "lr_positive": """Likelihood ratio of a positive call: by how much it raises the odds of disease. It does not depend
        on prevalence.""",
    "lr_negative": "Likelihood ratio of a negative call: by how much it lowers the odds of disease.",
    "net_benefit": """True positives minus false positives, a false one counted with the weight that the threshold
        probability gives it (Vickers and Elkin 2006). Better than treating everyone or no one is the least to ask.""",
    "roc_auc_macro": "The mean over the classes of the AUC of each class against all others.",
    "no_result": "The share of images that the model returned no result for.",
}
TERMS = {
    "p value": """How often chance alone would give a difference at least this large if there were none. It says nothing
        about how large or how important a difference is. Holm's correction makes up for testing several.""",
    "Threshold": """The probability from which on an image is called positive. A lower one finds more and raises more
        false alarms.""",
    "Interval of a threshold": """How far the threshold would move if it were chosen on another validation set of the
        same size. The intervals of figures hold at the threshold as it is, and do not contain this.""",
    "Validation and test set": """Decisions (epoch, threshold) are taken on validation images; the test images are
        looked at once, at the end.""",
}

OF_BLOCKS = {
    "Uncertain zone": """Between two thresholds the model does not decide, and the image goes to a reader. Figures of
        the decided images look better than those of all: the difficult ones are left out.""",
    "Met, not met, undecided": """A goal is met where the whole interval reaches it, not met where the whole interval
        stays below, and undecided where it lies within.""",
    "Temperature scaling": """All logits divided by one number, fitted on validation, so that the probabilities are
        neither too extreme nor too timid. It changes no ranking.""",
    "Prior-corrected": """Weights and resampling against class imbalance distort probabilities. The correction shifts
        them back to the class shares of the training images.""",
    "By patient": """Images of one patient are not independent. Counted by patient, each counts once, by the largest or
        the mean probability of the images.""",
    "Seed": """The number that starts the random draws of a training. Another seed gives another model; the spread over
        seeds is not contained in the intervals.""",
    "Ensemble": "Several models as one: the mean of what they say.",
    "Non-inferiority": """Whether a model is worse than the reference by less than a margin that was stated
        beforehand.""",
    "Exploratory": "Not fixed beforehand, or not corrected for the number of tests: it suggests, it does not prove.",
    "Heterogeneity": "Whether a figure differs between subgroups by more than chance would make it.",
    "Complete cases": """The images with a result alone. In the worst case, which comes first, an image without a result
        counts as a wrong call.""",
    "Robustness": "How figures change when the images get worse, while the model stays as it is.",
    "Shortcut": """What tells the class without being disease, such as borders, markers or the size of a file. A model
        that uses it fails where it is absent.""",
    "Near duplicate": "Two files that show nearly the same picture.",
    "Drift": "Images that look different in one set than in another, such as darker ones.",
    "Parameter randomisation": """Learnt parameters replaced by random ones. A map that stays the same does not show
        what the model has learnt.""",
    "Pointing game": "How often the strongest point of a map lies within the marked lesion.",
    "Score, decision": """A score ranks images and is no probability; a decision is a bare call. Figures that need more
        cannot be given.""",
}
"""Terms of chapters that not every report has."""


def section(results: Results) -> Section:
    """Explain the figures that occur."""
    known = {metric: any(headline(task, metric) for task in results.tasks) for metric in FIGURES}
    entries = {wording.label(metric): text for metric, text in FIGURES.items() if known[metric]}
    entries[f"{wording.level(results.level)} interval"] = _interval(wording.level(results.level))
    entries |= TERMS | {term: text for term, text in OF_BLOCKS.items() if _occurs(results, term)}
    return Section("glossary", "Glossary", (Terms(tuple((term, _one_line(text)) for term, text in entries.items())),))


def _occurs(results: Results, term: str) -> bool:
    """Say whether a term of ``OF_BLOCKS`` is used in this report."""
    tasks, sources = results.tasks, results.sources
    metrics = [task.metrics for task in tasks]
    compared = results.comparisons
    return {
        "Uncertain zone": any(one.zones for one in metrics),
        "Met, not met, undecided": any(one.acceptance for one in metrics),
        "Temperature scaling": any(task.info.temperature for task in tasks),
        "Prior-corrected": any(task.info.prior for task in tasks),
        "By patient": any(record.unit != "image" for one in metrics for record in one.records),
        "Seed": any(len(task.info.seeds) > 1 for task in tasks),
        "Ensemble": any(task.info.kind == "ensemble" or len(task.info.seeds) > 1 for task in tasks),
        "Non-inferiority": any(record.margin is not None for record in compared),
        "Exploratory": any(record.exploratory for record in compared),
        "Heterogeneity": any(record.p_value is not None for one in metrics for record in one.records),
        "Complete cases": any(confusion.no_result for one in metrics for confusion in one.confusion),
        "Robustness": any(source.robustness for source in sources),
        "Shortcut": any(source.robustness or source.audit for source in sources),
        "Near duplicate": any(source.audit for source in sources),
        "Drift": any(source.audit for source in sources),
        "Parameter randomisation": any(task.checks for task in tasks),
        "Pointing game": any(task.checks and task.checks.pointing_game for task in tasks),
        "Score, decision": any(task.info.scale != "probability" for task in tasks),
    }[term]


def _interval(level: str) -> str:
    return f"""The range of values that the data are compatible with: made like this, {level} of such ranges would hold
        the true figure. It covers the chance of which patients were tested, not other hospitals and not other seeds."""


def _one_line(text: str) -> str:
    return " ".join(text.split())
