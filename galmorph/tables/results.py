# Licensed under a 3-clause BSD style license - see licenses/LICENSE.rst
"""
Tables of results: columns, dominant class, joining them to a catalogue.
"""

import copy
import warnings

import numpy as np
from astropy.table import Column, QTable
from astropy.utils.exceptions import AstropyWarning

from galmorph.core import CANDELS, CatalogError, MorphFlag, get_scheme

__all__ = [
    "CLASSES",
    "annotate_table",
    "dominant_class",
    "result_table",
    "without_clashes",
]

CLASSES = {
    "spheroid": "Spheroid: f_spheroid > 2/3, f_disk <= 2/3, f_irregular <= 0.1",
    "disk": "Disk: f_disk > 2/3, f_spheroid <= 2/3, f_irregular <= 0.1",
    "disk+spheroid": "Disk with spheroid: f_disk > 2/3, f_spheroid > 2/3,"
    " f_irregular <= 0.1",
    "irregular_disk": "Irregular disk: f_disk > 2/3, f_spheroid <= 2/3,"
    " f_irregular > 0.1",
    "irregular": "Irregular: f_disk <= 2/3, f_spheroid <= 2/3, f_irregular > 0.1",
    "point_source": "Point source: f_point_source > 2/3",
    "unclassifiable": "Unclassifiable: f_unclassifiable > 2/3",
    "ambiguous": "None of the other classes",
}
"""The dominant classes of the CANDELS scheme and what each means."""

_LONGEST = max(len(name) for name in CLASSES)


def result_table(
    fractions,
    errors,
    flags,
    *,
    scheme,
    distances=None,
    ids=None,
    measurements=None,
    meta=None,
):
    """
    Make the table of results.

    Parameters
    ----------
    fractions, errors : array_like
        Values of shape (rows, outputs) and their 1-sigma errors; NaN or
        masked where a row was not classified.
    flags : array_like of int
        Quality bits of shape (rows,), see `~galmorph.core.FLAGS`.
    scheme : `~galmorph.core.LabelScheme` or str
        What the outputs mean.
    distances : array_like, optional
        How unlike the training images each is, of shape (rows,): above 1 it gets
        the flag ``out_of_domain``. NaN or masked where this is not known.
    ids : sequence, optional
        Names of the galaxies.
    measurements : `~astropy.table.QTable`, optional
        Measured columns, one row per galaxy.
    meta : dict, optional
        Provenance, stored as ``meta['galmorph']``.

    Returns
    -------
    table : `~astropy.table.QTable`
        ``id`` (if given), the fractions, their errors (float32, NaN where not
        classified), ``morph_class`` (see `dominant_class`; empty where not
        classified), ``morph_flags`` (int32), ``morph_domain_distance`` (float32),
        then the measurements.

    Raises
    ------
    CatalogError
        If the numbers of rows or outputs differ, or if a measured column has
        the name of another column.

    Examples
    --------
    >>> from galmorph.tables import result_table
    >>> table = result_table(
    ...     [[0.9, 0.1, 0.0, 0.1, 0.0]], [[0.1] * 5], [0], scheme="candels", ids=["a"]
    ... )
    >>> print(table["id", "f_spheroid", "f_spheroid_err", "morph_class"])
     id f_spheroid f_spheroid_err morph_class
    --- ---------- -------------- -----------
      a        0.9            0.1    spheroid
    """
    scheme = get_scheme(scheme)
    fractions, errors = _float32(fractions), _float32(errors)
    flags = np.array(flags, dtype=np.int32)
    distances = _float32(
        np.full(flags.shape, np.nan) if distances is None else distances
    )
    if distances.shape != flags.shape:
        raise CatalogError(
            f"distances: found the shape {distances.shape} for {flags.size} flags"
        )
    flags[distances > 1] |= MorphFlag.OUT_OF_DOMAIN
    expected = (flags.size, scheme.n_outputs)
    for name, values in (("fractions", fractions), ("errors", errors)):
        if values.shape != expected:
            raise CatalogError(
                f"{name}: found the shape {values.shape}; {flags.size} flags and the"
                f" scheme {scheme.name!r} need {expected}"
            )
    table = QTable()
    if ids is not None:
        table["id"] = _column(ids, "Name of the galaxy", flags.size, "ids")
    for i, name in enumerate(scheme.outputs):
        table[name] = Column(fractions[:, i], description=scheme.describe(name))
    for i, (name, of) in enumerate(
        zip(scheme.error_columns, scheme.outputs, strict=True)
    ):
        table[name] = Column(errors[:, i], description=f"1-sigma error of {of}")
    table["morph_class"] = Column(
        dominant_class(fractions, scheme), description="Dominant class"
    )
    table["morph_flags"] = Column(
        flags, description="Quality bits, see galmorph.decode_flags"
    )
    table["morph_domain_distance"] = Column(
        distances,
        description="Distance from the training images; above 1 unlike them",
    )
    if measurements is not None:
        if len(measurements) != flags.size:
            raise CatalogError(
                f"measurements: found {len(measurements)} rows for {flags.size} flags"
            )
        _check_clash(table, measurements, "measurements")
        _add_columns(table, measurements)
    table.meta["galmorph"] = copy.deepcopy(meta) if meta else {}
    return table


