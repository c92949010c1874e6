# Licensed under a 3-clause BSD style license - see licenses/LICENSE.rst
"""
Tables of any length: read and written some rows at a time.
"""

import io
import os
from pathlib import Path

from astropy import units as u
from astropy.io import fits
from astropy.table import Column, MaskedColumn, Table, vstack
from astropy.utils.masked import Masked

from galmorph.core import CatalogError, GalmorphError, import_optional
from galmorph.tables import _formats
from galmorph.tables.io import format_of, read_table, write_safely

__all__ = ["LongTable", "write_chunks"]


class LongTable:
    """
    A table that is read some rows at a time, where its format can.

    Parquet and FITS are; of other formats the whole is read at once.

    Parameters
    ----------
    source : `~astropy.table.Table` or path-like
        A table, or its file in a format that `read_table` reads.

    Attributes
    ----------
    path : `~pathlib.Path` or None
        The file.
    table : `~astropy.table.Table` or None
        The whole table, where it is in memory.

    Raises
    ------
    CatalogError
        If there is no such file, or if it cannot be read.

    Examples
    --------
    >>> from astropy.table import Table
    >>> from galmorph.tables import LongTable
    >>> table = LongTable(Table({"x": [1, 2, 3]}))
    >>> len(table), [len(chunk) for chunk in table.chunks(2)]
    (3, [2, 1])
    """

    def __init__(self, source):
        self.path = self.table = None
        self._chunks = self._chunks_of_table
        if isinstance(source, Table):
            self.table = source
        else:
            self.path = Path(source)
            format = format_of(self.path, more={".csv": "ascii.csv"})
            if not self.path.is_file():
                raise CatalogError(f"path: there is no file {str(source)!r}")
            readers = {"fits": self._open_fits, "parquet": self._open_parquet}
            if format in readers and not _is_packed(self.path):
                self._chunks = self._reading(readers[format])
                return
            self.table = read_table(self.path)
        self._length = len(self.table)

    def __len__(self):
        return self._length

    def chunks(self, n_rows):
        """
        The table in parts.

        Parameters
        ----------
        n_rows : int
            Rows of each part but the last. Of a table without rows there is one
            part, without rows.

        Yields
        ------
        chunk : `~astropy.table.QTable`
            Columns that are masked in one part are masked in all.

        Raises
        ------
        CatalogError
            If the file cannot be read.
        """
        try:
            yield from self._chunks(n_rows)
        except GalmorphError:
            raise
        except Exception as error:
            raise self._unreadable(error) from error

    def _unreadable(self, error):
        words = " ".join(str(error).split())
        return CatalogError(
            f"path: {str(self.path)!r} could not be read"
            f" ({type(error).__name__}: {words})"
        )

    def _chunks_of_table(self, n_rows):
        for first in range(0, max(len(self), 1), n_rows):
            yield self.table[first : first + n_rows]

    def _reading(self, opener):
        try:
            self._length, chunks = opener()
        except GalmorphError:
            raise
        except Exception as error:
            raise self._unreadable(error) from error
        return chunks

    def _open_fits(self):
        with fits.open(self.path) as hdus:
            tables = (fits.BinTableHDU, fits.TableHDU)
            number = next(
                (i for i, hdu in enumerate(hdus) if isinstance(hdu, tables)), None
            )
            if number is None:
                raise CatalogError(f"path: {str(self.path)!r} holds no table")
            length = hdus[number].header["NAXIS2"]
            ours = any(_formats.KEYWORD in hdu.header for hdu in hdus)

        def chunks(n_rows):
            for first in range(0, max(length, 1), n_rows):
                # opened anew: what is mapped into memory would stay there
                with fits.open(self.path, memmap=True) as hdus:
                    hdu = hdus[number]
                    rows = hdu.data[first : first + n_rows]
                    part = type(hdu)(rows, hdu.header)
                    chunk = _formats.quiet(_formats.from_fits)(part, ours)
                    for column in hdu.columns:
                        if column.null is not None:
                            _make_masked(chunk, column.name)
                    chunk = chunk.copy()
                yield chunk

        return length, chunks

    def _open_parquet(self):
        pa = import_optional("pyarrow", "all")
        parquet = import_optional("pyarrow.parquet", "all")
        with parquet.ParquetFile(self.path) as file:
            length, with_nulls = file.metadata.num_rows, _columns_with_nulls(file)

        def chunks(n_rows):
            with parquet.ParquetFile(self.path) as file:
                schema = file.schema_arrow
                for batch in file.iter_batches(n_rows) if length else [None]:
                    batches = [] if batch is None else [batch]
                    table = pa.Table.from_batches(batches, schema=schema)
                    chunk = _formats.quiet(_formats.from_parquet)(pa, table)
                    for name in with_nulls & set(chunk.colnames):
                        _make_masked(chunk, name)
                    yield chunk

        return length, chunks


