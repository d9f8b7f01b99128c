"""The JSON Schema of ``tasks.toml``, for editors that complete and check it."""

from typing import Any

from cxrkit.config.schema import Configuration


def json_schema() -> dict[str, Any]:
    """Return the JSON Schema (draft 2020-12) of the file, ``[defaults]`` included.

    It allows every file that :func:`cxrkit.config.load` accepts. A plugin's options are not in it, since they come
    from what is installed; neither is what one key asks of another.
    """
    schema = Configuration.model_json_schema(by_alias=True, mode="validation")
    schema["$schema"] = "https://json-schema.org/draft/2020-12/schema"
    schema["title"] = "tasks.toml of cxrkit"
    definitions = schema["$defs"]
    definitions["Use"].pop("required")  # the defaults, or cxrkit's own, may name the component
    definitions["Defaults"] = _defaults(definitions["TaskTable"])
    schema["properties"]["defaults"] = {
        "$ref": "#/$defs/Defaults",
        "description": "Merged into every task, key by key.",
    }
    for name, definition in definitions.items():
        _without_markup(definition, name)
    return schema


def _defaults(task: dict[str, Any]) -> dict[str, Any]:
    properties = {key: value for key, value in task["properties"].items() if key != "name"}
    without = {key: value for key, value in task.items() if key not in {"required", "properties"}}
    return {**without, "title": "Defaults", "description": "``[defaults]``: for every task.", "properties": properties}


def _without_markup(definition: dict[str, Any], name: str) -> None:
    definition["description"] = definition.get("description", name).replace("``", "")
