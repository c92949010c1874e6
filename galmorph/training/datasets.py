# Licensed under a 3-clause BSD style license - see licenses/LICENSE.rst
"""
Labelled stamps, checked and joined.
"""

import hashlib
from dataclasses import dataclass

import numpy as np

from galmorph.core import ConfigurationError
from galmorph.images import NOT_CLASSIFIED

__all__ = ["Dataset", "as_dataset", "usable_rows"]


@dataclass
class Dataset:
    """
    Stamps and their labels.

    Parameters
    ----------
    stamps : `~numpy.ndarray`
        Array of shape (n, side, side, bands), float32, or float16, which takes half
        the memory.
    labels : `~numpy.ndarray`
        Array of shape (n, outputs), float32; NaN where a label is missing.
    groups : `~numpy.ndarray`, optional
        Array of shape (n,): objects of one group, such as copies of one
        galaxy, are never on two sides of a split.
    votes : `~numpy.ndarray`, optional
        Numbers of votes behind the labels, of shape (n,) or (n, outputs).
    test : `~numpy.ndarray`, optional
        Array of bool of shape (n,): the objects to test with, where that is given
        and not left to a random split.
    rows : `~numpy.ndarray`, optional
        Rows of the objects in the table that they were taken from, of shape (n,).

    Examples
    --------
    >>> import numpy as np
    >>> from galmorph.training import Dataset
    >>> data = Dataset(np.zeros((4, 9, 9, 1), "f4"), np.zeros((4, 5), "f4"))
    >>> len(data.take([0, 2]))
    2
    """

    stamps: np.ndarray
    labels: np.ndarray
    groups: np.ndarray | None = None
    votes: np.ndarray | None = None
    test: np.ndarray | None = None
    rows: np.ndarray | None = None

    def __len__(self):
        return len(self.stamps)

    def take(self, rows):
        """
        Some of the objects.

        Parameters
        ----------
        rows : array_like
            Indices or booleans.

        Returns
        -------
        data : `Dataset`
        """
        others = (self.groups, self.votes, self.test, self.rows)
        return Dataset(
            self.stamps[rows],
            self.labels[rows],
            *(None if values is None else values[rows] for values in others),
        )

    def fingerprint(self):
        """
        SHA-256 of the stamps and labels, and of what else is given.

        Groups count by what belongs together, not by their names.

        Returns
        -------
        digest : str
        """
        digest = hashlib.sha256()
        arrays = {"votes": self.votes, "test": self.test}
        if self.groups is not None:
            _, first, member = np.unique(
                self.groups, return_index=True, return_inverse=True
            )
            arrays["groups"] = first[member]
        for name, array in arrays.items():
            digest.update(name.encode() if array is not None else b"")
        others = [array for array in arrays.values() if array is not None]
        for array in (self.stamps, self.labels, *others):
            digest.update(str((array.shape, array.dtype.str)).encode())
            digest.update(np.ascontiguousarray(array).view(np.uint8).data)
        return digest.hexdigest()


