"""From folders and CSV files to a checked manifest of images."""

from cxrkit.data.building import build, classes
from cxrkit.data.manifest import Manifest

__all__ = ["Manifest", "build", "classes"]
