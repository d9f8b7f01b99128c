"""Pickles of strangers: what it would take to read one, found out before PyTorch reads it.

PyTorch's own reader (``weights_only``) runs no code of a file's, but makes whatever the file asks for: as many bytes as
it claims, or a key whose parts are shared so often that hashing it never ends. Here a pickle is followed without
anything being made, by a stack that holds numbers and texts themselves and forms in place of the rest.
"""

import pickletools
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, BinaryIO, TypeVar

Form = TypeVar("Form")

MOST_DIMENSIONS = 8  # of a tensor; a network's have up to 5
MOST_PARTS = 1_000  # of a tuple, with those of the tuples in it; the state of Python's generator has 627
MOST_COPIED = 20_000  # items that are given to collections as a list: each of an old state dict, which has hundreds
WIDEST_KEY = 2**63  # thousands of wider numbers can have the same hash
LONGEST_NAME = 60  # letters of what is called that are shown

TENSORS = {  # what makes a tensor → where its shape stands among the arguments, before the strides
    "torch._utils _rebuild_tensor": 2,
    "torch._utils _rebuild_tensor_v2": 2,
    "torch._utils _rebuild_tensor_v3": 2,
    "torch._utils _rebuild_meta_tensor_no_storage": 1,
}
COLLECTIONS = {"collections OrderedDict", "collections Counter", "builtins set", "__builtin__ set", "torch Size"}
OTHERS = {"torch._utils _rebuild_parameter", "torch device"}
"""With the two above: everything that may be called, by module and name."""


class RefusedError(Exception):
    """What a pickle holds, as the middle of a sentence about its file."""


class Name(str):
    """A class or function, by module and name."""

    __slots__ = ()


@dataclass(slots=True)
class Collection:
    """A list, dictionary or set, of which only the number of items matters."""

    items: int = 0


@dataclass(frozen=True, slots=True)
class Storage:
    """The values of tensors."""

    values: int


class Parts(tuple[Any, ...]):  # noqa: SLOT001 - which a tuple cannot have
    """A tuple, which counts what hashing it goes through."""

    size: int


