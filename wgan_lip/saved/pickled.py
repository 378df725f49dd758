"""What the pickle in an archive of torch.save would build, seen before any of it is built."""

import math
import pickletools
import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

import torch

# Note [what may be built]
# torch.load(weights_only=True) calls functions that the pickle names with arguments that it gives: of known ones only,
# but some take memory or time without bound (bytearray(10**15), a tensor that claims more than its storage holds), and
# deep or shared values take either later, where they are printed, compared or hashed. So the pickle is read once
# without building anything. It may make tensors of the archive's own storages and plain values: text, numbers, None,
# lists, tuples and mappings, nested a hundredfold at most, unfolded no larger than a limit, and none within itself.


class PickleError(ValueError):
    """Why a pickle is not built."""


_MOST_BYTES = 1 << 26
_MOST_UNFOLDED = 1 << 27
_DEEPEST = 100
_MOST_INTEGER = 1 << 63


@dataclass
class _Value:
    """What an operation would build.

    Attributes:
        kind: "mapping", "list", "tuple", "ordered mapping", "storage", "tensor", "parameter" or the name of a global.
        items: of a tuple; the numbers of a storage; the keys of a mapping.
        depth: of nesting.
        size: unfolded, where what is shared counts each time.
        closed: whether it is a part of something.
        bare: whether it only serves to make something, as a storage does.
    """

    kind: str
    items: list[Any] = field(default_factory=list)
    depth: int = 1
    size: int = 1
    closed: bool = False
    bare: bool = False

    def take(self, part: Any) -> None:
        """Have a part, which cannot change any more."""
        if self.closed or part is self:
            raise PickleError("a value in it holds itself, or is changed after it was used")
        if isinstance(part, _Value):
            if part.bare and self.kind != "tuple":
                raise PickleError(f"it holds {part.kind}, which is neither a tensor nor a plain value")
            part.closed = True
            self.bare |= part.bare
            self.depth = max(self.depth, part.depth + 1)
            self.size += part.size
        else:
            self.size += 1 + (len(part) if isinstance(part, str) else 0)
        if self.depth > _DEEPEST:
            raise PickleError(f"its values are nested more than {_DEEPEST} deep")
        if self.size > _MOST_UNFOLDED:
            raise PickleError("its values would be too large")


class _Mark:
    """Where a group of operands begins."""


