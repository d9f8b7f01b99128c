from cxrkit.evaluation import cases, importing, predictions, thresholds
from cxrkit.evaluation.stage import evaluate

__all__ = ["cases", "evaluate", "importing", "predictions", "thresholds"]