class Reader:
    """Follows the pickles of one file, by the operations that PyTorch's reader knows."""

    def __init__(self, size: int) -> None:
        """Begin a file of ``size`` bytes, which holds no more values."""
        self._size = size
        self._storages: dict[str, Storage] = {}
        self._claimed = 0  # values of all storages
        self._copied = 0  # items
        self._stack: list[Any] = []
        self._below: list[list[Any]] = []  # what is under each mark
        self._memo: dict[int, Any] = {}
        self._operations: dict[str, Callable[[Any], object]] = {
            "PROTO": lambda _: None,
            **dict.fromkeys(("BININT", "BININT1", "BININT2", "LONG1"), self._push),
            **dict.fromkeys(("BINUNICODE", "SHORT_BINSTRING"), self._push),
            **dict.fromkeys(("NONE", "NEWTRUE", "NEWFALSE", "BINFLOAT"), lambda _: self._push(None)),
            **dict.fromkeys(("EMPTY_LIST", "EMPTY_DICT", "EMPTY_SET"), lambda _: self._push(Collection())),
            "GLOBAL": lambda name: self._push(Name(name)),
            "MARK": self._mark,
            "EMPTY_TUPLE": lambda _: self._push(_tuple(())),
            "TUPLE1": lambda _: self._push(_tuple(self._popped(1))),
            "TUPLE2": lambda _: self._push(_tuple(self._popped(2))),
            "TUPLE3": lambda _: self._push(_tuple(self._popped(3))),
            "TUPLE": lambda _: self._push(_tuple(self._marked())),
            "APPEND": lambda _: self._append(self._popped(1)),
            "APPENDS": lambda _: self._append(self._marked()),
            "SETITEM": lambda _: self._set(self._popped(2)),
            "SETITEMS": lambda _: self._set(self._marked()),
            **dict.fromkeys(("REDUCE", "NEWOBJ"), lambda _: self._push(self._called(*self._popped(2)))),
            "BUILD": lambda _: self._build(*self._popped(1)),
            "BINPERSID": lambda _: self._push(self._stored(*self._popped(1))),
            **dict.fromkeys(("BINPUT", "LONG_BINPUT"), self._remember),
            **dict.fromkeys(("BINGET", "LONG_BINGET"), lambda place: self._push(self._memo[place])),
        }

    def follow(self, file: BinaryIO) -> Any:
        """Follow a pickle up to its end.

        Args:
            file: at the beginning of the pickle, afterwards behind it.

        Returns:
            A number or text that it is; anything else only as a form.

        Raises:
            RefusedError: it holds more than tensors, or something that takes more to read than its size.
            IndexError, KeyError, ValueError: it is no pickle that PyTorch reads.
        """
        self._stack, self._below, self._memo = [], [], {}
        for operation, value, _ in pickletools.genops(file):
            if operation.name != "STOP":
                self._operations[operation.name](value)
        return self._stack.pop()

    # ── The stack ─────────────────────────────────────────────────────────────────────────────────────────────────────

    def _push(self, value: Any) -> None:
        self._stack.append(value)

    def _popped(self, number: int) -> list[Any]:
        return [self._stack.pop() for _ in range(number)][::-1]

    def _mark(self, _: None) -> None:
        self._below.append(self._stack)
        self._stack = []

    def _marked(self) -> list[Any]:
        above, self._stack = self._stack, self._below.pop()
        return above

    def _remember(self, place: int) -> None:
        self._memo[place] = self._stack[-1]

    # ── What is made ──────────────────────────────────────────────────────────────────────────────────────────────────

    def _append(self, items: list[Any]) -> None:
        _of(Collection, self._stack[-1]).items += len(items)

    def _set(self, items: list[Any]) -> None:
        for key in items[::2]:
            if isinstance(key, Parts) or (isinstance(key, int) and abs(key) >= WIDEST_KEY):
                raise RefusedError("holds a key that is no text and no short number")
        _of(Collection, self._stack[-1]).items += len(items) // 2

    def _build(self, state: Any) -> None:
        self._copy(state)
        _of(Collection, self._stack[-1])

    def _copy(self, content: Any) -> int:
        """Count what is copied item by item, also where it is the same list again and again."""
        items = _of(Collection, content).items if not isinstance(content, (str, Parts)) else len(content)
        self._copied += content.size if isinstance(content, Parts) else items
        if self._copied > MOST_COPIED:
            raise RefusedError(f"copies more than {MOST_COPIED:,} items, which no state dict needs")
        return items

    def _called(self, callee: Any, arguments: Any) -> Any:
        name, given = _of(Name, callee), _of(Parts, arguments)
        if name in TENSORS:
            place = TENSORS[name]
            _check_tensor(_of(Parts, given[place]), _of(Parts, given[place + 1]), given[:place])
        elif name in COLLECTIONS:
            items = sum(self._copy(argument) for argument in given)
            return given[0] if name == "torch Size" else Collection(items)
        elif name not in OTHERS:
            shown = name.replace(" ", ".")[:LONGEST_NAME] if name.isprintable() else "calls"
            raise RefusedError(f"holds {shown}, more than tensors")
        return None

    def _stored(self, found: Any) -> Storage:
        """Find a storage, or count its values where it is met first, which is when memory is taken for it."""
        _, _, key, _, values, *_ = _of(Parts, found)
        if _of(str, key) not in self._storages:
            self._storages[key] = Storage(_of(int, values))
            self._claimed += abs(values)
        if self._claimed > self._size:
            raise RefusedError(f"claims a size of {self._claimed:,}, which is more than the file holds")
        return self._storages[key]


def _of(form: type[Form], found: Any) -> Form:
    if not isinstance(found, form):
        raise ValueError(f"a {type(found).__name__} in place of a {form.__name__}")  # noqa: TRY004 - of a damaged file
    return found


def _tuple(parts: Sequence[Any]) -> Parts:
    made = Parts(parts)
    made.size = 1 + sum(part.size if isinstance(part, Parts) else 1 for part in parts)
    if made.size > MOST_PARTS:
        raise RefusedError(f"holds a tuple of more than {MOST_PARTS:,} parts, those of tuples within it counted")
    return made


def _check_tensor(shape: Parts, strides: Parts, before: Sequence[Any]) -> None:
    """Refuse a tensor that reaches further than its storage, which PyTorch would enlarge for it."""
    if len(shape) > MOST_DIMENSIONS:
        raise RefusedError(f"holds a tensor of {len(shape)} dimensions, no network has more than {MOST_DIMENSIONS}")
    if not isinstance(before[0], Storage):  # one without values, which takes no memory
        return
    last = sum((_of(int, length) - 1) * _of(int, stride) for length, stride in zip(shape, strides, strict=True))
    if 0 not in shape and _of(int, before[1]) + last >= before[0].values:
        raise RefusedError("holds a tensor that is larger than its values in the file")