def _is_packed(path):
    """Whether a file is compressed as a whole, so that it cannot be read in parts."""
    return path.suffix.lower() in (".gz", ".bz2", ".xz")


def _columns_with_nulls(file):
    names = set()
    for group in range(file.metadata.num_row_groups):
        rows = file.metadata.row_group(group)
        for i in range(rows.num_columns):
            column = rows.column(i)
            known = column.statistics is not None and column.statistics.has_null_count
            if not known or column.statistics.null_count:
                names.add(column.path_in_schema)
    return names


def _make_masked(table, name):
    column = table.columns.get(name)
    if isinstance(column, (MaskedColumn, Masked)):
        return
    if isinstance(column, u.Quantity):
        table.replace_column(name, Masked(column))
    elif isinstance(column, Column):
        table.replace_column(name, MaskedColumn(column))


def write_chunks(chunks, path, *, overwrite=False, format=None):
    """
    Write a table that comes in parts.

    Parquet and ECSV are written part by part; of other formats the whole table is
    held in memory. The file appears under its name when it is complete.

    Parameters
    ----------
    chunks : iterable of `~astropy.table.Table`
        At least one, all with the same columns. The first has the meta.
    path : path-like
        The file to write.
    overwrite : bool, optional
        Whether to replace a file that is there.
    format : {'ecsv', 'fits', 'votable', 'parquet'}, optional
        By default told by the suffix, as for `write_table`.

    Raises
    ------
    CatalogError
        If the file is there already, or if it cannot be written.

    Examples
    --------
    >>> from astropy.table import QTable
    >>> from galmorph.tables import write_chunks
    >>> parts = (QTable({"x": [number]}) for number in range(3))
    >>> write_chunks(parts, "long.ecsv")  # doctest: +SKIP
    """
    path = Path(os.path.realpath(path))
    format = format_of(path, format)
    if path.exists() and not overwrite:
        raise CatalogError(
            f"path: {str(path)!r} is there already; give another name or overwrite=True"
        )
    writers = {"ecsv": _write_ecsv, "parquet": _write_parquet}
    if format in writers and not _is_packed(path):
        write = _formats.quiet(writers[format])
    elif format in _formats.WRITERS:

        def write(chunks, part):
            chunks = list(chunks)
            table = vstack(chunks, "exact", metadata_conflicts="silent")
            table.meta = chunks[0].meta
            _formats.WRITERS[format](table, part)

    else:
        raise CatalogError(
            f"format: {format!r} cannot be written; known are"
            f" {sorted(_formats.WRITERS)}"
        )
    write_safely(path, format, lambda part: write(chunks, part))


def _write_ecsv(chunks, path):
    with open(path, "w", encoding="utf-8") as file:
        for number, chunk in enumerate(chunks):
            text = io.StringIO()
            _formats.WRITERS["ecsv"](chunk, text)
            text.seek(0)
            if number:
                # after the lines of the header come the names of the columns
                while text.readline().startswith("#"):
                    pass
            file.write(text.read())


def _write_parquet(chunks, path):
    pa = import_optional("pyarrow", "all")
    parquet = import_optional("pyarrow.parquet", "all")
    writer = None
    try:
        for chunk in chunks:
            columns, document = _formats.split(chunk)
            for entry in document["columns"]:
                # text of another part may be longer
                if entry.get("dtype", "").lstrip("<>|=")[:1] in ("U", "S"):
                    entry["dtype"] = entry["dtype"].lstrip("<>|=")[0]
            table = _formats.to_parquet(pa, columns, document)
            if writer is None:
                writer = parquet.ParquetWriter(str(path), table.schema)
            writer.write_table(table.cast(writer.schema))
    finally:
        if writer is not None:
            writer.close()
