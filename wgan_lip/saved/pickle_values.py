"""Descriptions of what a pickle of torch.save may build: plain values, storages, and the calls that make tensors."""

import math
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import torch

_MOST_VALUES = 1 << 27
_DEEPEST = 100
MOST_INTEGER = 1 << 63


class PickleError(ValueError):
    """A pickle that would build something other than tensors and plain values, or is damaged."""


@dataclass
class Value:
    """The description of a value that an operation would build.

    Attributes:
        kind: "mapping", "list", "tuple", "ordered mapping", "storage", "tensor", "parameter" or the name of a global.
        items: the items of a tuple, the dtype and count of a storage, the keys of a mapping.
        depth: of nesting.
        size: the number of values in it; shared ones count each time.
        closed: whether it is a part of another value, and must not change any more.
        bare: whether it serves only as an argument, as a storage does, and must not be in the result.
    """

    kind: str
    items: list[Any] = field(default_factory=list)
    depth: int = 1
    size: int = 1
    closed: bool = False
    bare: bool = False

    def add(self, part: Any) -> None:
        """Make a value a part of this one, and close it."""
        if self.closed or part is self:
            raise PickleError("a value in it holds itself, or is changed after it was used")
        if isinstance(part, Value):
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
        if self.size > _MOST_VALUES:
            raise PickleError(f"it holds more than {_MOST_VALUES} values, counting shared ones each time")


def items_of(value: Any, kind: str, count: int | None = None) -> list[Any]:
    """Return the items of a value of a given kind and, unless None, of a given count; raise PickleError otherwise."""
    if not isinstance(value, Value) or value.kind != kind or count not in (None, len(value.items)):
        raise PickleError("it calls a function with arguments that torch.save does not write")
    return value.items


def _tensor(arguments: list[Any]) -> str:
    """Check that a tensor lies within its storage and has no more elements than the storage."""
    storage, offset, size, stride, requires_grad, hooks, *more = arguments
    kind, count = items_of(storage, "storage", 2)
    if more and isinstance(more[0], Value) and more[0].kind in DTYPES:
        # Storages of newer dtypes are counted in bytes.
        width = getattr(torch, more.pop(0).kind.removeprefix("torch.")).itemsize
        count = count * ITEM_SIZES[kind] // width
    sizes, strides = items_of(size, "tuple"), items_of(stride, "tuple")
    whole = [offset, *sizes, *strides]
    if not all(type(n) is int and n >= 0 for n in whole) or len(sizes) != len(strides):
        raise PickleError("it has a tensor of an impossible shape")
    if type(requires_grad) is not bool or more or items_of(hooks, "ordered mapping"):
        raise PickleError("it has a tensor with hooks or attributes")
    last = offset + sum((n - 1) * step for n, step in zip(sizes, strides, strict=True))
    elements = math.prod(sizes)
    if elements and last >= count:
        raise PickleError(f"it has a tensor that ends at number {last} of a storage of {count}")
    if elements > count:
        raise PickleError(
            f"it has a tensor of {elements} numbers, of which {count} are stored: save .clone() of an expanded tensor"
        )
    if not elements and max(sizes) >= MOST_INTEGER:
        raise PickleError("it has a tensor of an impossible shape")
    return "tensor"


def _parameter(arguments: list[Any]) -> str:
    data, requires_grad, hooks = arguments
    if not isinstance(data, Value) or data.kind != "tensor" or type(requires_grad) is not bool:
        raise PickleError("it has a parameter that does not hold a tensor")
    if items_of(hooks, "ordered mapping"):
        raise PickleError("it has a parameter with hooks")
    return "parameter"


def _ordered(arguments: list[Any]) -> str:
    if arguments:
        raise PickleError("it makes an ordered mapping from another value")
    return "ordered mapping"


def _shape(arguments: list[Any]) -> str:
    (sizes,) = arguments
    if not all(type(n) is int for n in items_of(sizes, "tuple")):
        raise PickleError("it has a shape of other values than integers")
    return "shape"


def _device(arguments: list[Any]) -> str:
    if not arguments or arguments[0] not in ("cpu", "cuda") or any(type(n) is not int for n in arguments[1:]):
        raise PickleError("it names an unknown device")
    return "device"


# Bytes of a number in each class of storage.
ITEM_SIZES = {
    **dict.fromkeys(("torch.storage.UntypedStorage", "torch.BoolStorage", "torch.ByteStorage", "torch.CharStorage"), 1),
    **dict.fromkeys(("torch.HalfStorage", "torch.BFloat16Storage", "torch.ShortStorage"), 2),
    **dict.fromkeys(("torch.FloatStorage", "torch.IntStorage"), 4),
    **dict.fromkeys(("torch.DoubleStorage", "torch.LongStorage", "torch.ComplexFloatStorage"), 8),
    "torch.ComplexDoubleStorage": 16,
}
DTYPES = {str(value) for value in vars(torch).values() if isinstance(value, torch.dtype)}
CALLS: dict[str, Callable[[list[Any]], str]] = {
    "collections.OrderedDict": _ordered,
    "torch._utils._rebuild_tensor_v2": _tensor,
    "torch._utils._rebuild_tensor_v3": _tensor,
    "torch._utils._rebuild_parameter": _parameter,
    "torch.Size": _shape,
    "torch.device": _device,
}
# The names in errors of what else torch.save writes.
_REFUSED = {
    "torch._utils._rebuild_sparse_tensor": "a sparse tensor",
    "torch._utils._rebuild_qtensor": "a quantised tensor",
    "torch._utils._rebuild_nested_tensor": "a nested tensor",
    "torch._utils._rebuild_meta_tensor_no_storage": "a tensor without numbers (device meta)",
    "torch._utils._rebuild_wrapper_subclass": "a tensor of another class",
    "torch._tensor._rebuild_from_type_v2": "a tensor of another class, or with attributes",
    "torch._utils._rebuild_parameter_with_state": "a parameter with attributes",
}


def known_name(name: str) -> str:
    """Return the name of a global that a pickle may use; raise PickleError for any other."""
    if name in CALLS or name in ITEM_SIZES or name in DTYPES:
        return name
    raise PickleError(f"it holds {_REFUSED.get(name, name)}: only dense tensors and plain values are loaded")
