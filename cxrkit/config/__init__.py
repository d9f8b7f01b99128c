"""``tasks.toml``: read, merged, checked, all problems told at once."""

from cxrkit.config.components import check_components
from cxrkit.config.editor import json_schema
from cxrkit.config.load import load
from cxrkit.config.paths import located

__all__ = ["check_components", "json_schema", "load", "located"]
