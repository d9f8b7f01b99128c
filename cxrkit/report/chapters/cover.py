"""What the cover says besides title and authors: what was compared, on whom, and what the report is not."""

from cxrkit.report.phrases import population, set_title
from cxrkit.report.results import Results
from cxrkit.report.wording import capitalised, counted, label, listed

NOTICE = "For research use only. Not a medical device."


def subtitle(results: Results) -> str:
    """Say in a line what the report is of."""
    models = counted(len(results.tasks), "model")
    tell = "tells" if len(results.tasks) == 1 else "tell"
    return f"{models} that {tell} {results.positive} from {listed(results.negatives, 'or')} on chest X-rays"


def facts(results: Results) -> tuple[tuple[str, str], ...]:
    """Tell on which sets the models were tested, how large these are, and by which figure they are compared."""
    sets = tuple((capitalised(set_title(name)), population(results, name)) for name in results.sets)
    compared = (("Compared by", label(results.primary)),) if len(results.tasks) > 1 else ()
    return (*sets, *compared)
