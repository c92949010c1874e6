# Licensed under a 3-clause BSD style license - see licenses/LICENSE.rst
"""
Errors of any statistic, by resampling galaxies or groups of them.
"""

import numpy as np

__all__ = ["bootstrap_error", "resamplings"]


def resamplings(n, *, groups=None, n_samples=200, seed=0):
    """
    Rows of resampled tables.

    Parameters
    ----------
    n : int
        Number of galaxies.
    groups : array_like, optional
        To which group each galaxy belongs, such as its field; groups are then
        resampled as a whole. By default each galaxy is its own group.
    n_samples : int, optional
        Number of resamplings.
    seed : int, optional
        Seed of the resamplings.

    Yields
    ------
    rows : `~numpy.ndarray`
        Indices of galaxies, some of them several times.

    Examples
    --------
    >>> from galmorph.evaluation.bootstrap import resamplings
    >>> rows = next(resamplings(4, groups=["a", "a", "b", "b"], seed=1))
    >>> rows.tolist()
    [0, 1, 2, 3]
    """
    random = np.random.default_rng(seed)
    if groups is None:
        for _ in range(n_samples):
            yield random.integers(0, n, n)
        return
    _, group = np.unique(np.asarray(groups), return_inverse=True)
    ends = np.cumsum(np.bincount(group))
    members = np.split(np.argsort(group, kind="stable"), ends[:-1])
    for _ in range(n_samples):
        drawn = random.integers(0, len(members), len(members))
        yield np.concatenate([members[i] for i in drawn])


def bootstrap_error(statistic, *arrays, groups=None, n_samples=200, seed=0):
    """
    Standard error of a statistic by resampling galaxies.

    Parameters
    ----------
    statistic : callable
        Called with resampled arrays; returns a number or an array.
    *arrays : array_like
        Arrays with one row per galaxy.
    groups : array_like, optional
        To which group each galaxy belongs, such as its field. Galaxies of one
        group are not independent of each other, so groups are resampled as a
        whole. By default each galaxy is its own group.
    n_samples : int, optional
        Number of resamplings.
    seed : int, optional
        Seed of the resamplings.

    Returns
    -------
    error : float or `~numpy.ndarray`
        Standard deviation of the statistic, of its shape. NaN where fewer
        than two galaxies, or groups, make an error impossible to tell.

    Examples
    --------
    >>> import numpy as np
    >>> from galmorph.evaluation import bootstrap_error
    >>> values = np.random.default_rng(0).normal(size=400)
    >>> bool(0.04 < bootstrap_error(np.mean, values) < 0.06)
    True
    """
    arrays = [np.asarray(array) for array in arrays]
    n = len(arrays[0])
    if (n if groups is None else np.unique(groups).size) < 2:
        return np.full(np.shape(statistic(*arrays)), np.nan)[()]
    drawn = np.array(
        [
            statistic(*(array[rows] for array in arrays))
            for rows in resamplings(n, groups=groups, n_samples=n_samples, seed=seed)
        ],
        dtype=float,
    )
    # a class that a resampling lacks has no value there
    good = np.isfinite(drawn)
    count = good.sum(axis=0)
    with np.errstate(invalid="ignore", divide="ignore"):
        mean = np.where(good, drawn, 0).sum(axis=0) / count
        square = np.where(good, (drawn - mean) ** 2, 0).sum(axis=0) / count
    return np.where(count > 1, np.sqrt(square), np.nan)[()]
