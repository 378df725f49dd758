"""Check what the pickle in a file of torch.save would build, before anything is built."""

import pickletools
import re
from collections.abc import Callable, Mapping
from typing import Any

from wgan_lip.saved.pickle_values import (
    CALLS,
    DTYPES,
    ITEM_SIZES,
    MOST_INTEGER,
    PickleError,
    Value,
    items_of,
    known_name,
)

# Note [what may be built]
# torch.load(weights_only=True) calls only known functions, but with the pickle's arguments. Some of these calls require
# memory or time without bound (bytearray(10**15), a tensor that claims more than its storage holds), and so do deeply
# nested or shared values later, when they are printed, compared or hashed. So the pickle is first interpreted without
# building anything. It may build tensors of the archive's own storages and plain values: text, numbers, None, lists,
# tuples and mappings, nested at most a hundred deep, of a limited size if shared values are counted each time, and
# without cycles.

_MOST_BYTES = 1 << 26
# The start of a group of values on the stack.
_MARK = object()


def check_pickle(content: bytes, sizes: Mapping[str, int]) -> None:
    """Check that a pickle builds only tensors and plain values; see the note above.

    Args:
        content: the pickle.
        sizes: the size in bytes of each storage, by its key.

    Raises:
        PickleError: it builds something else, or is damaged.
    """
    if len(content) > _MOST_BYTES:
        raise PickleError(f"its pickle is larger than {_MOST_BYTES >> 20} MB: save numbers as tensors")
    machine = _Machine(sizes)
    try:
        for operation, argument, _ in pickletools.genops(content):
            machine.run(operation.name, argument)
    except PickleError:
        raise
    except Exception as error:
        # Random bytes raise many kinds of errors.
        raise PickleError(f"its pickle cannot be read: {type(error).__name__}: {error}") from None
    if len(machine.stack) != 1 or getattr(machine.stack[0], "bare", False):
        raise PickleError("its pickle cannot be read: it does not end with one value")


