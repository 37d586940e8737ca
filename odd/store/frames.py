"""Conversion between pandas and DuckDB: input is checked against the schema, output has plain types.

Input: NaN and NA become NULL; list cells may be lists, tuples or arrays with None or NaN inside. Output: list cells
are NumPy arrays, with NaN for NULL inside a float list; a NULL list cell is None; a BLOB is bytes.
"""

from collections.abc import Hashable, Mapping
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa

from odd.store.schema import column_types, quote

_LISTS = {"INTEGER[]": np.int32, "FLOAT[]": np.float32, "DOUBLE[]": np.float64}
_WHOLE = ("INTEGER", "BIGINT")


def to_duckdb(table: str, rows: pd.DataFrame | list[dict[str, Any]]) -> pa.Table:
    """Convert rows to an Arrow table for insertion; from Arrow, DuckDB need not infer types cell by cell.

    Raises:
        ValueError: unknown table or column, or a value that its column cannot represent exactly.
    """
    columns = rows if isinstance(rows, pd.DataFrame) else _columns(rows)
    types = column_types(table)
    unknown = [str(name) for name in columns if name not in types]
    if unknown:
        raise ValueError(f"table {table} has no column {', '.join(unknown)}; columns: {', '.join(types)}")
    try:
        return pa.table({str(name): _column(name, cells, types[str(name)]) for name, cells in columns.items()})
    except (TypeError, ValueError, OverflowError) as error:
        raise ValueError(f"table {table}: {error}") from error


def _columns(rows: list[dict[str, Any]]) -> dict[str, list[Any]]:
    """Return the cells of each column; a column missing in a row is None."""
    names = dict.fromkeys(name for row in rows for name in row)
    return {name: [row.get(name) for row in rows] for name in names}


def _column(name: Hashable, cells: pd.Series | list[Any], type_: str) -> pa.Array | pa.ChunkedArray:
    """Convert one column to an Arrow array of the type that DuckDB expects."""
    if type_ in _LISTS:
        return _lists([_numbers(cell, type_, name) for cell in cells], type_)
    if type_ == "VARCHAR[]":
        return pa.array([_texts(cell, name) for cell in cells], pa.list_(pa.string()))
    if type_ == "VARCHAR":
        return _text_column(name, cells)
    if isinstance(cells, list) and set(map(type, cells)) in ({int}, {float}):
        return pa.array(cells, from_pandas=True)
    return pa.array(
        _plain_column(pd.Series(cells, dtype=getattr(cells, "dtype", object)), name, type_), from_pandas=True
    )


def _text_column(name: Hashable, cells: pd.Series | list[Any]) -> pa.Array | pa.ChunkedArray:
    """Convert a column of texts; the categories of a categorical one are converted once each."""
    if isinstance(cells, pd.Series) and isinstance(cells.dtype, pd.CategoricalDtype):
        return pa.array(cells.cat.rename_categories([_text(text, name) for text in cells.cat.categories]))
    return pa.array(
        [_text(cell, name) for cell in (cells if isinstance(cells, list) else cells.tolist())], pa.large_string()
    )


def _plain_column(column: pd.Series, name: Hashable, type_: str) -> pd.Series:
    """Convert one column of numbers, truth values or bytes."""
    if column.dtype == object and type_ not in ("BLOB", "BOOLEAN"):
        column = pd.Series(pd.to_numeric(column), index=column.index)
    if type_ in _WHOLE and pd.api.types.is_float_dtype(column.dtype) and bool((column.dropna() % 1 != 0).any()):
        raise ValueError(f"column {name} must contain integers, got a fraction")
    return column


def _lists(cells: list[np.ndarray | None], type_: str) -> pa.LargeListArray:
    """Concatenate typed arrays, one per cell; NaN becomes NULL."""
    missing = np.array([cell is None for cell in cells], dtype=bool)
    offsets = np.cumsum([0, *(0 if cell is None else len(cell) for cell in cells)], dtype=np.int64)
    values = np.concatenate([cell for cell in cells if cell is not None] or [np.empty(0, _LISTS[type_])])
    return pa.LargeListArray.from_arrays(offsets, pa.array(values, from_pandas=True), mask=pa.array(missing))


