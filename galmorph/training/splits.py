# Licensed under a 3-clause BSD style license - see licenses/LICENSE.rst
"""
How galaxies are divided into parts of the same mixture.
"""

import numpy as np

from galmorph.core import ConfigurationError

__all__ = ["folds", "split", "stratified_split"]

_TRIES = 10_000  # groups dealt out to find the best of several orders


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
