# Licensed under a 3-clause BSD style license - see licenses/LICENSE.rst
"""
How unlike the training images an image is, as the network sees it.
"""

from dataclasses import dataclass

import numpy as np
from scipy.optimize import minimize
from scipy.special import expit

from galmorph.core import BundleError
from galmorph.models._weights import read_arrays, write_arrays

__all__ = ["Domain", "fit_domain", "with_features"]

# more directions than these hold noise, and much memory where features are many
_MOST_DIRECTIONS = 64
# directions with a smaller share of the largest variance are left out
_LEAST_VARIANCE = 1e-5
# share of held-out galaxies that are beyond the limit
_BEYOND = 0.01
# of the odds of being an outlier this root counts, and no more than this logarithm
_ROOT = 4
MOST_ODDS = 5.0


@dataclass(frozen=True)
class Domain:
    """
    The features of a network on the galaxies that it learned from.

    The distance of an image is the Mahalanobis distance of its features, that is
    of what the network's last layer sees (Lee et al. 2018, NeurIPS 31, 7167, with
    one class), over the distance that 1 % of held-out galaxies of the training's
    kind exceed. Above 1 an image is unlike them. Where images were known that are
    no galaxies (outlier exposure, Hendrycks, Mazeika & Dietterich 2019, ICLR), the
    odds of being one of them count too, if they say that it is further away.

    Parameters
    ----------
    mean : `~numpy.ndarray`
        Mean features, shape (features,).
    directions : `~numpy.ndarray`
        Shape (features, directions): the distance is the length of the features
        minus their mean, times this matrix.
    outliers : `~numpy.ndarray`, optional
        Shape (features + 1,): the logarithm of the distance by the odds is linear
        in the features, with these weights and, last, this constant.

    Examples
    --------
    >>> import numpy as np
    >>> from galmorph.models import Domain
    >>> domain = Domain(np.zeros(2), np.diag([0.5, 0.1]))
    >>> domain.distances(np.array([[1.0, 0.0], [0.0, 30.0]]))
    array([0.5, 3. ], dtype=float32)
    """

    mean: np.ndarray
    directions: np.ndarray
    outliers: np.ndarray | None = None

    def distances(self, features):
        """
        Distances of images from those of the training.

        Parameters
        ----------
        features : array_like
            Shape (..., features).

        Returns
        -------
        distances : `~numpy.ndarray`
            Shape (...), float32.
        """
        features = np.asarray(features)
        squares = np.square((features - self.mean) @ self.directions)
        distances = np.sqrt(np.sum(squares, axis=-1)).astype(np.float32)
        if self.outliers is None:
            return distances
        odds = features @ self.outliers[:-1] + self.outliers[-1]
        return np.maximum(distances, np.exp(np.minimum(odds, MOST_ODDS)))

    def to_bytes(self):
        """
        The domain as an HDF5 file.

        Returns
        -------
        content : bytes
        """
        arrays = {"mean": self.mean, "directions": self.directions}
        if self.outliers is not None:
            arrays["outliers"] = self.outliers
        return write_arrays(arrays, "float32")

    @classmethod
    def from_bytes(cls, content):
        """
        Read what `to_bytes` wrote.

        Parameters
        ----------
        content : bytes

        Returns
        -------
        domain : `Domain`

        Raises
        ------
        BundleError
            If it is no such file.
        """
        arrays = read_arrays(content)
        if set(arrays) - {"outliers"} != {"directions", "mean"}:
            raise BundleError(f"expected 'directions' and 'mean', found {list(arrays)}")
        mean, directions = arrays["mean"], arrays["directions"]
        outliers = arrays.get("outliers")
        if mean.ndim != 1 or directions.ndim != 2 or len(mean) != len(directions):
            raise BundleError(
                f"mean and directions have the shapes {mean.shape} and"
                f" {directions.shape}"
            )
        if outliers is not None and outliers.shape != (len(mean) + 1,):
            raise BundleError(
                f"mean and outliers have the shapes {mean.shape} and {outliers.shape}"
            )
        return cls(mean, directions, outliers)