def check_pickle(content: bytes, sizes: Mapping[str, int]) -> None:
    """See that a pickle makes tensors and plain values only; see the note above.

    Args:
        content: the pickle.
        sizes: bytes of each storage, by its key.

    Raises:
        PickleError: it makes something else, or is none.
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
        # Whatever it is that the bytes are not.
        raise PickleError(f"its pickle cannot be read: {type(error).__name__}: {error}") from None
    if len(machine.stack) != 1 or getattr(machine.stack[0], "bare", False):
        raise PickleError("its pickle cannot be read: it does not end with one value")


class _Machine:
    """The stack and the memory of a pickle's operations."""

    def __init__(self, sizes: Mapping[str, int]) -> None:
        self.stack: list[Any] = []
        self._memory: dict[int, Any] = {}
        self._sizes = sizes
        self._storages: dict[str, tuple[str, int]] = {}

    def run(self, name: str, argument: Any) -> None:
        """Do one operation."""
        if name in _CONSTANTS:
            self.stack.append(_CONSTANTS[name])
        elif name in _ARGUMENTS:
            if isinstance(argument, int) and not -_MOST_INTEGER <= argument < _MOST_INTEGER:
                raise PickleError("it holds an integer of more than 64 bits")
            self.stack.append(argument)
        elif name in _EMPTY:
            self.stack.append(_Value(_EMPTY[name]))
        elif name in ("BINGET", "LONG_BINGET"):
            self.stack.append(self._memory[argument])
        elif name in ("BINPUT", "LONG_BINPUT"):
            self._memory[argument] = self._plain(self.stack[-1])
        elif name == "MARK":
            self.stack.append(_Mark())
        elif name == "GLOBAL":
            known = _known(argument.replace(" ", "."))
            self.stack.append(_Value(known, bare=known not in _DTYPES))
        elif name in _OPERATIONS:
            _OPERATIONS[name](self)
        elif name == "STOP":
            self._plain(self.stack[-1])
        elif name != "PROTO":
            raise PickleError(f"its pickle has the operation {name}, which those of torch.save have not")

    def tuple_of(self, count: int | None) -> None:
        """Make a tuple of the topmost values."""
        made = _Value("tuple")
        made.items = self._marked() if count is None else [self._pop() for _ in range(count)][::-1]
        for item in made.items:
            made.take(item)
        self.stack.append(made)

    def append(self, marked: bool) -> None:
        """Put the topmost values into the list below them."""
        items = self._marked() if marked else [self._pop()]
        for item in items:
            self._top("list").take(item)

    def set_items(self, marked: bool) -> None:
        """Put the topmost keys and values into the mapping below them."""
        items = self._marked() if marked else [self._pop(), self._pop()][::-1]
        if len(items) % 2:
            raise PickleError("its pickle cannot be read: a key has no value")
        mapping = self._top("mapping", "ordered mapping")
        for key, value in zip(items[::2], items[1::2], strict=True):
            if isinstance(key, _Value):
                raise PickleError(f"a mapping in it has a {key.kind} for a key, which must be text or a number")
            mapping.take(key)
            mapping.take(value)
            mapping.items.append(key)

    def storage(self) -> None:
        """Find the storage that the topmost tuple names."""
        named = self._pop()
        word, kind, key, location, count = _items(named, "tuple", 5)
        if word != "storage" or not isinstance(kind, _Value) or kind.kind not in _ITEM_SIZES:
            raise PickleError("it names something that is no storage")
        if not (isinstance(key, str) and isinstance(location, str) and type(count) is int):
            raise PickleError("it names a storage by something else than text")
        if not re.fullmatch(r"[a-z]+(:\d+)?", location) or location == "meta":
            raise PickleError(f"it has a storage on the device {location!r}")
        if self._sizes.get(key) != count * _ITEM_SIZES[kind.kind]:
            raise PickleError(f"its storage {key!r} is missing, or of another size than it says")
        if self._storages.setdefault(key, (kind.kind, count)) != (kind.kind, count):
            raise PickleError(f"its storage {key!r} is of two kinds")
        self.stack.append(_Value("storage", [kind.kind, count], bare=True))

    def call(self) -> None:
        """Call what is below the topmost tuple with its items."""
        arguments = self._pop()
        named = self._pop()
        if not isinstance(named, _Value) or named.kind not in _CALLS:
            raise PickleError(f"it calls {getattr(named, 'kind', 'a value')}")
        made = _Value(_CALLS[named.kind](_items(arguments, "tuple")))
        # Not what it is made of, which is checked: a mapping of hooks, sizes.
        self.stack.append(made)

    def build(self) -> None:
        """Give an ordered mapping its attributes: that of a module's state has _metadata."""
        state = self._pop()
        mapping = self._top("ordered mapping")
        if not isinstance(state, _Value) or state.kind != "mapping" or state.items != ["_metadata"]:
            raise PickleError("it gives a mapping attributes that a module's state has not")
        mapping.take(state)

    def _top(self, *kinds: str) -> _Value:
        value = self.stack[-1]
        if not isinstance(value, _Value) or value.kind not in kinds:
            raise PickleError(f"its pickle cannot be read: there is no {' or '.join(kinds)} to put something into")
        return value

    def _pop(self) -> Any:
        return self._plain(self.stack.pop())

    def _plain(self, value: Any) -> Any:
        if isinstance(value, _Mark):
            raise PickleError("its pickle cannot be read: a value is missing")
        return value

    def _marked(self) -> list[Any]:
        at = max(i for i, value in enumerate(self.stack) if isinstance(value, _Mark))
        items = self.stack[at + 1 :]
        del self.stack[at:]
        return items


def _items(value: Any, kind: str, count: int | None = None) -> list[Any]:
    if not isinstance(value, _Value) or value.kind != kind or count not in (None, len(value.items)):
        raise PickleError("it calls something with other arguments than torch.save gives")
    return value.items


