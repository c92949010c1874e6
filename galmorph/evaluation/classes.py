# Licensed under a 3-clause BSD style license - see licenses/LICENSE.rst
"""
Whether galaxies get the right class: dominant classes and cuts on fractions.
"""

import numpy as np
from astropy.table import QTable

from galmorph.core import CANDELS, ConfigurationError, get_scheme
from galmorph.evaluation._columns import (
    describe_columns,
    perfect_columns,
    ratio,
    result_columns,
    with_errors,
)
from galmorph.evaluation.metrics import check_outputs
from galmorph.tables import CLASSES, dominant_class

__all__ = [
    "class_names",
    "class_table",
    "confusion_matrix",
    "confusion_table",
    "misclassification_table",
]

UNCERTAIN = "ambiguous"


def class_names(scheme="candels"):
    """
    Names of the dominant classes of a scheme.

    Parameters
    ----------
    scheme : `~galmorph.core.LabelScheme` or str, optional

    Returns
    -------
    names : list of str

    Examples
    --------
    >>> from galmorph.evaluation import class_names
    >>> class_names()[:3]
    ['spheroid', 'disk', 'disk+spheroid']
    """
    scheme = get_scheme(scheme)
    return list(CLASSES if scheme.outputs == CANDELS.outputs else scheme.outputs)


def confusion_matrix(true, predicted, names):
    """
    Count galaxies by their true and predicted class.

    Parameters
    ----------
    true, predicted : array_like of str
        Classes of n galaxies; a galaxy that has none, which is the empty
        string, is left out.
    names : sequence of str
        The classes.

    Returns
    -------
    counts : `~numpy.ndarray`
        Rows are the true classes, columns the predicted ones.

    Raises
    ------
    ConfigurationError
        If the lengths differ or a class has no name.

    Examples
    --------
    >>> from galmorph.evaluation import confusion_matrix
    >>> confusion_matrix(["a", "a", "b", ""], ["a", "b", "b", "a"], ["a", "b"])
    array([[1, 1],
           [0, 1]])
    """
    return _count(*_places(true, predicted, names), len(names))


def confusion_table(true, predicted, names):
    """
    The `confusion_matrix` as a table with names.

    Parameters
    ----------
    true, predicted : array_like of str
        Classes of n galaxies; the empty string for none.
    names : sequence of str
        The classes.

    Returns
    -------
    table : `~astropy.table.QTable`
        One row for each true class, ``true_class``, and one column for each
        predicted one. A class that no galaxy has is left out.

    Raises
    ------
    ConfigurationError
        If the lengths differ or a class has no name.

    Examples
    --------
    >>> from galmorph.evaluation import confusion_table
    >>> print(confusion_table(["a", "a", "b"], ["a", "b", "b"], ["a", "b", "c"]))
    true_class  a   b
    ---------- --- ---
             a   1   1
             b   0   1
    """
    counts = confusion_matrix(true, predicted, names)
    used = np.flatnonzero(counts.sum(axis=0) + counts.sum(axis=1))
    table = QTable({"true_class": np.array([names[i] for i in used], dtype=str)})
    describe_columns(table)
    for i in used:
        table[names[i]] = counts[used, i]
        table[names[i]].info.description = f"Number of galaxies predicted as {names[i]}"
    return table


def class_table(
    truth,
    predicted,
    scheme="candels",
    *,
    n_votes=None,
    groups=None,
    n_samples=200,
    seed=0,
):
    """
    Completeness and purity of each dominant class.

    Parameters
    ----------
    truth, predicted : array_like
        Fractions of shape (n, outputs). Galaxies with a NaN are left out.
    scheme : `~galmorph.core.LabelScheme` or str, optional
        Decides, by `~galmorph.tables.dominant_class`, on the classes.
    n_votes : int or array_like, optional
        Number of classifiers; a number, or of shape (n,) or (n, outputs).
    groups : array_like, optional
        To which group each galaxy belongs; groups are resampled as a whole.
    n_samples, seed : int, optional
        Number of resamplings for the errors, and their seed.

    Returns
    -------
    table : `~astropy.table.QTable`
        One row per class that any galaxy has or is given. ``n_true`` galaxies
        of the class and ``n_predicted`` as such; ``share`` of the galaxies
        that are of it, which is the purity of a blind choice;
        ``completeness`` and ``purity`` with their bootstrap errors; with
        ``n_votes`` also ``_perfect``, as `expected_if_perfect`.

    Raises
    ------
    ConfigurationError
        If the shapes do not fit.

    Examples
    --------
    >>> from galmorph import LabelScheme
    >>> from galmorph.evaluation import class_table
    >>> shapes = LabelScheme("shapes", outputs=["round", "flat"])
    >>> truth = [[0.9, 0.1], [0.8, 0.2], [0.1, 0.9]]
    >>> predicted = [[0.7, 0.3], [0.4, 0.6], [0.2, 0.8]]
    >>> print(class_table(truth, predicted, shapes)["completeness", "purity"])
    completeness purity
    ------------ ------
           0.500  1.000
           1.000  0.500
    """
    scheme, truth, predicted = check_outputs(truth, predicted, scheme)
    names = class_names(scheme)
    places = _classify(truth, predicted, scheme)

    def statistic(true, found):
        return _completeness_purity(_count(true, found, len(names)))

    def of_fractions(truth, predicted):
        return statistic(*_classify(truth, predicted, scheme))

    counts = _count(*places, len(names))
    n_true, n_predicted = counts.sum(axis=1), counts.sum(axis=0)
    numbers = ("completeness", "purity")
    table = result_columns(
        {
            "morph_class": np.array(names),
            "n_true": n_true,
            "n_predicted": n_predicted,
            "share": ratio(n_true, n_true.sum()),
            **with_errors(
                numbers,
                statistic,
                *places,
                groups=groups,
                n_samples=n_samples,
                seed=seed,
            ),
            **perfect_columns(numbers, of_fractions, truth, predicted, n_votes, seed),
        }
    )
    return table[n_true + n_predicted > 0]


