# Licensed under a 3-clause BSD style license - see licenses/LICENSE.rst
"""
What a cut on a predicted fraction selects.
"""

import numpy as np

from galmorph.evaluation._columns import (
    perfect_columns,
    ratio,
    result_columns,
    with_errors,
)
from galmorph.evaluation.metrics import check_outputs

__all__ = ["selection_table"]


def selection_table(
    truth,
    predicted,
    scheme="candels",
    *,
    threshold=0.5,
    cuts=(0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9),
    n_votes=None,
    groups=None,
    n_samples=200,
    seed=0,
):
    """
    Completeness and purity of samples cut at a predicted fraction.

    Parameters
    ----------
    truth, predicted : array_like
        Fractions of shape (n, outputs); the truth may be 0 and 1.
    scheme : `~galmorph.core.LabelScheme` or str, optional
        Names the outputs.
    threshold : float, optional
        A galaxy is of the class if its true fraction is above this.
    cuts : sequence of float, optional
        A galaxy is selected if its predicted fraction is above the cut.
    n_votes : int or array_like, optional
        Number of classifiers; a number, or of shape (n,) or (n, outputs).
    groups : array_like, optional
        To which group each galaxy belongs; groups are resampled as a whole.
    n_samples, seed : int, optional
        Number of resamplings for the errors, and their seed.

    Returns
    -------
    table : `~astropy.table.QTable`
        One row per cut of each output: ``n_true``, ``n_predicted``, ``share``
        of the galaxies that are of the class; ``completeness`` and ``purity``
        with their bootstrap errors; with ``n_votes`` also ``_perfect``, as
        `expected_if_perfect`.

    Raises
    ------
    ConfigurationError
        If the shapes do not fit.

    Examples
    --------
    >>> from galmorph import LabelScheme
    >>> from galmorph.evaluation import selection_table
    >>> bars = LabelScheme("bars", outputs=["f_bar"])
    >>> truth, predicted = [[0], [0], [1], [1]], [[0.1], [0.6], [0.4], [0.9]]
    >>> print(selection_table(truth, predicted, bars, cuts=(0.3, 0.5))[
    ...     "cut", "n_true", "n_predicted", "completeness", "purity"])
     cut  n_true n_predicted completeness purity
    ----- ------ ----------- ------------ ------
    0.300      2           3        1.000  0.667
    0.500      2           2        0.500  0.500
    """
    scheme, truth, predicted = check_outputs(truth, predicted, scheme)
    cuts = np.asarray(cuts, float)

    def numbers(truth, predicted):
        member = truth > threshold
        selected = predicted[..., None] > cuts
        right = (member[..., None] & selected).sum(axis=0)
        of_class = np.broadcast_to(member.sum(axis=0)[:, None], right.shape)
        return right, of_class, selected.sum(axis=0)

    def statistic(truth, predicted):
        right, of_class, selected = numbers(truth, predicted)
        return np.stack([ratio(right, of_class), ratio(right, selected)])

    _, of_class, selected = numbers(truth, predicted)
    n = np.isfinite(truth).sum(axis=0)[:, None]
    names = ("completeness", "purity")
    return result_columns(
        {
            "output": np.array(scheme.outputs)[:, None],
            "cut": cuts,
            "n_true": of_class,
            "n_predicted": selected,
            "share": ratio(of_class, n),
            **with_errors(
                names,
                statistic,
                truth,
                predicted,
                groups=groups,
                n_samples=n_samples,
                seed=seed,
            ),
            **perfect_columns(names, statistic, truth, predicted, n_votes, seed),
        }
    )
