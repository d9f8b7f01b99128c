import os
import shutil
import subprocess
import sys
from textwrap import dedent

import pytest

from cxrkit import discovery, options
from cxrkit.api import FinishedRun
from cxrkit.errors import InputError, RunError

DATASET = """
    from cxrkit import hookimpl

    def index(root, *, depth: int = 3):
        \"\"\"List the images of an archive.\"\"\"
        return []

    @hookimpl
    def cxrkit_register_datasets():
        return {"archive": index}
"""


def reasons(plugins):
    """Why each stranger's plugin was left out, by distribution."""
    return {left_out.distribution: left_out.reason for left_out in plugins.broken if left_out.distribution != "cxrkit"}


def test_the_built_in_plugins_all_load():
    """In a process of its own, as torch's imports warn and the group with torch must not reach this one."""
    code = "from cxrkit import discovery; [discovery.load(group, strict=True) for group in discovery.GROUPS]"
    finished = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert (finished.returncode, finished.stderr) == (0, "")


def test_a_strangers_component_is_registered_with_its_origin(install):
    install("acme-archive", DATASET)
    component = discovery.load("cxrkit").datasets.get("archive", "here")
    assert (component.distribution, component.version, component.entry_point) == ("acme-archive", "1.2", "extra")
    assert (component.kind, component.summary) == ("dataset", "List the images of an archive.")


@pytest.mark.parametrize(
    ("source", "reason"),
    [
        ("import not_there_at_all", "ModuleNotFoundError: No module named 'not_there_at_all'"),
        ("1 / 0", "ZeroDivisionError: division by zero"),
        ("def :", "SyntaxError: "),
        ("raise SystemExit(3)", "SystemExit: 3"),
        ("", "implements no hook, mark its functions with @cxrkit.hookimpl"),
        (
            "import cxrkit\n@cxrkit.hookimpl\ndef cxrkit_register_dataset(): return {}",
            'unknown hook cxrkit_register_dataset, did you mean "cxrkit_register_datasets"?',
        ),
        (
            "import cxrkit\n@cxrkit.hookimpl\ndef cxrkit_register_datasets(folder): return {}",
            "PluginValidationError: ",
        ),
        (
            "import cxrkit\n@cxrkit.hookimpl\ndef cxrkit_register_models(): return {}",
            'cxrkit_register_models belongs in the entry-point group "cxrkit.train"',
        ),
        (
            "import cxrkit\n@cxrkit.hookimpl\ndef cxrkit_register_datasets(): return ['archive']",
            "cxrkit_register_datasets returned list, must be a mapping of name to function",
        ),
        (
            "import cxrkit\n@cxrkit.hookimpl\ndef cxrkit_register_datasets(): pass",
            "cxrkit_register_datasets returned NoneType, must be a mapping of name to function",
        ),
        (
            "import cxrkit\n@cxrkit.hookimpl\ndef cxrkit_register_datasets(): raise OSError('no disk')",
            "OSError: no disk",
        ),
    ],
)
def test_a_broken_plugin_is_named_and_harms_no_other(install, source, reason):
    install("acme-broken", source)
    install("zeta-archive", DATASET)
    plugins = discovery.load("cxrkit")
    assert reasons(plugins)["acme-broken"].startswith(reason)
    assert list(reasons(plugins)) == ["acme-broken"]
    assert "archive" in plugins.datasets.names()
    assert 'plugin "extra" of acme-broken 1.2 was skipped: ' in "\n".join(plugins.notices)


def test_strict_makes_a_broken_plugin_fatal(install):
    install("acme-broken", "raise SystemExit(3)")
    with pytest.raises(RunError, match=r'plugin "extra" of acme-broken 1\.2: SystemExit: 3'):
        discovery.load("cxrkit", strict=True)


def test_an_unknown_name_mentions_the_broken_distribution(install):
    install("acme-broken", "raise SystemExit(3)")
    with pytest.raises(InputError, match=r'not loaded: plugin "extra" of acme-broken 1\.2'):
        discovery.load("cxrkit").datasets.get("archive", "here")


def test_two_distributions_may_register_one_name_until_it_is_used(install):
    install("acme-archive", DATASET)
    install("zeta-archive", DATASET)
    plugins = discovery.load("cxrkit")
    assert reasons(plugins) == {}
    with pytest.raises(InputError, match=r'"archive" is offered by acme-archive 1\.2 .* and zeta-archive 1\.2'):
        plugins.datasets.get("archive", "here")


def test_two_strangers_may_call_their_entry_point_the_same(install):
    install("acme-archive", DATASET, entry_point="datasets")
    install("zeta-other", DATASET.replace('"archive"', '"other"'), entry_point="datasets")
    plugins = discovery.load("cxrkit")
    assert reasons(plugins) == {}
    assert {"archive", "other", "folder"} <= set(plugins.datasets.names())


