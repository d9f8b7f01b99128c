"""STARD-AI, for studies of the diagnostic accuracy of artificial intelligence: 40 items, some of several parts."""

from cxrkit.report.checklists import facts
from cxrkit.report.checklists.facts import author
from cxrkit.report.checklists.form import Checklist, Item, Part

STARD_AI = Checklist(
    name="stard-ai",
    title="STARD-AI",
    purpose="Studies of diagnostic accuracy in which the test is artificial intelligence; 40 items, some in parts.",
    citation=(
        "Sounderajah V, Guni A, Liu X, et al. The STARD-AI reporting guideline for diagnostic accuracy studies using "
        "artificial intelligence. Nature Medicine 2025;31:3283-3289. doi:10.1038/s41591-025-03953-8"
    ),
    parts=(
        Part(
            "Title, introduction",
            (
                Item(
                    "1", "Title or abstract names AI and an accuracy measure", author("a title or abstract with both")
                ),
                Item("2", "Structured abstract", author("the abstract", "summary")),
                Item("3", "Background, intended use, place in the workflow", author("all three, and what is new")),
                Item("4", "Aims and hypotheses", author("what the study set out to show")),
            ),
        ),
        Part(
            "Methods: participants",
            (
                Item("5", "Prospective or retrospective", author("which of the two")),
                Item("6", "Approval by an ethics committee", author("committee and number, or why none was needed")),
                Item("7", "Criteria for patients and for data", author("inclusion and exclusion, in their order")),
                Item("8", "How eligible patients were found", author("such as by symptoms, or in a register")),
                Item("9", "Where and when", author("setting, location and dates")),
                Item("10", "Consecutive, random or convenience", author("which kind of series")),
            ),
        ),
        Part(
            "Methods: data",
            (
                Item("11", "Source of the data", author("routine, collected for the study, or public", "data")),
                Item("12", "Who annotated and how", author("readers, their experience, in which context")),
                Item(
                    "13",
                    "Devices and software",
                    author("the X-ray devices", "compute"),
                ),
                Item(
                    "14",
                    "Acquisition and preprocessing",
                    author("projection, exposure, resizing, scaling", "models"),
                ),
            ),
        ),
        Part(
            "Methods: tests",
            (
                Item("15a", "Index test in detail", facts.architecture),
                Item("15b", "How the index test was developed", facts.development),
                Item("15c", "Thresholds, prespecified or exploratory", facts.thresholds),
                Item("15d", "Who is to use it, with which expertise", author("the intended user")),
                Item("16a", "Reference standard in detail", author("by what the labels were decided")),
                Item("16b", "Why this reference standard", author("why it was chosen among others")),
                Item("16c", "Its categories, prespecified or exploratory", author("what counts as diseased")),
                Item("17a", "What the index test could know", author("whether it had more than the image")),
                Item("17b", "What the reference readers could know", author("whether they were blind to the models")),
            ),
        ),
        Part(
            "Methods: analysis",
            (
                Item("18", "Methods of estimates and comparisons", facts.intervals),
                Item("19", "Indeterminate results", facts.indeterminate),
                Item("20", "Missing data", facts.missing),
                Item("21", "Analyses of variability", facts.variability),
                Item("22", "Intended sample size", author("how the size of the study was decided", "data")),
                Item("23", "Error analysis, bias and fairness", facts.fairness),
            ),
        ),
        Part(
            "Results",
            (
                Item("24", "Flow of participants as a diagram", facts.flow),
                Item("25", "Characteristics of each set", author("age, sex and clinical data of each set", "data")),
                Item("26a", "Severity among the diseased", author("how severe their disease was")),
                Item("26b", "Other diagnoses among the rest", facts.alternatives),
                Item("27", "Time between index test and reference", author("time, and any treatment in between")),
                Item(
                    "28",
                    "Whether the sets match the intended use",
                    author("whether class shares are those expected in use", "data"),
                ),
                Item("29", "How an external set differs", facts.external_difference),
                Item("30", "Cross-table of calls and reference", facts.cross_table),
                Item("31", "Estimates with their precision", facts.intervals),
                Item("32", "Adverse events", author("any of the X-rays or the reference standard")),
            ),
        ),
        Part(
            "Discussion",
            (
                Item(
                    "33",
                    "Limitations",
                    author("those of the study's design", "limitations"),
                ),
                Item("34", "Implications for practice", author("intended use and clinical role", "limitations")),
                Item("35", "Ethics and fairness of the use", author("a discussion of both")),
            ),
        ),
        Part(
            "Other information",
            (
                Item("36", "Registration", author("registry and number, or that there is none")),
                Item("37", "Full protocol", author("where it can be read")),
                Item("38", "Funding", author("sources, and the role of the funders")),
                Item("39", "Commercial interests", author("any, or that there are none")),
                Item("40a", "Availability of data and code", author("where, and on which terms", "compute")),
                Item(
                    "40b",
                    "Whether outputs are kept and can be audited",
                    author("how long the outputs that the run keeps are stored, and who may see them"),
                ),
            ),
        ),
    ),
)
