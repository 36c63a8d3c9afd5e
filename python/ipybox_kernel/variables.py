"""Variables on their way out of a kernel and into it.

What JSON has goes as it is. Bytes and arrays travel as buffers of the message. Whatever JSON lacks is an
object with the key ``$``, whose value tells what it is; ``src/variables.ts`` is the other side.
"""

import array
import datetime
import decimal
import io
import math
import sys
from typing import Any

from IPython.core.interactiveshell import InteractiveShell

Buffers = list[tuple[list, bytes]]

SAFE_INTEGER = 2**53 - 1
_MAX_DEPTH = 200
_REMEDY = "convert it in a cell first, for instance to a list, a dict, bytes, a NumPy array or a DataFrame"


def get(shell: InteractiveShell, request: dict) -> tuple[dict, Buffers]:
    """The content of a ``get_reply``."""
    name = request["name"]
    if name not in shell.user_ns:
        raise NameError(f"name {name!r} is not defined")
    encoder = _Encoder()
    value = shell.user_ns[name]
    form = request.get("as")
    encoded: Any = None
    if form == "arrow":
        encoder.buffer(to_arrow(value), ["value"])
    elif form == "rows":
        encoded = encoder.encode(to_rows(value), ["value"], 0)
    else:
        encoded = encoder.encode(value, ["value"], 0)
    return {"type": "get_reply", "status": "ok", "value": encoded}, encoder.buffers


def set_(shell: InteractiveShell, request: dict) -> dict:
    """Binds a name to a value, as an assignment in a cell does."""
    value = decode(request["value"])
    form = request.get("as")
    if form == "arrow":
        value = _from_arrow(value)
    elif form == "rows":
        import pandas

        value = pandas.DataFrame.from_records(value)
    shell.user_ns[request["name"]] = value
    shell.user_ns_hidden.pop(request["name"], None)
    return {"type": "set_reply", "status": "ok"}


def encode(value: Any, path: list) -> tuple[Any, Buffers]:
    """A value as a message has it at ``path``, and its bytes."""
    encoder = _Encoder()
    return encoder.encode(value, path, 0), encoder.buffers


def describe_all(shell: InteractiveShell) -> dict:
    """The content of a ``variables_reply``: what the user has bound, without what IPython brings."""
    hidden = shell.user_ns_hidden
    missing = object()
    names = [
        name
        for name, value in list(shell.user_ns.items())
        if not name.startswith("_") and (hidden.get(name, missing) is not value)
    ]
    return {
        "type": "variables_reply",
        "status": "ok",
        "variables": [_describe(name, shell.user_ns[name]) for name in sorted(names)],
    }


def _describe(name: str, value: Any) -> dict:
    kind = type(value)
    shape = getattr(value, "shape", None) if _package(value) in ("numpy", "pandas", "polars", "torch") else None
    return {
        "name": name,
        "type": kind.__qualname__,
        "module": kind.__module__,
        "sizeBytes": _size(value),
        "length": len(value) if isinstance(value, (str, bytes, bytearray, list, tuple, dict, set, frozenset)) else None,
        "shape": [int(extent) for extent in shape] if isinstance(shape, tuple) else None,
    }


def _size(value: Any) -> int:
    """Bytes that the value itself takes, without what it refers to; of arrays and tables, their data."""
    package = _package(value)
    try:
        if package == "pandas" and hasattr(value, "memory_usage"):
            usage = value.memory_usage(deep=False)
            return int(usage if isinstance(usage, int) else usage.sum())
        if package == "polars" and hasattr(value, "estimated_size"):
            return int(value.estimated_size())
        if package in ("numpy", "pyarrow") and hasattr(value, "nbytes"):
            return int(value.nbytes)
        return sys.getsizeof(value)
    except Exception:  # a user's own __sizeof__
        return 0


def _package(value: Any) -> str:
    return type(value).__module__.partition(".")[0]