def misclassification_table(
    truth,
    predicted,
    scheme="candels",
    *,
    n_votes=None,
    groups=None,
    n_samples=200,
    seed=0,
):
    """
    Share of galaxies whose dominant class is not the true one.

    Parameters
    ----------
    truth, predicted : array_like
        Fractions of shape (n, outputs). Galaxies with a NaN are left out.
    scheme : `~galmorph.core.LabelScheme` or str, optional
        Decides, by `~galmorph.tables.dominant_class`, on the classes.
    n_votes : int or array_like, optional
        Number of classifiers; a number, or of shape (n,) or (n, outputs).
    groups : array_like, optional
        To which group each galaxy belongs; groups are resampled as a whole.
    n_samples, seed : int, optional
        Number of resamplings for the errors, and their seed.

    Returns
    -------
    table : `~astropy.table.QTable`
        A row for ``all`` galaxies, and in the scheme of CANDELS one for those
        that are ``clear``: neither the true nor the predicted class is
        "ambiguous". ``n``
        galaxies, the ``rate`` with its bootstrap error, and
        ``rate_commonest``, that of always naming the commonest true class;
        with ``n_votes`` also ``rate_perfect``, as `expected_if_perfect`.

    Raises
    ------
    ConfigurationError
        If the shapes do not fit.

    Examples
    --------
    >>> from galmorph import LabelScheme
    >>> from galmorph.evaluation import misclassification_table
    >>> shapes = LabelScheme("shapes", outputs=["round", "flat"])
    >>> truth = [[0.9, 0.1], [0.8, 0.2], [0.7, 0.3], [0.1, 0.9]]
    >>> predicted = [[0.7, 0.3], [0.4, 0.6], [0.3, 0.7], [0.2, 0.8]]
    >>> table = misclassification_table(truth, predicted, shapes)
    >>> table["n", "rate", "rate_commonest"][0].as_void().tolist()
    (4, 0.5, 0.25)
    """
    scheme, truth, predicted = check_outputs(truth, predicted, scheme)
    names = class_names(scheme)
    clear = np.array([name != UNCERTAIN for name in names])

    def statistic(true, found):
        counts = _count(true, found, len(names))
        return [[_rate(counts), _rate(counts[clear][:, clear])]]

    def of_fractions(truth, predicted):
        return statistic(*_classify(truth, predicted, scheme))

    places = _classify(truth, predicted, scheme)
    counts = _count(*places, len(names))
    both = counts, counts[clear][:, clear]
    table = result_columns(
        {
            "galaxies": ["all", "clear"],
            "n": [c.sum() for c in both],
            **with_errors(
                ("rate",),
                statistic,
                *places,
                groups=groups,
                n_samples=n_samples,
                seed=seed,
            ),
            "rate_commonest": [1 - float(ratio(_most(c), c.sum())) for c in both],
            **perfect_columns(("rate",), of_fractions, truth, predicted, n_votes, seed),
        }
    )
    return table if UNCERTAIN in names else table[:1]


def _places(true, predicted, names):
    """Numbers of the classes; -1 for none."""
    number = {name: i for i, name in enumerate(names)} | {"": -1}
    true, predicted = [str(name) for name in true], [str(name) for name in predicted]
    if len(true) != len(predicted):
        raise ConfigurationError(
            f"true, predicted: expected as many classes, found {len(true)} and"
            f" {len(predicted)}"
        )
    unknown = sorted({*true, *predicted} - set(number))
    if unknown:
        raise ConfigurationError(
            f"true, predicted: found the classes {unknown}, which are not among the"
            f" names {list(names)}"
        )
    return (
        np.array([number[name] for name in true], dtype=int),
        np.array([number[name] for name in predicted], dtype=int),
    )


def _classify(truth, predicted, scheme):
    classes = [dominant_class(fractions, scheme) for fractions in (truth, predicted)]
    return _places(*classes, class_names(scheme))


def _count(true, predicted, n_classes):
    good = (true >= 0) & (predicted >= 0)
    flat = true[good] * n_classes + predicted[good]
    return np.bincount(flat, minlength=n_classes**2).reshape(n_classes, n_classes)


def _rate(counts):
    return 1 - float(ratio(np.trace(counts), counts.sum()))


def _completeness_purity(counts):
    right = np.diag(counts)
    return np.stack(
        [ratio(right, counts.sum(axis=1)), ratio(right, counts.sum(axis=0))]
    )


def _most(counts):
    return counts.sum(axis=1).max()