def as_dataset(data, scheme, *, groups=None, votes=None, test_rows=None):
    """
    Check stamps and a table and join them.

    Parameters
    ----------
    data : tuple of (`~numpy.ndarray`, `~astropy.table.Table`)
        Stamps of shape (n, side, side[, bands]) and a table with the columns
        that the scheme names, n rows, and perhaps ``morph_flags``.
    scheme : `~galmorph.core.LabelScheme`
    groups : str or array_like, optional
        Column of the table, or n values, that say what belongs together.
    votes : str or array_like, optional
        Column of the table, or values of shape (n,) or (n, outputs): numbers of
        votes behind the labels; masked or NaN, which counts as 1, where they are
        not known.
    test_rows : str or array_like of bool, optional
        Column of the table, or n values: the objects to test with.

    Returns
    -------
    data : `Dataset`
        Without the objects that have no label at all, or that cannot be
        classified.

    Raises
    ------
    ConfigurationError
        If the shapes or columns do not fit, or a label is outside 0..1.

    Examples
    --------
    >>> import numpy as np
    >>> from astropy.table import Table
    >>> from galmorph import LabelScheme
    >>> from galmorph.training import as_dataset
    >>> bars = LabelScheme("bars", outputs=["f_bar"])
    >>> table = Table({"f_bar": [0.0, 1.0, np.nan]})
    >>> len(as_dataset((np.zeros((3, 9, 9)), table), bars))
    2
    """
    stamps, table = data
    stamps = np.asarray(stamps)
    if stamps.dtype != np.float16:
        stamps = np.asarray(stamps, np.float32)
    stamps = stamps[..., None] if stamps.ndim == 3 else stamps
    if stamps.ndim != 4 or stamps.shape[1] != stamps.shape[2]:
        raise ConfigurationError(
            "data: expected stamps of shape (n, side, side, bands), found"
            f" {np.shape(data[0])}"
        )
    if len(stamps) != len(table):
        raise ConfigurationError(
            f"data: found {len(stamps)} stamps and a table of {len(table)} rows"
        )
    labels = scheme.labels(table)
    if np.nanmin(labels, initial=0) < 0 or np.nanmax(labels, initial=1) > 1:
        raise ConfigurationError(
            "data: labels must be fractions between 0 and 1; found values from"
            f" {np.nanmin(labels):.3g} to {np.nanmax(labels):.3g}"
        )
    rows = np.arange(len(table))
    votes = _votes(_column("votes", table, votes), labels)
    groups = _groups(_column("groups", table, groups))
    test = _column("test_rows", table, test_rows)
    test = None if test is None else np.ma.filled(test, False).astype(bool)
    dataset = Dataset(stamps, labels, groups, votes, test, rows)
    usable = usable_rows(labels, table)
    if len(usable) and not usable.any():
        raise ConfigurationError(
            f"data: none of the {len(table)} galaxies has both a label and a stamp that"
            " can be used"
        )
    return dataset if usable.all() else dataset.take(usable)


def usable_rows(labels, table):
    """Whether a network can learn from each row: it has a label, and an image."""
    usable = np.isfinite(labels).any(axis=1)
    if "morph_flags" in table.colnames:
        usable &= (np.asarray(table["morph_flags"]) & NOT_CLASSIFIED) == 0
    return usable


def _column(name, table, values):
    """Values given by name or as they are."""
    if isinstance(values, str):
        if values not in table.colnames:
            raise ConfigurationError(
                f"{name}: the table has no column {values!r}; found {table.colnames}"
            )
        values = table[values]
    if values is None:
        return None
    values = getattr(values, "value", values)
    values = values if np.ma.isMaskedArray(values) else np.asarray(values)
    if len(values) != len(table):
        raise ConfigurationError(
            f"{name}: found {len(values)} values for {len(table)} rows"
        )
    return values


def _votes(votes, labels):
    """Numbers of votes, 1 where they are not known."""
    if votes is None:
        return None
    try:
        votes = np.ma.filled(np.ma.asarray(votes, np.float32), np.nan)
    except (TypeError, ValueError) as error:
        raise ConfigurationError(f"votes: expected numbers: {error}") from error
    if votes.shape not in (labels.shape, labels.shape[:1]):
        raise ConfigurationError(
            f"votes: found values of shape {votes.shape} for labels of shape"
            f" {labels.shape}"
        )
    if np.nanmin(votes, initial=0) < 0:
        raise ConfigurationError(
            f"votes: found {np.nanmin(votes)}; they must be 0 or more"
        )
    return np.nan_to_num(votes, nan=1, posinf=1)


def _groups(groups):
    """What belongs together; an object whose group is not known is its own."""
    if groups is None:
        return None
    alone = np.ma.getmaskarray(groups).copy()
    values = np.ma.getdata(groups)
    if values.dtype.kind == "f":
        alone |= np.isnan(values)
    if not alone.any():
        return values
    names = values.astype(str).astype(object)
    names[alone] = [f"row {row}" for row in np.flatnonzero(alone)]
    return names.astype(str)