class _Machine:
    """An interpreter of a pickle's operations on descriptions of values: its stack and its memo."""

    def __init__(self, sizes: Mapping[str, int]) -> None:
        self.stack: list[Any] = []
        self._memo: dict[int, Any] = {}
        self._sizes = sizes
        self._storages: dict[str, tuple[str, int]] = {}

    def run(self, name: str, argument: Any) -> None:
        """Interpret one operation."""
        if name in _CONSTANTS:
            self.stack.append(_CONSTANTS[name])
        elif name in _ARGUMENTS:
            if isinstance(argument, int) and not -MOST_INTEGER <= argument < MOST_INTEGER:
                raise PickleError("it holds an integer of more than 64 bits")
            self.stack.append(argument)
        elif name in _EMPTY:
            self.stack.append(Value(_EMPTY[name]))
        elif name in ("BINGET", "LONG_BINGET"):
            self.stack.append(self._memo[argument])
        elif name in ("BINPUT", "LONG_BINPUT"):
            self._memo[argument] = self._plain(self.stack[-1])
        elif name == "MARK":
            self.stack.append(_MARK)
        elif name == "GLOBAL":
            known = known_name(argument.replace(" ", "."))
            self.stack.append(Value(known, bare=known not in DTYPES))
        elif name in _OPERATIONS:
            _OPERATIONS[name](self)
        elif name == "STOP":
            self._plain(self.stack[-1])
        elif name != "PROTO":
            raise PickleError(f"its pickle has the operation {name}, which torch.save does not write")

    def tuple_of(self, count: int | None) -> None:
        """Replace the topmost values, ``count`` or those above the mark, by a tuple of them."""
        made = Value("tuple")
        made.items = self._pop_to_mark() if count is None else [self._pop() for _ in range(count)][::-1]
        for item in made.items:
            made.add(item)
        self.stack.append(made)

    def append(self, marked: bool) -> None:
        """Move the topmost value, or those above the mark, into the list below."""
        items = self._pop_to_mark() if marked else [self._pop()]
        for item in items:
            self._top("list").add(item)

    def set_items(self, marked: bool) -> None:
        """Move the topmost key and value, or those above the mark, into the mapping below."""
        items = self._pop_to_mark() if marked else [self._pop(), self._pop()][::-1]
        if len(items) % 2:
            raise PickleError("its pickle cannot be read: a key has no value")
        mapping = self._top("mapping", "ordered mapping")
        for key, value in zip(items[::2], items[1::2], strict=True):
            if isinstance(key, Value):
                raise PickleError(f"keys of mappings in it must be text or numbers; got a {key.kind}")
            mapping.add(key)
            mapping.add(value)
            mapping.items.append(key)

    def storage(self) -> None:
        """Replace the topmost tuple by the storage that it names."""
        named = self._pop()
        word, kind, key, location, count = items_of(named, "tuple", 5)
        if word != "storage" or not isinstance(kind, Value) or kind.kind not in ITEM_SIZES:
            raise PickleError("it refers to something other than a storage")
        if not (isinstance(key, str) and isinstance(location, str) and type(count) is int):
            raise PickleError("its reference to a storage must hold text for key and device, and a count")
        if not re.fullmatch(r"[a-z]+(:\d+)?", location) or location == "meta":
            raise PickleError(f"it has a storage on the unknown device {location!r}")
        if self._sizes.get(key) != count * ITEM_SIZES[kind.kind]:
            raise PickleError(f"its storage {key!r} is missing, or not of the size that the pickle says")
        if self._storages.setdefault(key, (kind.kind, count)) != (kind.kind, count):
            raise PickleError(f"its storage {key!r} has two types")
        self.stack.append(Value("storage", [kind.kind, count], bare=True))

    def call(self) -> None:
        """Replace a function and the tuple of its arguments above it by the result of the call."""
        arguments = self._pop()
        named = self._pop()
        if not isinstance(named, Value) or named.kind not in CALLS:
            raise PickleError(f"it calls {getattr(named, 'kind', 'a value')}")
        self.stack.append(Value(CALLS[named.kind](items_of(arguments, "tuple"))))

    def build(self) -> None:
        """Set the attributes of an ordered mapping: only ``_metadata``, which a module's state has."""
        state = self._pop()
        mapping = self._top("ordered mapping")
        if not isinstance(state, Value) or state.kind != "mapping" or state.items != ["_metadata"]:
            raise PickleError("it sets attributes of a mapping other than _metadata")
        mapping.add(state)

    def _top(self, *kinds: str) -> Value:
        value = self.stack[-1]
        if not isinstance(value, Value) or value.kind not in kinds:
            raise PickleError(f"its pickle cannot be read: there is no {' or '.join(kinds)} to add to")
        return value

    def _pop(self) -> Any:
        return self._plain(self.stack.pop())

    def _plain(self, value: Any) -> Any:
        if value is _MARK:
            raise PickleError("its pickle cannot be read: a value is missing")
        return value

    def _pop_to_mark(self) -> list[Any]:
        at = max(i for i, value in enumerate(self.stack) if value is _MARK)
        items = self.stack[at + 1 :]
        del self.stack[at:]
        return items


_CONSTANTS = {"NONE": None, "NEWTRUE": True, "NEWFALSE": False}
_ARGUMENTS = ("BININT", "BININT1", "BININT2", "LONG1", "BINFLOAT", "BINUNICODE")
_EMPTY = {"EMPTY_DICT": "mapping", "EMPTY_LIST": "list", "EMPTY_TUPLE": "tuple"}
_OPERATIONS: dict[str, Callable[[_Machine], None]] = {
    "TUPLE": lambda machine: machine.tuple_of(None),
    "TUPLE1": lambda machine: machine.tuple_of(1),
    "TUPLE2": lambda machine: machine.tuple_of(2),
    "TUPLE3": lambda machine: machine.tuple_of(3),
    "APPEND": lambda machine: machine.append(marked=False),
    "APPENDS": lambda machine: machine.append(marked=True),
    "SETITEM": lambda machine: machine.set_items(marked=False),
    "SETITEMS": lambda machine: machine.set_items(marked=True),
    "BINPERSID": _Machine.storage,
    "REDUCE": _Machine.call,
    "BUILD": _Machine.build,
}
