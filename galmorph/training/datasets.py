# Licensed under a 3-clause BSD style license - see licenses/LICENSE.rst
"""
Labelled stamps, and how they are divided for training.
"""

import hashlib
from dataclasses import dataclass

import numpy as np

from galmorph.core import ConfigurationError
from galmorph.images import NOT_CLASSIFIED

__all__ = ["Dataset", "as_dataset", "split", "stratified_split"]


@dataclass
class Dataset:
    """
    Stamps and their labels.

    Parameters
    ----------
    stamps : `~numpy.ndarray`
        Array of shape (n, side, side, bands), float32.
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
        others = (self.groups, self.votes, self.test)
        return Dataset(
            self.stamps[rows],
            self.labels[rows],
            *(None if values is None else values[rows] for values in others),
        )

    def fingerprint(self):
        """
        SHA-256 of the stamps and labels, and of what else is given.

        Returns
        -------
        digest : str
        """
        digest = hashlib.sha256()
        others = [a for a in (self.votes, self.test) if a is not None]
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
        votes behind the labels.
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
    given = {"groups": groups, "votes": votes, "test_rows": test_rows}
    groups, votes, test = (_column(name, table, given[name]) for name in given)
    test = None if test is None else test.astype(bool)
    dataset = Dataset(stamps, labels, groups, votes, test)
    usable = np.isfinite(labels).any(axis=1)
    if "morph_flags" in table.colnames:
        usable &= (np.asarray(table["morph_flags"]) & NOT_CLASSIFIED) == 0
    return dataset if usable.all() else dataset.take(usable)


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
    values = np.asarray(values)
    if len(values) != len(table):
        raise ConfigurationError(
            f"{name}: found {len(values)} values for {len(table)} rows"
        )
    return values


def split(dataset, config):
    """
    Divide objects into the parts of a run and of each of its members.

    Parameters
    ----------
    dataset : `Dataset`
    config : `TrainingConfig`
        Its ``validation``, ``test``, ``members``, ``folds`` and ``seed``.

    Returns
    -------
    parts : dict of `~numpy.ndarray`
        Indices of the objects for ``'training'``, ``'validation'`` and
        ``'test'``. With folds, an object is in both of the first two.
    members : list of tuple of `~numpy.ndarray`
        For each member, what it is trained and validated with.

    Raises
    ------
    ConfigurationError
        If there are too few objects.
    """
    if dataset.test is not None:
        rest, test = np.flatnonzero(~dataset.test), np.flatnonzero(dataset.test)
        if not len(test):
            raise ConfigurationError("test_rows: there are none")
    else:
        shares = [1 - config.test, config.test]
        rest, test = stratified_split(
            dataset.labels, shares, seed=config.seed, groups=dataset.groups
        )
    if config.folds:
        shares = [1 / config.members] * config.members
    else:
        part = config.validation
        if dataset.test is None:
            part /= 1 - config.test
        shares = [1 - part, part]
    groups = None if dataset.groups is None else dataset.groups[rest]
    dealt = stratified_split(
        dataset.labels[rest], shares, seed=config.seed, groups=groups
    )
    dealt = [rest[rows] for rows in dealt]
    if config.folds:
        members = [(np.setdiff1d(rest, fold), fold) for fold in dealt]
        parts = {"training": rest, "validation": rest, "test": test}
    else:
        members = [tuple(dealt)] * config.members
        parts = {"training": dealt[0], "validation": dealt[1], "test": test}
    empty = [name for name in parts if not len(parts[name])]
    if not config.test and dataset.test is None:
        empty.remove("test")
    if empty or not all(len(rows) for pair in members for rows in pair):
        raise ConfigurationError(
            f"data: {len(dataset)} galaxies are too few: none is left for the"
            f" {', '.join(empty) or 'validation'} part"
        )
    return parts, members


def stratified_split(labels, shares, *, seed, groups=None):
    """
    Divide objects so that every part has the same mixture of classes.

    The class is the output with the largest fraction, and whether that is
    more than one half. Within each class, whole groups are dealt out.

    Parameters
    ----------
    labels : `~numpy.ndarray`
        Array of shape (n, outputs).
    shares : sequence of float
        Share of the objects for each part; they sum to one.
    seed : int
        The same seed gives the same division.
    groups : `~numpy.ndarray`, optional
        Array of shape (n,); a group is never divided.

    Returns
    -------
    parts : list of `~numpy.ndarray`
        Sorted indices of the objects, one array per part.

    Raises
    ------
    ConfigurationError
        If the shares do not sum to one.

    Examples
    --------
    >>> import numpy as np
    >>> from galmorph.training import stratified_split
    >>> labels = np.eye(2)[[0] * 80 + [1] * 20]
    >>> train, test = stratified_split(labels, [0.8, 0.2], seed=1)
    >>> labels[test].sum(axis=0)
    array([16.,  4.])
    """
    shares = np.asarray(shares, float)
    if np.any(shares < 0) or abs(shares.sum() - 1) > 1e-6:
        raise ConfigurationError(f"shares: found {shares}; they must sum to 1")
    labels = np.nan_to_num(np.asarray(labels, float))
    groups = np.arange(len(labels)) if groups is None else np.asarray(groups)
    names, first, member = np.unique(groups, return_index=True, return_inverse=True)
    largest = labels[first].argmax(axis=1)
    stratum = 2 * largest + (labels[first].max(axis=1) > 0.5)
    random = np.random.default_rng(seed)
    part = np.empty(len(names), int)
    for value in np.unique(stratum):
        rows = random.permutation(np.flatnonzero(stratum == value))
        # a random start keeps small classes from always losing by rounding
        position = (np.arange(len(rows)) + random.uniform()) / len(rows)
        part[rows] = np.searchsorted(np.cumsum(shares)[:-1], position, side="right")
    return [np.flatnonzero(part[member] == i) for i in range(len(shares))]
