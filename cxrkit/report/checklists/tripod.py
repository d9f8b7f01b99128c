"""TRIPOD+AI, for studies that develop or evaluate a prediction model: 27 items, 52 with their parts.

Items that are published as of development alone are asked only where a model was trained.
"""

from cxrkit.report.checklists import facts
from cxrkit.report.checklists.facts import author, of_development
from cxrkit.report.checklists.form import Checklist, Item, Part

TRIPOD_AI = Checklist(
    name="tripod-ai",
    title="TRIPOD+AI",
    purpose="Studies that develop or evaluate a prediction model; 27 items, 52 with their parts.",
    citation=(
        "Collins GS, Moons KGM, Dhiman P, et al. TRIPOD+AI statement: updated guidance for reporting clinical "
        "prediction models that use regression or machine learning methods. BMJ 2024;385:e078378. "
        "doi:10.1136/bmj-2023-078378"
    ),
    parts=(
        Part(
            "Title, introduction",
            (
                Item("1", "Title: development or evaluation, for whom, of what", author("a title that says so")),
                Item("2", "Abstract, with its own checklist", author("the abstract", "summary")),
                Item("3a", "Healthcare context and existing models", author("context, reasons, earlier models")),
                Item("3b", "Target population, purpose and users", author("whom it is for, where in the care pathway")),
                Item("3c", "Known health inequalities", author("those between groups of people")),
                Item("4", "Objectives", author("whether development, evaluation or both")),
            ),
        ),
        Part(
            "Methods: data",
            (
                Item("5a", "Sources of the data", author("sources, why these, how representative", "data")),
                Item("5b", "Dates", author("start and end of the collection")),
                Item("6a", "Setting and centres", author("kind, number and location of the centres")),
                Item("6b", "Eligibility", author("by which criteria patients were selected")),
                Item("6c", "Treatments", author("any treatment before the X-ray, and how it was handled")),
                Item(
                    "7",
                    "Preparation and quality of the data",
                    author("preprocessing, and whether it was alike in all groups", "data"),
                ),
            ),
        ),
        Part(
            "Methods: variables",
            (
                Item("8a", "Outcome, how and when assessed", author("by what the labels were decided, and when")),
                Item("8b", "Who assessed the outcome", author("expertise and characteristics of the readers")),
                Item("8c", "Blinding of the outcome", author("what the readers could know")),
                Item("9a", "Choice of predictors", of_development(facts.pixels)),
                Item("9b", "How and when predictors were measured", author("how and when the X-rays were taken")),
                Item("9c", "Who assessed subjective predictors", facts.pixels),
            ),
        ),
        Part(
            "Methods: analysis",
            (
                Item("10", "Sample size", author("how the sizes were decided and why they suffice", "data")),
                Item("11", "Missing data", facts.missing),
                Item("12a", "How the data were used", of_development(facts.numbers)),
                Item("12b", "Handling of predictors", of_development(author("resizing and scaling", "models"))),
                Item("12c", "Model, building, tuning, validation", of_development(facts.training)),
                Item("12d", "Heterogeneity between clusters", facts.clusters),
                Item("12e", "Measures and plots", facts.figures),
                Item("12f", "Updating of the model", facts.updating),
                Item("12g", "How predictions were computed", facts.calculation),
                Item("13", "Class imbalance", facts.imbalance),
                Item("14", "Fairness", author("what was done for it and why, or that nothing was")),
                Item("15", "Output and thresholds", of_development(facts.thresholds)),
                Item(
                    "16",
                    "Differences of development and evaluation",
                    author("those of setting, eligibility and outcome", "data"),
                ),
                Item("17", "Ethics and consent", author("committee, approval, consent or its waiver")),
            ),
        ),
        Part(
            "Open science",
            (
                Item("18a", "Funding", author("sources, and the role of the funders")),
                Item("18b", "Conflicts of interest", author("of every author")),
                Item("18c", "Protocol", author("where it can be read, or that there is none")),
                Item("18d", "Registration", author("registry and number, or that there is none")),
                Item("18e", "Sharing of data", author("whether and where", "data")),
                Item("18f", "Sharing of code", author("whether and where", "compute")),
                Item("19", "Patients and the public", author("how they were involved, or that they were not")),
            ),
        ),
        Part(
            "Results",
            (
                Item("20a", "Flow of participants", facts.flow),
                Item("20b", "Characteristics of participants", author("age, sex, dates, treatments", "data")),
                Item(
                    "20c",
                    "Evaluation set against development",
                    author("demographics of both sets", "data"),
                ),
                Item("21", "Participants and events in each analysis", facts.numbers),
                Item(
                    "22",
                    "Full specification of the model",
                    of_development(author("where the saved model can be had, and on which terms", "models")),
                ),
                Item("23a", "Performance with intervals, and subgroups", facts.performance),
                Item("23b", "Heterogeneity between clusters", facts.clusters),
                Item("24", "Results of updating", facts.updating),
            ),
        ),
        Part(
            "Discussion",
            (
                Item("25", "Interpretation", author("of the results and their fairness, beside earlier studies")),
                Item(
                    "26",
                    "Limitations",
                    author("those of the study's design", "limitations"),
                ),
                Item("27a", "Poor or missing input in use", of_development(author("what is to be done with it"))),
                Item("27b", "What users must do and know", of_development(author("interaction and expertise"))),
                Item("27c", "Next steps", author("for research, and to show that it holds elsewhere")),
            ),
        ),
    ),
)