class _Encoder:
    """Gives a value as JSON has it, and gathers the bytes with the place they belong at."""

    def __init__(self) -> None:
        self.buffers: Buffers = []

    def buffer(self, data: bytes, path: list) -> None:
        self.buffers.append((path, data))

    def encode(self, value: Any, path: list, depth: int) -> Any:
        if depth > _MAX_DEPTH:
            raise ValueError(f"the value is nested more than {_MAX_DEPTH} deep, or contains itself")
        if value is None or isinstance(value, (bool, str)):
            return value
        if isinstance(value, int):
            return int(value) if abs(value) <= SAFE_INTEGER else {"$": "bigint", "value": str(int(value))}
        if isinstance(value, float):
            return float(value) if math.isfinite(value) else {"$": "float", "value": repr(float(value))}
        if isinstance(value, (bytes, bytearray, memoryview)):
            return self.buffer(bytes(value), path)
        if isinstance(value, dict):
            return self._object(value, path, depth)
        if isinstance(value, (list, tuple, set, frozenset)):
            return [self.encode(item, [*path, str(index)], depth + 1) for index, item in enumerate(value)]
        if isinstance(value, (datetime.datetime, datetime.date, datetime.time)):
            return value.isoformat()
        if isinstance(value, decimal.Decimal):
            return str(value)
        if isinstance(value, array.array):
            return self._array(value.typecode, value.itemsize, [len(value)], value.tobytes(), path)
        return self._of_package(value, path, depth)

    def _object(self, value: dict, path: list, depth: int) -> dict:
        if "$" in value:
            entries = self._items(value, [*path, "value"], depth)
            return {"$": "object", "value": entries}
        return self._items(value, path, depth)

    def _items(self, value: dict, path: list, depth: int) -> dict:
        encoded = {}
        for key, item in value.items():
            if not isinstance(key, (str, int, float, bool)) and key is not None:
                raise TypeError(f"a key of type {type(key).__name__} has no counterpart; {_REMEDY}")
            name = key if isinstance(key, str) else str(key)
            encoded[name] = self.encode(item, [*path, name], depth + 1)
        return encoded

    def _array(self, typecode: str, itemsize: int, shape: list[int], data: bytes, path: list) -> dict:
        kind = "u" if typecode in "BHILQ" else "f" if typecode in "fd" else "i"
        self.buffer(data, [*path, "data"])
        return {"$": "array", "dtype": f"{kind}{itemsize}", "shape": shape}

    def _of_package(self, value: Any, path: list, depth: int) -> Any:
        package = _package(value)
        if package == "numpy":
            return self._numpy(value, path, depth)
        if package in ("pandas", "polars", "pyarrow"):
            if getattr(value, "ndim", 2) == 1 or type(value).__name__ in ("Array", "ChunkedArray"):
                items = value.to_list() if hasattr(value, "to_list") else value.to_pylist()
                return self.encode([_plain(item) for item in items], path, depth + 1)
            if hasattr(value, "isoformat"):
                return value.isoformat()
            if hasattr(value, "columns"):
                return self.encode(to_rows(value), path, depth + 1)
        raise TypeError(f"a value of type {type(value).__qualname__} has no counterpart; {_REMEDY}")

    def _numpy(self, value: Any, path: list, depth: int) -> Any:
        import numpy

        if isinstance(value, numpy.generic):
            return self.encode(_plain(value), path, depth + 1)
        kind, size = value.dtype.kind, value.dtype.itemsize
        if kind == "f" and size not in (4, 8):
            value, size = value.astype("f4" if size < 4 else "f8"), 4 if size < 4 else 8
        if kind == "b":
            kind, value = "u", value.view("u1")
        if kind in "iuf":
            data = numpy.ascontiguousarray(value, dtype=value.dtype.newbyteorder("<")).tobytes()
            self.buffer(data, [*path, "data"])
            return {"$": "array", "dtype": f"{kind}{size}", "shape": list(value.shape)}
        if kind == "M":
            return self.encode(numpy.datetime_as_string(value).tolist(), path, depth + 1)
        if kind in "OUS":
            return self.encode(value.tolist(), path, depth + 1)
        raise TypeError(f"an array of dtype {value.dtype} has no counterpart; {_REMEDY}")


