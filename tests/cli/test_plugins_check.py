import json

import pytest
from click.testing import CliRunner

from cxrkit.cli import cli
from cxrkit.testing import Check, UncheckedError, checks

GOOD = '''
    from cxrkit import hookimpl
    from cxrkit.api import Figure, MetricReport

    def share(predictions, settings, *, of: int = 0) -> MetricReport:
        """Tell the share of a class."""
        n = len(predictions.labels)
        return MetricReport((Figure("share", float((predictions.labels == of).mean()), n=n, n_patients=1),))

    @hookimpl
    def cxrkit_register_metric_reporters():
        print("a plugin that prints")
        return {"share": share}
'''
HEAVY = GOOD.replace("n = len", "import torchcam; n = len")
LISTENER = '''
    """Tell the ward."""
    from cxrkit import hookimpl

    @hookimpl
    def cxrkit_run_finished(run):
        (run.directory / "told.txt").write_text(run.reports[0].name)
'''
NEEDY = '''
    from cxrkit import hookimpl
    from cxrkit.errors import InputError

    def archive(root, *, kind: str):
        """List the images of an archive."""
        raise InputError(f"{root}: no archive")

    @hookimpl
    def cxrkit_register_datasets():
        return {"archive": archive}
'''


def check(*arguments):
    return CliRunner().invoke(cli, ["plugins", "check", *arguments], env={"COLUMNS": "100"})


def test_the_table_has_a_sentence_for_each_promise_and_the_status_is_0(install):
    install("acme-share", GOOD)
    result = check("acme_share")
    assert result.exit_code == 0, result.output
    lines = result.stdout.splitlines()
    assert lines[:2] == ["acme-share 1.2", "  plugin extra"]
    assert "  metric reporter share" in lines
    assert "    ✓ Three classes are coped with." in [line.rstrip() for line in lines]
    assert lines[-1] == "14 promises kept, 0 broken"


def test_a_broken_promise_says_what_was_found_and_the_status_is_1(install):
    install("acme-told", LISTENER, entry_point="ward")
    result = check("ward")
    assert result.exit_code == 1
    assert "✗ Takes a run with a failed task and no report.\n" in result.stdout.replace(" \n", "\n").replace("  ", "")
    assert "raises IndexError: tuple index out of range" in result.stdout
    assert result.stdout.splitlines()[-1] == "5 promises kept, 1 broken"


def test_json_has_every_check(install):
    install(
        "acme-share", GOOD.replace("(Figure(", "(Figure(*[").replace("n=n, n_patients=1)", "][:1], 2.5, low=3.0, n=n)")
    )
    result = check("share", "--json")
    assert result.exit_code == 1
    document = json.loads(result.stdout)
    assert {"kept", "broken", "unchecked"} <= document.keys()
    broken = [one for one in document["checks"] if one["state"] == "broken"]
    assert len(broken) == document["broken"]
    assert broken[0] == {
        "distribution": "acme-share",
        "version": "1.2",
        "entry_point": "extra",
        "kind": "metric reporter",
        "component": "share",
        "promise": "Returns a MetricReport of figures and sections for two classes.",
        "state": "broken",
        "found": "share: has one bound alone, 3.0 … None",
    }


def test_torch_in_the_right_half_is_found_where_it_is_imported_late(install):
    install("acme-heavy", HEAVY)
    found = {check.promise: check for check in checks("acme-heavy")}
    outcome = found["Imports no torch, neither when it is loaded nor when it is used."].outcome()
    assert outcome.state == "broken"
    assert outcome.found == "imports torchcam when it is used"


def test_an_option_that_must_be_given_can_be_given(install):
    install("acme-archive", NEEDY)
    result = check("archive")
    assert result.exit_code == 0
    assert "Not checked: needs the option kind" in result.stdout
    assert (
        "Not checked: it does not read the folder of cxrkit data phantom"
        in check("archive", "--set", "archive.kind=zip").stdout
    )


def test_a_plugin_that_does_not_load_is_broken(install):
    install("acme-broken", "import not_there_at_all")
    result = check("acme-broken")
    assert result.exit_code == 1
    assert "ModuleNotFoundError: No module named 'not_there_at_all'" in result.stdout


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["acme-shar"], 'no plugin or component "acme-shar" is installed, did you mean "acme-share"?'),
        (["zzzzzz"], 'no plugin or component "zzzzzz" is installed, cxrkit plugins list --options shows what is'),
        (["share", "--set", "share.fo=1"], 'metric reporter "share".fo: unknown option'),
        (["share", "--set", "share.of=x"], 'metric reporter "share".of: must be a valid integer, got "x"'),
        (["share", "--set", "shore.of=1"], 'options of "shore": no such component is checked, did you mean "share"?'),
        (["share", "--set", "of=1"], "--set of=1: allowed is COMPONENT.OPTION=VALUE"),
        ([], "give NAME or --all"),
        (["share", "--all"], "give NAME or --all"),
    ],
)
def test_wrong_input_is_told(install, arguments, message):
    install("acme-share", GOOD)
    result = check(*arguments)
    assert result.exit_code == 2
    assert message in result.stderr


def test_a_check_is_called_from_a_test(install):
    def unchecked():
        raise UncheckedError("no reason")

    install("acme-share", GOOD)
    for one in checks("acme-share"):
        one()
    with pytest.raises(UncheckedError, match="model m: P: no reason"):
        Check("d", "1", "e", "model", "m", "P.", unchecked)()
