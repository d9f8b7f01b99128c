"""CLAIM, the checklist for artificial intelligence in medical imaging, in its update of 2024: 44 items."""

from cxrkit.report.checklists import facts
from cxrkit.report.checklists.facts import author
from cxrkit.report.checklists.form import Checklist, Item, Part

CLAIM = Checklist(
    name="claim",
    title="CLAIM 2024",
    purpose="Studies of artificial intelligence in medical imaging; 44 items.",
    citation=(
        "Tejani AS, Klontzas ME, Gatti AA, et al. Checklist for Artificial Intelligence in Medical Imaging (CLAIM): "
        "2024 update. Radiology: Artificial Intelligence 2024;6(4):e240300. doi:10.1148/ryai.240300"
    ),
    parts=(
        Part(
            "Title, abstract",
            (
                Item("1", "Title names the kind of AI", author("a title that names it, such as deep learning")),
                Item("2", "Structured abstract", author("the abstract", "summary")),
            ),
        ),
        Part(
            "Introduction",
            (
                Item("3", "Background, intended use and role", author("clinical background and the model's role")),
                Item("4", "Aims and hypotheses", author("what the study set out to show")),
            ),
        ),
        Part(
            "Methods: design",
            (
                Item("5", "Prospective or retrospective", author("which of the two")),
                Item("6", "Goal of the study", author("such as making a model, feasibility, non-inferiority")),
            ),
        ),
        Part(
            "Methods: data",
            (
                Item("7", "Sources of the data", author("where the images come from, with links", "data")),
                Item("8", "Inclusion and exclusion criteria", author("by which criteria patients were selected")),
                Item("9", "Preprocessing", author("resizing and scaling of the grey values", "models")),
                Item("10", "Selection of parts of the data", author("whether more was at hand than was used", "data")),
                Item("11", "De-identification", author("how the images were de-identified")),
                Item("12", "Missing data", facts.missing),
                Item("13", "Acquisition of the images", author("devices, projection and exposure")),
            ),
        ),
        Part(
            "Methods: reference",
            (
                Item("14", "How the reference standard is defined", author("by what the labels were decided")),
                Item("15", "Why this reference standard", author("why it was chosen among others")),
                Item("16", "Who annotated", author("number and expertise of the readers, their instructions")),
                Item("17", "How the test set was annotated", author("procedure and software of the annotation")),
                Item("18", "Variability between readers", author("how far readers agreed; how it was resolved")),
            ),
        ),
        Part(
            "Methods: partitions",
            (
                Item("19", "How images were assigned to sets", author("how the sets were drawn, and why so", "data")),
                Item("20", "Level at which sets are disjoint", facts.disjoint),
                Item("21", "Intended size of the test set", author("how the size of the test set was decided", "data")),
            ),
        ),
        Part(
            "Methods: model",
            (
                Item("22", "Architecture", facts.architecture),
                Item("23", "Software and versions", facts.software),
                Item("24", "Initial parameters", author("random, or which pretrained weights", "models")),
                Item("25", "Training", facts.training),
                Item("26", "Selection of the final model", facts.selection),
                Item("27", "Ensembles", facts.ensembles),
            ),
        ),
        Part(
            "Methods: evaluation",
            (
                Item("28", "Measures of performance", facts.figures),
                Item("29", "Uncertainty and tests", facts.intervals),
                Item("30", "Robustness or sensitivity analysis", facts.robustness),
                Item("31", "Explanations and their validation", facts.explanations),
                Item("32", "Testing on internal data", facts.internal_test),
                Item("33", "Testing on external data", facts.external_test),
                Item("34", "Registration of a trial", author("registry and number, or that it is no trial")),
            ),
        ),
        Part(
            "Results",
            (
                Item("35", "Numbers included and excluded", facts.flow),
                Item("36", "Characteristics of each set", author("age, sex and clinical data of each set", "data")),
                Item("37", "Performance in sets and subgroups", facts.performance),
                Item("38", "Estimates with their precision", facts.intervals),
                Item("39", "Analysis of failures", facts.failures),
            ),
        ),
        Part(
            "Discussion",
            (
                Item(
                    "40",
                    "Limitations",
                    author("those of the study's design", "limitations"),
                ),
                Item("41", "Implications for practice", author("intended use and what should change", "limitations")),
            ),
        ),
        Part(
            "Other information",
            (
                Item("42", "Full protocol", author("where it can be read")),
                Item("43", "Availability of software, model, data", author("where, on which terms", "compute")),
                Item("44", "Funding", author("sources, and the role of the funders")),
            ),
        ),
    ),
)
