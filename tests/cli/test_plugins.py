import json
import os
import re
import subprocess
import sys

import pytest
from click.testing import CliRunner

import cxrkit
from cxrkit.cli import cli

DATASETS = """
    from cxrkit import hookimpl

    def index(root, *, depth: int = 3, kind: str):
        \"\"\"List the images of an ``archive`` [of ours].\"\"\"
        return []

    @hookimpl
    def cxrkit_register_datasets():
        return {"archive": index}
"""
TRAINING = """
    import sys
    sys.exit("training plugins are not to be loaded")
"""


def list_plugins(*options):
    result = CliRunner().invoke(cli, ["plugins", "list", *options], env={"COLUMNS": "100"})
    assert result.exit_code == 0, result.output
    return result.stdout


def test_json_tells_components_what_is_not_loaded_and_what_is_broken(install):
    install("acme-archive", DATASETS)
    install("acme-broken", "import not_there_at_all")
    install("acme-losses", TRAINING, group="cxrkit.train", entry_point="losses")
    listing = json.loads(list_plugins("--json"))
    assert {
        "kind": "dataset",
        "name": "archive",
        "distribution": "acme-archive",
        "version": "1.2",
        "entry_point": "extra",
        "summary": "List the images of an archive [of ours].",
    } in listing["components"]
    assert ("acme-losses", "losses", "acme_losses") in {
        (source["distribution"], source["entry_point"], source["target"]) for source in listing["not_loaded"]
    }
    assert {
        "group": "cxrkit",
        "entry_point": "extra",
        "distribution": "acme-broken",
        "version": "1.2",
        "reason": "ModuleNotFoundError: No module named 'not_there_at_all'",
    } in listing["broken"]


def test_the_table_shows_built_in_and_strangers_and_what_failed(install):
    install("acme-archive", DATASETS)
    install("acme-broken", "import not_there_at_all")
    shown = list_plugins()
    assert shown.startswith(f"cxrkit {cxrkit.__version__}  Evaluate and compare chest X-ray classifiers")
    assert "acme-archive 1.2  Of a stranger\n  dataset" in shown
    assert re.search(r"^    archive +List the images of an archive \[of ours\]\. *$", shown, re.MULTILINE)
    failed = shown[shown.index("Failed to load") :]
    assert "ModuleNotFoundError: No module named 'not_there_at_all'" in failed
    assert "of acme-broken 1.2" in failed
    assert "--options shows what they offer" in shown


def test_an_event_plugin_is_listed_by_its_docstring(install):
    source = '"""Tell the ward."""\nimport cxrkit\n@cxrkit.hookimpl\ndef cxrkit_run_finished(run): pass\n'
    install("acme-pager", source, entry_point="pager")
    shown = list_plugins()
    assert "acme-pager 1.2  Of a stranger\n  events" in shown
    assert "Tell the ward." in shown


def test_what_differs_by_name_alone_is_one_entry(install):
    source = """
        from cxrkit import hookimpl

        def named(name):
            def index(root):
                return []
            index.__doc__ = f"Read format {name}."
            return index

        @hookimpl
        def cxrkit_register_datasets():
            return {name: named(name) for name in ("north", "south")}
    """
    install("acme-formats", source)
    shown = list_plugins()
    assert "2 alike" in shown
    assert "north, south" in shown
    assert "Read format …." in shown
    assert (
        len([c for c in json.loads(list_plugins("--json"))["components"] if c["distribution"] == "acme-formats"]) == 2
    )


@pytest.mark.parametrize("width", ["30", "60", "200"])
def test_no_line_is_wider_than_the_terminal(install, width):
    install("acme-broken", "raise ValueError('a long reason ' * 20)")
    result = CliRunner().invoke(cli, ["plugins", "list"], env={"COLUMNS": width})
    assert max(len(line) for line in result.stdout.splitlines()) <= int(width)


def test_options_loads_training_plugins_and_tells_every_option(install, strangers):
    """In a process of its own, since this loads torch."""
    install("acme-archive", DATASETS)
    install("acme-losses", TRAINING, group="cxrkit.train", entry_point="losses")
    command = [sys.executable, "-m", "cxrkit", "plugins", "list", "--options", "--json"]
    environment = {**os.environ, "PYTHONPATH": str(strangers)}
    shown = subprocess.run(command, capture_output=True, text=True, check=True, env=environment).stdout
    listing = json.loads(shown)
    components = {(component["kind"], component["name"]): component for component in listing["components"]}
    assert components["dataset", "archive"]["options"] == [
        {"name": "depth", "type": "int", "required": False, "default": 3},
        {"name": "kind", "type": "str", "required": True, "default": None},
    ]
    assert ("model", "resnet18") in components
    assert ("imbalance strategy", "class-weights") in components
    assert ("trainer", "fabric") in components
    reasons = {left_out["distribution"]: left_out["reason"] for left_out in listing["broken"]}
    assert reasons["acme-losses"] == "SystemExit: training plugins are not to be loaded"
