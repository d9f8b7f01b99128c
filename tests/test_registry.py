import pytest

from cxrkit.errors import InputError
from cxrkit.registry import Registered, Registry, summary

WHERE = 'tasks.toml: task "a": model'


def registered(name, *, distribution="cxrkit", version="1.0", entry_point="models"):
    return Registered(name, "model", build, distribution, version, summary(build), entry_point)


def build(num_classes: int) -> None:
    """A network in ``one`` line.

    And more.
    """


def registry(*components):
    found = Registry("model")
    for component in components:
        found.add(component)
    return found


def test_a_component_is_found_by_name():
    assert registry(registered("resnet18")).get("resnet18", WHERE).factory is build


def test_names_are_sorted():
    models = registry(registered("b"), registered("a"))
    assert models.names() == ["a", "b"]
    assert [component.name for component in models] == ["a", "b"]


def test_an_unknown_name_is_told_with_the_nearest():
    with pytest.raises(InputError, match=r'task "a": model: no model "resnt18", did you mean "resnet18"\?$'):
        registry(registered("resnet18")).get("resnt18", WHERE)


def test_an_unknown_name_mentions_the_plugins_that_did_not_load():
    models = registry(registered("resnet18"))
    models.blame(['plugin "nets" of acme-nets 1.2'])
    pattern = r'no model "acmenet", allowed are resnet18; not loaded: plugin "nets" of acme-nets 1\.2 \(cxrkit plugins'
    with pytest.raises(InputError, match=pattern):
        models.get("acmenet", WHERE)


def test_two_distributions_may_offer_one_name_until_it_is_used():
    models = registry(registered("net"), registered("net", distribution="acme", version="2"), registered("other"))
    assert models.get("other", WHERE).name == "other"
    pattern = (
        r'"net" is offered by cxrkit 1\.0 \(plugin "models"\) and acme 2 \(plugin "models"\), uninstall all but one'
    )
    with pytest.raises(InputError, match=pattern):
        models.get("net", WHERE)


def test_the_summary_is_the_first_line_as_plain_text():
    assert summary(build) == "A network in one line."


def test_a_class_does_not_answer_with_the_docstring_of_its_base():
    class Base:
        """Base class of all networks."""

    class Network(Base):
        pass

    assert summary(Network) == ""
