"""What the run of a saved model knows of the images that the model is now tested on, and of its own test set."""

from collections.abc import Mapping
from dataclasses import replace
from typing import NamedTuple

from cxrkit.api import Predictions
from cxrkit.data.manifest import SPLITS, Manifest
from cxrkit.records import RunInfo
from cxrkit.run.saved import Origin, SavedModel

TEST = "test"
LEARNT_FROM = ("train", "val")
KERMANY = 'rule "kermany"'


class Internal(NamedTuple):
    """The models' predictions on their own test sets.

    Attributes:
        found: task → predictions; of every model, or none.
        notes: sentences that the user and the report's reader should see.
    """

    found: dict[str, Predictions]
    notes: list[str]


def taken_in(models: Mapping[str, SavedModel], manifest: Manifest) -> Internal:
    """Take in the internal test predictions, from which the change to other images is given.

    Args:
        models: task → model.
        manifest: of the images that they are tested on now.

    Returns:
        None where a model has none or these are its own test images, as nothing can be set against them.

    Raises:
        InputError: a file of the model's run is not of its form.
    """
    known = {name: familiar(model.origin, manifest) for name, model in models.items() if model.origin}
    images = len(manifest.usable)
    notes = [
        f"{number} of the {images} images are among those that {name} was {use}, its figures on them are too good."
        for name, numbers in known.items()
        for split, use in (("train", "trained on"), ("val", "validated on"))
        if (number := numbers.get(split))
    ]
    notes += [
        f"{number} of the patients are named as patients of the images that {name} was trained or validated on. If "
        "they are the same, its figures on them are too good."
        for name, model in models.items()
        if model.origin and not known[name].keys() & set(LEARNT_FROM) and (number := namesakes(model.origin, manifest))
    ]
    tested = [
        f"{number} of the {images} images are among those that {name} was tested on, so that no change from internal "
        "test to these images is given."
        for name, numbers in known.items()
        if (number := numbers.get(TEST))
    ]
    found = {} if tested else {name: one for name, model in models.items() if (one := _predictions(name, model))}
    lacking = sorted(models.keys() - found.keys())
    if found and lacking:
        notes.append(
            f"No internal test predictions lie beside {', '.join(lacking)}, so that the change from internal test to "
            "these images is given for no model."
        )
    return Internal({} if lacking else found, notes + tested)


def familiar(origin: Origin, manifest: Manifest) -> dict[str, int]:
    """Count the images that are identical to files of the model's run: split → images."""
    if not origin.run.manifest.is_file():
        return {}
    theirs = Manifest.read(origin.run.manifest, {}).usable
    here = manifest.usable["sha256"]
    counts = {name: int(here.isin(theirs.loc[theirs["split"] == name, "sha256"]).sum()) for name in SPLITS}
    return {name: count for name, count in counts.items() if count}


def namesakes(origin: Origin, manifest: Manifest) -> int:
    """Count the patients whose key is one of the training's; 0 where keys are not by Kermany's file names in both."""
    data = RunInfo.read(origin.run.info).data
    rules = (manifest.patient_rule, data.patient_rule if data else None)
    if not origin.run.manifest.is_file() or not all(rule and KERMANY in rule for rule in rules):
        return 0  # another hospital's patient 12 is someone else
    theirs = Manifest.read(origin.run.manifest, {}).usable
    learnt = theirs.loc[theirs["split"].isin(LEARNT_FROM), "patient"]
    return len(set(manifest.usable["patient"]) & set(learnt))


def _predictions(name: str, model: SavedModel) -> Predictions | None:
    if model.origin is None or model.info is None:
        return None
    found = model.origin.predictions(TEST, model.info)
    return None if found is None else replace(found, task=name)