def _tensor(arguments: list[Any]) -> str:
    """A tensor within its storage, each of whose elements has a place of its own."""
    storage, offset, size, stride, requires_grad, hooks, *more = arguments
    kind, count = _items(storage, "storage", 2)
    if more and isinstance(more[0], _Value) and more[0].kind in _DTYPES:
        # Of types of numbers that came late, by bytes.
        width = getattr(torch, more.pop(0).kind.removeprefix("torch.")).itemsize
        count = count * _ITEM_SIZES[kind] // width
    sizes, strides = _items(size, "tuple"), _items(stride, "tuple")
    whole = [offset, *sizes, *strides]
    if not all(type(n) is int and n >= 0 for n in whole) or len(sizes) != len(strides):
        raise PickleError("it has a tensor whose shape is no shape")
    if type(requires_grad) is not bool or more or _items(hooks, "ordered mapping"):
        raise PickleError("it has a tensor with something attached to it")
    last = offset + sum((n - 1) * step for n, step in zip(sizes, strides, strict=True))
    elements = math.prod(sizes)
    if elements and last >= count:
        raise PickleError(f"it has a tensor that ends at number {last} of the {count} that are there")
    if elements > count:
        raise PickleError(
            f"it has a tensor of {elements} numbers, of which {count} are there: of an expanded tensor save .clone()"
        )
    if not elements and max(sizes) >= _MOST_INTEGER:
        raise PickleError("it has a tensor whose shape is no shape")
    return "tensor"


def _parameter(arguments: list[Any]) -> str:
    data, requires_grad, hooks = arguments
    if not isinstance(data, _Value) or data.kind != "tensor" or type(requires_grad) is not bool:
        raise PickleError("it has a parameter that is no tensor")
    if _items(hooks, "ordered mapping"):
        raise PickleError("it has a parameter with something attached to it")
    return "parameter"


def _ordered(arguments: list[Any]) -> str:
    if arguments:
        raise PickleError("it has a mapping that is made of something else")
    return "ordered mapping"


def _shape(arguments: list[Any]) -> str:
    (sizes,) = arguments
    if not all(type(n) is int for n in _items(sizes, "tuple")):
        raise PickleError("it has a shape that is none")
    return "shape"


def _device(arguments: list[Any]) -> str:
    if not arguments or arguments[0] not in ("cpu", "cuda") or any(type(n) is not int for n in arguments[1:]):
        raise PickleError("it names a device that is none")
    return "device"


def _storages() -> Iterator[tuple[str, int]]:
    for dtype, name in torch.storage._dtype_to_storage_type_map().items():
        if not name.startswith("Q"):
            yield f"torch.{name}", dtype.itemsize
    yield "torch.storage.UntypedStorage", 1


_ITEM_SIZES = dict(_storages())
_DTYPES = {str(value) for value in vars(torch).values() if isinstance(value, torch.dtype)}
_CALLS: dict[str, Callable[[list[Any]], str]] = {
    "collections.OrderedDict": _ordered,
    "torch._utils._rebuild_tensor_v2": _tensor,
    "torch._utils._rebuild_tensor_v3": _tensor,
    "torch._utils._rebuild_parameter": _parameter,
    "torch.Size": _shape,
    "torch.device": _device,
}
# What else torch.save writes, in the words of who reads that it is not loaded.
_REFUSED = {
    "torch._utils._rebuild_sparse_tensor": "a sparse tensor",
    "torch._utils._rebuild_qtensor": "a quantised tensor",
    "torch._utils._rebuild_nested_tensor": "a nested tensor",
    "torch._utils._rebuild_meta_tensor_no_storage": "a tensor without numbers (device meta)",
    "torch._utils._rebuild_wrapper_subclass": "a tensor of another class",
    "torch._tensor._rebuild_from_type_v2": "a tensor of another class, or with attributes",
    "torch._utils._rebuild_parameter_with_state": "a parameter with attributes",
}


def _known(name: str) -> str:
    if name in _CALLS or name in _ITEM_SIZES or name in _DTYPES:
        return name
    raise PickleError(f"it holds {_REFUSED.get(name, name)}: only dense tensors and plain values are loaded")


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