def fit_domain(features, held_out, outliers=None):
    """
    Describe the domain of a network.

    Parameters
    ----------
    features : array_like
        Features of the galaxies that it learned from, shape (n, features).
    held_out : array_like
        Those of others of the same kind, which set the scale: of the mean distance
        of their views, where the shape is (views, n, features).
    outliers : array_like, optional
        Those of images that are no galaxies.

    Returns
    -------
    domain : `Domain` or `None`
        `None` where there are fewer than two galaxies of either, or where the
        features do not vary.

    Examples
    --------
    >>> import numpy as np
    >>> from galmorph.models.domain import fit_domain
    >>> random = np.random.default_rng(0)
    >>> known, held_out, others = random.normal(size=(3, 1000, 8))
    >>> domain = fit_domain(known, held_out)
    >>> bool(np.mean(domain.distances(others + 3) > 1) > 0.9)
    True
    """
    features = np.asarray(features, float)
    views = np.asarray(held_out, float)
    views = views if views.ndim == 3 else views[None]
    if min(len(features), views.shape[1]) < 2:
        return None
    held_out = views.reshape(-1, views.shape[2])
    mean = features.mean(axis=0)
    variances, vectors = np.linalg.eigh(
        np.cov(features.T, ddof=0).reshape(2 * mean.shape)
    )
    kept = variances > _LEAST_VARIANCE * variances.max()
    kept &= variances > 0
    kept[: max(len(kept) - _MOST_DIRECTIONS, 0)] = False
    if not kept.any():
        return None
    directions = vectors[:, kept] / np.sqrt(variances[kept])
    # the two kinds of distance share the galaxies that may be beyond the limit
    beyond = _BEYOND if outliers is None else _BEYOND / 2
    limit = np.quantile(Domain(mean, directions).distances(held_out), 1 - beyond)
    if not limit > 0:
        return None
    if outliers is not None:
        outliers = _fit_outliers(features, np.asarray(outliers, float))
        odds = held_out @ outliers[:-1] + outliers[-1]
        outliers[-1] -= np.quantile(odds, 1 - beyond)
        outliers /= _ROOT
    directions /= limit
    # of both kinds together, and of the mean over the views
    distances = Domain(mean, directions, outliers).distances(views).mean(axis=0)
    limit = np.quantile(distances, 1 - _BEYOND)
    directions /= limit
    if outliers is not None:
        outliers[-1] -= np.log(limit)
        outliers = outliers.astype(np.float32)
    return Domain(mean.astype(np.float32), directions.astype(np.float32), outliers)


def _fit_outliers(features, outliers):
    """Weights and constant of the logarithm of the odds of being an outlier."""
    x = np.concatenate([features, outliers])
    is_one = np.arange(len(x)) >= len(features)
    mean, spread = x.mean(axis=0), x.std(axis=0)
    spread[spread == 0] = 1
    x = np.column_stack([(x - mean) / spread, np.ones(len(x))])
    # both kinds count alike, however many there are
    share = np.where(is_one, 0.5 / is_one.sum(), 0.5 / (~is_one).sum())

    def likelihood(weights):
        logit = x @ weights
        value = share @ (np.logaddexp(0, logit) - is_one * logit)
        slope = x.T @ (share * (expit(logit) - is_one))
        return value + 5e-5 * weights @ weights, slope + 1e-4 * weights

    weights = minimize(likelihood, np.zeros(x.shape[1]), jac=True, method="L-BFGS-B").x
    weights[:-1] /= spread
    weights[-1] -= weights[:-1] @ mean
    return weights


def with_features(model):
    """
    The same network, which also gives what its last layer sees.

    Parameters
    ----------
    model : `keras.Model`
        Made by `~galmorph.models.build`.

    Returns
    -------
    model : `keras.Model`
        Its outputs are the fractions and the features.
    """
    from galmorph.models._keras import keras

    return keras.Model(model.input, [model.output, model.get_layer("output").input])