def _plain(value: Any) -> Any:
    """A cell of a table as Python's own type; what is missing becomes None."""
    package = _package(value)
    if package == "pandas":
        return None if type(value).__name__ in ("NAType", "NaTType") else value.isoformat()
    if package == "numpy" and hasattr(value, "dtype"):
        return str(value) if value.dtype.kind == "M" else value.item()
    return value


def to_rows(value: Any) -> list[dict]:
    package = _package(value)
    if package == "pandas" and hasattr(value, "columns"):
        columns = [str(column) for column in value.columns]
        data = [[_missing(_plain(item)) for item in value.iloc[:, index].tolist()] for index in range(len(columns))]
        return [dict(zip(columns, row, strict=True)) for row in zip(*data, strict=True)]
    if package == "polars" and hasattr(value, "to_dicts"):
        return value.to_dicts()
    if package == "pyarrow" and hasattr(value, "to_pylist"):
        return value.to_pylist()
    raise TypeError(f"a value of type {type(value).__qualname__} is no table: rows are had of pandas, polars and pyarrow")


def _missing(value: Any) -> Any:
    return None if isinstance(value, float) and math.isnan(value) else value


def to_arrow(value: Any) -> bytes:
    """The table as an Arrow IPC stream."""
    package = _package(value)
    sink = io.BytesIO()
    if package == "polars" and hasattr(value, "write_ipc_stream"):
        value.write_ipc_stream(sink)
        return sink.getvalue()
    try:
        import pyarrow
    except ImportError as error:
        raise ImportError("Arrow needs pyarrow in the sandbox: run `%pip install pyarrow` first") from error
    if package == "pandas":
        value = pyarrow.Table.from_pandas(value)
    if not isinstance(value, (pyarrow.Table, pyarrow.RecordBatch)):
        raise TypeError(f"a value of type {type(value).__qualname__} is no table: Arrow is had of pandas, polars and pyarrow")
    with pyarrow.ipc.new_stream(sink, value.schema) as writer:
        writer.write(value)
    return sink.getvalue()


def _from_arrow(data: bytes) -> Any:
    """A DataFrame where pandas is installed, else a pyarrow Table."""
    try:
        import pyarrow
    except ImportError as error:
        raise ImportError("Arrow needs pyarrow in the sandbox: run `%pip install pyarrow` first") from error
    table = pyarrow.ipc.open_stream(io.BytesIO(data)).read_all()
    try:
        import pandas  # noqa: F401
    except ImportError:
        return table
    return table.to_pandas()


_TYPECODES = {"i1": "b", "u1": "B", "i2": "h", "u2": "H", "i4": "i", "u4": "I", "i8": "q", "u8": "Q", "f4": "f", "f8": "d"}


def decode(value: Any) -> Any:
    """The other way round: a value as a message has it."""
    if isinstance(value, list):
        return [decode(item) for item in value]
    if not isinstance(value, dict):
        return value
    kind = value.get("$")
    if kind is None:
        return {key: decode(item) for key, item in value.items()}
    if kind == "object":
        return {key: decode(item) for key, item in value["value"].items()}
    if kind == "bigint":
        return int(value["value"])
    if kind == "float":
        return float(value["value"])
    if kind == "date":
        return datetime.datetime.fromisoformat(value["value"])
    if kind == "array":
        return _decode_array(value["dtype"], value["shape"], value["data"])
    raise TypeError(f"a value of the unknown kind {kind!r}")


def _decode_array(dtype: str, shape: list[int], data: bytes) -> Any:
    """A NumPy array where that is installed, else an ``array.array``."""
    try:
        import numpy
    except ImportError:
        if len(shape) != 1:
            raise ImportError("an array of more than one dimension needs NumPy in the sandbox") from None
        flat = array.array(_TYPECODES[dtype])
        flat.frombytes(data)
        return flat
    return numpy.frombuffer(data, dtype=f"<{dtype}").reshape(shape).copy()
