# Licensed under a 3-clause BSD style license - see licenses/LICENSE.rst
"""
Labelled stamps, and how they are divided for training.
"""

import hashlib
from dataclasses import dataclass

import numpy as np

from galmorph.core import ConfigurationError
from galmorph.images import NOT_CLASSIFIED

__all__ = ["Dataset", "as_dataset", "folds", "split", "stratified_split"]

_TRIES = 10_000  # groups dealt out to find the best of several orders


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
        n_groups = 0 if dataset.groups is None else len(np.unique(dataset.groups))
        raise ConfigurationError(
            f"data: {len(dataset)} galaxies"
            + (f" in {n_groups} groups" if n_groups else "")
            + f" are too few: none is left for the {', '.join(empty) or 'validation'}"
            " part"
        )
    return parts, members


def stratified_split(labels, shares, *, seed, groups=None):
    """
    Divide objects so that every part has the same mixture of classes.

    Whole groups are dealt out, the largest first and else in random order, each
    to the part that it brings nearest to its share of the objects, of the votes
    for each output, and of the classes. The class of an object is the output with
    the largest fraction, and whether that is more than one half. This is the
    iterative stratification of Sechidis et al. (2011, ECML PKDD, LNCS 6913, 145),
    with fractions in place of labels.

    Parameters
    ----------
    labels : `~numpy.ndarray`
        Array of shape (n, outputs), NaN where a label is missing.
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
    labels = np.asarray(labels, float)
    if groups is None:
        member, amounts = np.arange(len(labels)), _amounts(labels)
    else:
        _, member = np.unique(np.asarray(groups), return_inverse=True)
        each = _amounts(labels)
        amounts = np.zeros((member.max(initial=-1) + 1, each.shape[1]))
        np.add.at(amounts, member, each)
    part = _deal(amounts, shares, np.random.default_rng(seed))
    return [np.flatnonzero(part[member] == i) for i in range(len(shares))]


def _amounts(labels):
    """What every part shall have its share of, one column each, the number first."""
    known = np.isfinite(labels)
    votes = np.nan_to_num(labels)
    n, outputs = labels.shape
    stratum = 2 * votes.argmax(axis=1) + (votes.max(axis=1, initial=0) > 0.5)
    classes = np.zeros((n, 2 * outputs))
    classes[np.arange(n), stratum] = 1
    return np.column_stack([np.ones(n), votes, known[:, ~known.all(axis=0)], classes])


def _deal(amounts, shares, random):
    """Number of the part of each row."""
    taken = np.flatnonzero(shares > 0)
    # rare classes weigh as much as common ones
    amounts = amounts / np.maximum(np.sqrt((amounts**2).sum(axis=0)), 1e-12)
    wanted = shares[taken, None] * amounts.sum(axis=0)
    best, least = np.zeros(len(amounts), int), np.inf
    # few large groups fit together in some orders only
    for _ in range(max(_TRIES // max(len(amounts), 1), 1)):
        parts, lacking = np.zeros(len(amounts), int), wanted.copy()
        order = random.permutation(len(amounts))
        for row in order[np.argsort(-amounts[order, 0], kind="stable")]:
            amount = amounts[row]
            # how much nearer each part would come, in units of its share
            gain = (2 * lacking @ amount - amount @ amount) / shares[taken]
            part = int(gain.argmax())
            lacking[part] -= amount
            parts[row] = taken[part]
        left = float(((lacking / shares[taken, None]) ** 2).sum())
        if left < least:
            best, least = parts, left
    return best


def folds(labels, n_folds, *, seed, groups=None):
    """
    Deal objects out to folds of the same mixture of classes.

    Parameters
    ----------
    labels : `~numpy.ndarray`
        Array of shape (n, outputs), NaN where a label is missing.
    n_folds : int
        Number of folds.
    seed : int
        The same seed gives the same folds.
    groups : `~numpy.ndarray`, optional
        Array of shape (n,); a group is never divided.

    Returns
    -------
    fold : `~numpy.ndarray`
        Number of the fold of each object, from 0, shape (n,).

    Raises
    ------
    ConfigurationError
        If there are less than two folds.

    Examples
    --------
    >>> import numpy as np
    >>> from galmorph.training import folds
    >>> labels = np.eye(2)[[0] * 80 + [1] * 20]
    >>> np.bincount(folds(labels, 5, seed=1)[80:])
    array([4, 4, 4, 4, 4])
    """
    if n_folds < 2:
        raise ConfigurationError(f"n_folds: found {n_folds}; it must be 2 or more")
    fold = np.empty(len(labels), int)
    shares = np.full(n_folds, 1 / n_folds)
    parts = stratified_split(labels, shares, seed=seed, groups=groups)
    for number, rows in enumerate(parts):
        fold[rows] = number
    return fold