def _listed(cell: Any, name: object) -> bool:
    """Whether a cell is a list; False if it is missing."""
    if isinstance(cell, list | tuple | np.ndarray):
        return True
    if not pd.isna(cell):
        raise ValueError(f"column {name} must contain lists, got {type(cell).__name__}")
    return False


def _texts(cell: Any, name: object) -> list[str | None] | None:
    """Convert a list of texts."""
    return [_text(text, name) for text in cell] if _listed(cell, name) else None


def _numbers(cell: Any, type_: str, name: object) -> np.ndarray | None:
    """Convert a list of numbers to a typed array."""
    if type(cell) is np.ndarray and cell.ndim == 1 and cell.dtype == _LISTS[type_]:
        return cell
    if not _listed(cell, name):
        return None
    array = np.asarray(cell)
    if type_ == "INTEGER[]" and array.size and array.dtype.kind not in "iu":
        raise ValueError(f"column {name} must contain lists of integers, got {array.dtype}")
    if array.ndim != 1:
        raise ValueError(f"column {name} must contain lists, got shape {array.shape}")
    converted = array.astype(_LISTS[type_])
    if type_ == "INTEGER[]" and (converted != array).any():
        raise ValueError(f"column {name} must contain 32-bit integers, got {array.min()} to {array.max()}")
    return converted


def _text(cell: Any, name: object) -> str | None:
    """Convert a text cell. Lone surrogates, which model output or JSON may contain, are not UTF-8 and become '?'."""
    if isinstance(cell, str):
        return cell if cell.isascii() else cell.encode("utf-8", "replace").decode("utf-8")
    if pd.isna(cell):
        return None
    raise ValueError(f"column {name} must contain text, got {type(cell).__name__}")


def from_duckdb(frame: pd.DataFrame) -> pd.DataFrame:
    """Convert the text, list and BLOB cells of a result to plain types."""
    for name in frame.columns[[dtype.kind == "O" for dtype in frame.dtypes]]:
        column = frame[name]
        if isinstance(column.dtype, pd.StringDtype):
            frame[name] = column.astype(object).where(column.notna(), None)
        else:
            frame[name] = pd.Series([_plain(cell) for cell in column], index=frame.index, dtype=object)
    return frame


def _plain(cell: Any) -> Any:
    """Convert one list or BLOB cell."""
    if isinstance(cell, np.ma.MaskedArray):
        if cell.dtype.kind == "f":
            return cell.filled(np.nan)
        return np.array(cell.tolist(), dtype=object)
    if isinstance(cell, bytearray):
        return bytes(cell)
    return None if cell is pd.NA else cell


def plain_columns(table: pa.Table) -> dict[str, list[Any]]:
    """Convert the columns of a result; lists of numbers become arrays that share memory, with NaN for NULL inside."""
    return {
        name: [cell for chunk in column.chunks for cell in _cells(chunk)]
        for name, column in zip(table.column_names, table.columns, strict=True)
    }


def _cells(array: pa.Array) -> list[Any]:
    """Convert the cells of a column."""
    if not (pa.types.is_list(array.type) or pa.types.is_large_list(array.type)):
        return array.to_pylist()
    values, offsets = array.values.to_numpy(zero_copy_only=False), array.offsets.to_numpy().tolist()
    missing = array.is_null().to_numpy(zero_copy_only=False).tolist()
    return [
        None if null else values[start:end] for null, start, end in zip(missing, offsets, offsets[1:], strict=False)
    ]


def condition(table: str, equals: Mapping[str, Any]) -> tuple[str, list[Any]]:
    """Return an SQL condition with placeholders, and its values; true for all rows if `equals` is empty.

    Raises:
        ValueError: unknown table or column.
    """
    unknown = [name for name in equals if name not in column_types(table)]
    if unknown:
        raise ValueError(f"table {table} has no column {', '.join(unknown)}")
    text = " AND ".join(f"{quote(name)} IS NOT DISTINCT FROM ?" for name in equals)
    return text or "true", [scalar(value) for value in equals.values()]


def scalar(value: Any) -> Any:
    """Convert a NumPy scalar to the Python scalar that DuckDB accepts."""
    return value.item() if isinstance(value, np.generic) else value