def dominant_class(fractions, scheme=CANDELS):
    """
    Name the dominant class of each galaxy.

    Parameters
    ----------
    fractions : array_like
        Fractions of shape (rows, outputs), or (outputs,) for one galaxy.
    scheme : `~galmorph.core.LabelScheme` or str, optional
        What the outputs mean. For the outputs of CANDELS the classes are
        those of `CLASSES`; for others the class is the name of the output
        with the largest fraction.

    Returns
    -------
    classes : `~numpy.ndarray` of str
        Names of shape (rows,); the empty string where a fraction is NaN.

    Raises
    ------
    CatalogError
        If the number of outputs is not that of the scheme.

    Notes
    -----
    The cuts are those of Huertas-Company et al. (2015, ApJS 221, 8), written
    down from memory of the paper: check them against it before relying on
    the exact values. A fraction of exactly 2/3, common with three
    classifiers, counts as not above 2/3.

    The fractions are independent of each other, so a star can have a high
    f_spheroid as well. Two classes therefore go before the shapes:
    ``unclassifiable``, since whoever could not see what it is said nothing
    on its shape, and then ``point_source``, since what is not resolved has no
    shape.

    Examples
    --------
    >>> from galmorph.tables import dominant_class
    >>> print(dominant_class([[0.9, 0.8, 0.0, 0.0, 0.0], [0.8, 0.1, 0.0, 0.9, 0.0]]))
    ['disk+spheroid' 'point_source']
    """
    scheme = get_scheme(scheme)
    fractions = np.atleast_2d(_float32(fractions))
    if fractions.ndim != 2 or fractions.shape[1] != scheme.n_outputs:
        raise CatalogError(
            f"fractions: found the shape {fractions.shape}; the scheme"
            f" {scheme.name!r} has {scheme.n_outputs} outputs"
        )
    unknown = np.isnan(fractions).any(axis=1)
    if scheme.outputs == CANDELS.outputs:
        classes = _candels_class(fractions)
    else:
        largest = np.argmax(np.where(unknown[:, None], 0, fractions), axis=1)
        classes = np.array(scheme.outputs)[largest]
    return np.where(unknown, "", classes)


def _candels_class(fractions):
    majority, some = np.float32(2 / 3), np.float32(0.1)
    spheroid, disk, _, point_source, unclassifiable = (fractions > majority).T
    irregular = fractions[:, 2] > some
    classes = np.full(len(fractions), "ambiguous", dtype=f"<U{_LONGEST}")
    # the last assignment holds
    classes[spheroid & ~disk & ~irregular] = "spheroid"
    classes[disk & ~spheroid & ~irregular] = "disk"
    classes[disk & spheroid & ~irregular] = "disk+spheroid"
    classes[disk & ~spheroid & irregular] = "irregular_disk"
    classes[~disk & ~spheroid & irregular] = "irregular"
    classes[point_source] = "point_source"
    classes[unclassifiable] = "unclassifiable"
    return classes


