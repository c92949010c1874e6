# Licensed under a 3-clause BSD style license - see licenses/LICENSE.rst
"""
Tables on disk, without loss of units, descriptions, types and provenance.
"""

import os
import uuid
from pathlib import Path

from astropy.table import QTable

from galmorph.core import CatalogError, GalmorphError
from galmorph.tables import _formats

__all__ = ["format_of", "read_table", "write_safely", "write_table"]

SUFFIXES = {
    ".ecsv": "ecsv",
    ".fits": "fits",
    ".fit": "fits",
    ".fits.gz": "fits",
    ".vot": "votable",
    ".votable": "votable",
    ".xml": "votable",
    ".parquet": "parquet",
}


def write_table(table, path, *, overwrite=False, format=None):
    """
    Write a table to a file.

    The file appears under its name when it is complete. Where writing fails,
    a file that was there before is left as it was.

    Parameters
    ----------
    table : `~astropy.table.Table`
        The table. It is not changed.
    path : path-like
        The file to write.
    overwrite : bool, optional
        Whether to replace a file that is there.
    format : {'ecsv', 'fits', 'votable', 'parquet'}, optional
        By default told by the suffix: ``.ecsv``, ``.fits``, ``.fits.gz``,
        ``.vot``, ``.votable``, ``.xml`` or ``.parquet``.

    Raises
    ------
    CatalogError
        If the file is there already, if its folder is not, if the format is not
        known, or if the format cannot hold the table.
    MissingDependencyError
        If pyarrow, which Parquet needs, is not installed.

    Notes
    -----
    `read_table` gives back columns, units, descriptions, types and the whole of
    ``meta``. FITS, VOTable and Parquet have no place for the nested
    ``meta['galmorph']``, nor for all of the types: both are kept as JSON, in
    FITS under the keyword ``GALMORPH``, in VOTable as the INFO ``galmorph`` of
    the table, in Parquet in the metadata of the schema. In FITS and VOTable,
    which mark missing numbers by NaN and missing text by the empty string, all
    NaN and empty text of a masked column are masked when it is read. In ECSV the
    same holds for text. VOTable and Parquet hold the longitude and latitude of
    a SkyCoord, no distance.

    Examples
    --------
    >>> from astropy.table import QTable
    >>> from galmorph.tables import read_table, write_table
    >>> write_table(QTable({"f_disk": [0.5]}), "disks.ecsv")  # doctest: +SKIP
    >>> read_table("disks.ecsv")["f_disk"][0]  # doctest: +SKIP
    0.5
    """
    path = Path(os.path.realpath(path))
    format = format_of(path, format)
    if format not in _formats.WRITERS:
        raise CatalogError(
            f"format: {format!r} cannot be written; known are"
            f" {sorted(_formats.WRITERS)}"
        )
    if path.exists() and not overwrite:
        raise CatalogError(
            f"path: {str(path)!r} is there already; give another name or overwrite=True"
        )
    write_safely(path, format, lambda part: _formats.WRITERS[format](table, part))


def write_safely(path, format, write):
    """
    Write a file that appears under its name when it is complete.

    Parameters
    ----------
    path : `~pathlib.Path`
        The file; one that is there is replaced.
    format : str
        Its format, for the message.
    write : callable
        Writes the file whose path it is given.

    Raises
    ------
    CatalogError
        If its folder is not there, or if it cannot be written.
    """
    if not path.parent.is_dir():
        raise CatalogError(f"path: there is no folder {str(path.parent)!r}")
    # in the same folder, so that it can be renamed; gzip is told by the suffix
    part = path.with_name(f".{uuid.uuid4().hex}{''.join(path.suffixes[-2:])}")
    try:
        write(part)
        with open(part, "rb+") as file:  # on the disk before it has its name
            os.fsync(file.fileno())
        os.replace(part, path)
    except GalmorphError:
        raise
    except Exception as error:
        raise CatalogError(
            f"path: {str(path)!r} could not be written as {format}"
            f" ({type(error).__name__}: {' '.join(str(error).split())})"
        ) from error
    finally:
        part.unlink(missing_ok=True)


def read_table(path, format=None):
    """
    Read a table from a file.

    Parameters
    ----------
    path : path-like
        The file: one that `write_table` wrote, or any other of these formats.
    format : str, optional
        ``'ecsv'``, ``'fits'``, ``'votable'``, ``'parquet'``, or the name of
        any other format of astropy, such as ``'ascii.sextractor'``. By default
        told by the suffix.

    Returns
    -------
    table : `~astropy.table.QTable`

    Raises
    ------
    CatalogError
        If there is no such file, or if it cannot be read.
    MissingDependencyError
        If pyarrow, which Parquet needs, is not installed.
    """
    path = Path(path)
    format = format_of(path, format, {".csv": "ascii.csv"})
    if not path.is_file():
        raise CatalogError(f"path: there is no file {str(path)!r}")
    try:
        if format in _formats.READERS:
            return _formats.READERS[format](path)
        return QTable.read(path, format=format)
    except GalmorphError:
        raise
    except Exception as error:
        raise CatalogError(
            f"path: {str(path)!r} could not be read as {format}"
            f" ({type(error).__name__}: {' '.join(str(error).split())})"
        ) from error


def format_of(path, format=None, more=()):
    """
    Format of a file.

    Parameters
    ----------
    path : `~pathlib.Path`
    format : str, optional
        What the user says.
    more : dict, optional
        Further formats by suffix.

    Returns
    -------
    format : str

    Raises
    ------
    CatalogError
        If the suffix tells nothing.
    """
    if format is not None:
        return format
    suffixes = {**SUFFIXES, **dict(more)}
    name = path.name.lower()
    for suffix, format in suffixes.items():
        if name.endswith(suffix):
            return format
    raise CatalogError(
        f"path: the format of {path.name!r} is not known; use one of the suffixes"
        f" {sorted(suffixes)}, or give format="
    )
