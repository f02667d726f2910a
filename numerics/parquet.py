"""Parquet files as tables, read in pieces, so that none takes more memory than there is."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from epsrank.numerics.boundary import refuse_beyond_memory

if TYPE_CHECKING:
    import pyarrow as pa

# Bytes of one value, where a file says only how many there are.
_VALUE = 8
# Rows read at a time.
_PIECE = 4096


def read_columns(file: Any, label: str, only: str | None = None) -> pa.Table:
    """Return all columns of an open file, or one."""
    import pyarrow as pa

    _refuse_large(file, label, only)
    names = None if only is None else [only]
    pieces, size = [], 0
    # In one thread: a pool still starting up aborts a process that ends right after Ctrl-C.
    for piece in file.iter_batches(batch_size=_PIECE, columns=names, use_threads=False):
        pieces.append(piece)
        size += piece.nbytes
        # Only values tell how long lists and texts are.
        refuse_beyond_memory(size, label)
    kinds = file.schema_arrow if only is None else pa.schema([file.schema_arrow.field(only)])
    return pa.Table.from_batches(pieces, kinds)


def _refuse_large(file: Any, label: str, only: str | None) -> None:
    """Refuse a file whose footer declares more than fits into memory, before any of it is read.

    The footer's entries for single columns would say more; but where one is damaged, PyArrow ends
    the process when it is asked for them (an exception of C++ that nobody catches).
    """
    kinds, rows = file.schema_arrow, file.metadata.num_rows
    size = 0
    for field in kinds:
        if only in (None, field.name):
            # A constant column is stored as one value and a count: few bytes, many numbers. Of
            # lists of one length even a missing one has all its places.
            size += rows * max(1, getattr(field.type, "list_size", 1)) * _VALUE
    refuse_beyond_memory(max(0, size), label)
