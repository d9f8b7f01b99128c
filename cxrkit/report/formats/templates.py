"""A user's folder of templates: which of its files count, and what is wrong with them, told before any work."""

from collections.abc import Collection, Iterator
from pathlib import Path
from typing import Any

from jinja2 import Environment, TemplateSyntaxError, nodes

from cxrkit import bounded
from cxrkit.errors import InputError, nearest
from cxrkit.report.formats import html

KINDS = (".j2", ".css", ".js", ".html")
"""Ends of the names that are looked at; what else lies in the folder, such as a README, is left alone."""

MOST_BYTES = bounded.MEGABYTE  # of a template

Reference = tuple[str, int]
"""The name of a template that another one is built of, and the line where it says so."""


def files(folder: Path) -> dict[str, Path]:
    """List the templates of a folder by name, such as ``blocks/table.html.j2``; hidden files are none."""
    found = {path.relative_to(folder): path for path in folder.rglob("*") if path.suffix in KINDS and path.is_file()}
    seen = sorted(name for name in found if not any(part.startswith(".") for part in name.parts))
    return {name.as_posix(): found[name] for name in seen}


def problems(folder: Path, where: str) -> list[str]:
    """List what keeps a folder of templates from being used.

    Args:
        folder: as the user gave it.
        where: where it was written, for messages.

    Returns:
        A sentence for each problem: no such folder, nothing in it that counts, a template that cannot be parsed, that
        is built of one that does not exist or fills a block that does not exist, a file that nothing uses.
    """
    if not folder.is_dir():
        return [f"{where}: {folder} is no folder, one with templates is needed"]
    found, ours = files(folder), html.own_names()
    if not found:
        return [f"{where}: {folder} holds no template, one such as report.html.j2 is needed"]
    environment = html.environment(folder)
    known = {*found, *ours, *(f"{html.OURS}/{name}" for name in ours)}
    told: list[str] = []
    used: set[str] = set()
    for name, path in found.items():
        if name.endswith(".j2"):
            try:
                tree = _parsed(environment, name, path)
            except _UnreadableError as unreadable:
                told.append(str(unreadable))
                continue
            used |= {target for target, _ in _references(tree) if target != name}
            told += [f"{path}: line {line}: {what}" for line, what in _wrong(environment, name, tree, known)]
    return told or [
        f"{path}: takes the place of no template of cxrkit and nothing here uses it, {nearest(name, ours)}"
        for name, path in found.items()
        if name not in ours and name not in used
    ]


class _UnreadableError(Exception):
    """Why a template cannot be read, as a whole sentence."""


def _parsed(environment: Environment, name: str, path: Path) -> nodes.Template:
    try:
        text = bounded.content(path, MOST_BYTES, "is gone").decode()
        environment.compile(text, name, str(path))  # which also knows filters and tests
        return environment.parse(text, name, str(path))
    except InputError as error:
        raise _UnreadableError(str(error)) from error
    except TemplateSyntaxError as error:
        raise _UnreadableError(f"{path}: line {error.lineno}: {error.message}") from error
    except (OSError, UnicodeDecodeError, RecursionError) as error:
        raise _UnreadableError(f"{path}: cannot be read ({error}), a template in UTF-8 is needed") from error


def _references(tree: nodes.Template) -> Iterator[Reference]:
    """Name the templates, style sheets and scripts that a template is built of, as far as it names them outright."""
    built: Iterator[Any] = tree.find_all((nodes.Extends, nodes.Include, nodes.Import, nodes.FromImport))
    for node in built:
        if isinstance(node.template, nodes.Const) and not getattr(node, "ignore_missing", False):
            yield node.template.value, node.lineno
    for call in tree.find_all(nodes.Call):
        named = isinstance(call.node, nodes.Name) and call.node.name == "source" and len(call.args) == 1
        if named and isinstance(call.args[0], nodes.Const):
            yield call.args[0].value, call.lineno


def _wrong(
    environment: Environment, name: str, tree: nodes.Template, known: Collection[str]
) -> Iterator[tuple[int, str]]:
    wrong = False
    for target, line in _references(tree):
        wrong = True
        if target == name:
            yield line, f'is built of itself, cxrkit\'s own is "{html.OURS}/{name}"'
        elif target not in known:
            yield line, f'no template "{target}", {nearest(str(target), known)}'
        else:
            wrong = False
    parent = _parent(tree)
    if parent is None or wrong:
        return
    blocks = _blocks(environment, parent)
    for node in tree.body:
        if isinstance(node, nodes.Block) and node.name not in blocks:
            yield node.lineno, f'"{parent}" has no block "{node.name}", {nearest(node.name, blocks)}'


def _parent(tree: nodes.Template) -> str | None:
    extends = tree.find(nodes.Extends)
    return extends.template.value if extends is not None and isinstance(extends.template, nodes.Const) else None


def _blocks(environment: Environment, name: str, below: tuple[str, ...] = ()) -> set[str]:
    """Name the blocks of a template and of those that it extends."""
    assert environment.loader is not None  # noqa: S101 - see html.environment
    tree = environment.parse(environment.loader.get_source(environment, name)[0])
    parent = _parent(tree)
    inherited = set() if parent is None or parent in below else _blocks(environment, parent, (*below, name))
    return {block.name for block in tree.find_all(nodes.Block)} | inherited