@pytest.mark.parametrize(
    ("factory", "reason"),
    [
        ("lambda root, **rest: []", r"dataset 'odd' takes **kwargs, must be f(root, *, …options)"),
        ("lambda root, depth: []", "dataset 'odd' takes (root, depth) by position, must be f(root, *, …options)"),
        ("'index'", "dataset 'odd' is a str, must be a function"),
    ],
)
def test_one_unusable_component_leaves_the_plugins_others(install, factory, reason):
    install("acme-archive", DATASET.replace('"archive": index', f'"archive": index, "odd": {factory}'))
    plugins = discovery.load("cxrkit")
    assert reasons(plugins) == {"acme-archive": reason}
    assert "archive" in plugins.datasets.names()
    assert "odd" not in plugins.datasets.names()


def test_an_annotation_known_only_to_type_checkers_breaks_nothing(install):
    source = """
        from __future__ import annotations
        from typing import TYPE_CHECKING
        from cxrkit import hookimpl

        if TYPE_CHECKING:
            from somewhere import Row

        def index(root: Path, *, depth: int = 3, row: Row | None = None) -> list[Row]:
            return []

        @hookimpl
        def cxrkit_register_datasets():
            return {"archive": index}
    """
    install("acme-archive", source)
    index = discovery.load("cxrkit").datasets.get("archive", "here").factory
    assert options.check(index, {"depth": 4}, "here") == {"depth": 4, "row": None}
    with pytest.raises(InputError, match=r"here\.depth: must be a valid integer"):
        options.check(index, {"depth": "4"}, "here")


def test_what_a_plugin_prints_goes_to_standard_error(install, capsys):
    """Else it would stand in the middle of ``--json``."""
    install("acme-archive", 'print("hello")\n' + dedent(DATASET))
    discovery.load("cxrkit")
    assert capsys.readouterr() == ("", "hello\n")


@pytest.mark.parametrize("content", [b"[cxrkit]\nno equals sign\n", b"\xff\xfe\x00", b"= =\n"])
def test_unreadable_metadata_of_one_distribution_harms_no_other(install, strangers, content):
    install("acme-archive", DATASET)
    install("zeta-broken", "")
    (strangers / "zeta_broken-1.2.dist-info" / "entry_points.txt").write_bytes(content)
    assert "archive" in discovery.load("cxrkit").datasets.names()


def test_a_distribution_without_metadata_is_still_used(install, strangers):
    install("acme-archive", DATASET)
    (strangers / "acme_archive-1.2.dist-info" / "METADATA").unlink()
    assert discovery.load("cxrkit").datasets.get("archive", "here").distribution == "unknown"


def test_a_distribution_found_twice_counts_once(install, strangers, tmp_path, monkeypatch):
    """A checkout as working directory shows its egg-info beside the installed distribution."""
    install("acme-archive", DATASET)
    shutil.copytree(strangers, tmp_path / "copy")
    monkeypatch.syspath_prepend(str(tmp_path / "copy"))
    sources = [source for source in discovery.installed("cxrkit") if source.distribution == "acme-archive"]
    assert len(sources) == 1


def test_installed_reads_metadata_alone(install):
    install("acme-broken", "raise SystemExit(3)")
    source = next(found for found in discovery.installed("cxrkit") if found.distribution == "acme-broken")
    assert (source.entry_point, source.target, source.about) == ("extra", "acme_broken", "Of a stranger")


LISTENER = """
    from cxrkit import hookimpl

    @hookimpl
    def cxrkit_run_finished(run):
        (run.directory / "heard").write_text(__name__)
        {}
"""


def test_an_event_reaches_every_plugin_although_one_fails(install, tmp_path):
    install("acme-listener", LISTENER.format("raise ValueError('bad\\nday')"))
    install("zeta-listener", LISTENER.format("pass"))
    plugins = discovery.load("cxrkit")
    sentence = 'plugin "extra" of acme-listener 1.2: cxrkit_run_finished failed (ValueError: bad day)'
    assert plugins.tell("cxrkit_run_finished", run=FinishedRun(tmp_path, (), {})) == [sentence]
    assert (tmp_path / "heard").read_text(encoding="utf-8") == "zeta_listener"


def test_an_event_without_listeners_tells_nothing():
    assert discovery.Plugins().tell("cxrkit_run_finished", run=None) == []


def test_the_hooks_of_the_table_are_those_of_the_specification():
    """A hook that one of the two lacks would never be called, or never be allowed."""
    specified = {name for name in vars(discovery.hookspecs) if name.startswith("cxrkit_")}
    assert specified == set(discovery.HOOKS)


def test_loading_is_the_same_in_any_order_of_the_path(install, strangers):
    """Sorted by distribution and entry point, wherever they lie."""
    for name in ("zeta-archive", "acme-archive", "mid-archive"):
        install(name, DATASET)
    code = (
        "from cxrkit import discovery; print([s.distribution for s in discovery.load('cxrkit').sources"
        " if s.distribution != 'cxrkit'])"
    )
    environment = {**os.environ, "PYTHONPATH": str(strangers)}
    finished = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, env=environment)
    assert finished.stdout.strip() == "['acme-archive', 'mid-archive', 'zeta-archive']"