def annotate_table(catalog, result, *, overwrite=False):
    """
    Join results to the catalogue that they belong to.

    Parameters
    ----------
    catalog : `~astropy.table.Table`
        The catalogue. It is not changed.
    result : `~astropy.table.QTable`
        Results of the same rows, in the same order.
    overwrite : bool, optional
        Whether columns of the catalogue may be replaced.

    Returns
    -------
    table : `~astropy.table.QTable`
        The catalogue's columns in their order, then those of the results. Its
        ``meta['galmorph']`` has the entries of both, where they differ those
        of the results.

    Raises
    ------
    CatalogError
        If the numbers of rows differ, or if columns would be replaced.

    Examples
    --------
    >>> from astropy.table import QTable
    >>> from galmorph.tables import annotate_table
    >>> catalog, result = QTable({"x": [4.0]}), QTable({"f_disk": [0.5]})
    >>> annotate_table(catalog, result).colnames
    ['x', 'f_disk']
    """
    if len(catalog) != len(result):
        raise CatalogError(
            f"result: found {len(result)} rows for a catalogue of {len(catalog)}"
        )
    if not overwrite:
        _check_clash(catalog, result, "catalog")
    with warnings.catch_warnings():
        # text columns with a unit stay what they are
        warnings.simplefilter("ignore", AstropyWarning)
        table = QTable(catalog, copy=True)
    _add_columns(table, result)
    old = catalog.meta.get("galmorph")
    new = copy.deepcopy(result.meta.get("galmorph", {}))
    if isinstance(old, dict):
        new = {**copy.deepcopy(old), **new}
    table.meta["galmorph"] = new
    return table


def without_clashes(result, catalog, overwrite=False):
    """
    Leave out what was measured where the catalogue has such a column.

    Parameters
    ----------
    result : `~astropy.table.QTable`
        What `result_table` made.
    catalog : `~astropy.table.Table`
    overwrite : bool, optional
        Whether columns of the catalogue may be replaced; then nothing is left out.

    Returns
    -------
    result : `~astropy.table.QTable`
        The fractions, their errors and ``morph_...`` are never left out.

    Examples
    --------
    >>> from astropy.table import QTable
    >>> from galmorph.tables import without_clashes
    >>> result = QTable({"morph_flags": [0], "snr": [9.5], "sky": [0.1]})
    >>> without_clashes(result, QTable({"snr": [10.0]})).colnames
    ['morph_flags', 'sky']
    """
    if overwrite:
        return result
    wanted = [n for n in result.colnames if n.startswith("morph_")]
    wanted += [n for n in result.colnames if f"{n}_err" in result.colnames]
    wanted += [n for n in result.colnames if n.removesuffix("_err") in wanted]
    return result[
        [n for n in result.colnames if n in wanted or n not in catalog.colnames]
    ]


def _float32(values):
    return np.ma.filled(np.ma.asarray(values, dtype=np.float32), np.nan)


def _column(values, description, n_rows, argument):
    values = values if isinstance(values, Column) else np.asarray(values)
    if values.dtype.kind == "O":
        values = values.astype(str)
    if values.shape != (n_rows,):
        raise CatalogError(
            f"{argument}: found the shape {values.shape} for {n_rows} rows"
        )
    return Column(values, description=description)


def _check_clash(table, other, argument):
    clash = [name for name in other.colnames if name in table.colnames]
    if clash:
        raise CatalogError(
            f"{argument}: the columns {clash} are there already; rename or remove"
            " them, or give overwrite=True where they may be replaced"
        )


def _add_columns(table, other):
    for name in other.colnames:
        table[name] = other[name].copy()
        table[name].info.description = other[name].info.description
