# Licensed under a 3-clause BSD style license - see licenses/LICENSE.rst
"""
Prediction: members of an ensemble and views of a stamp averaged, with errors.
"""

import contextlib
from typing import NamedTuple

import numpy as np

from galmorph.core import ConfigurationError
from galmorph.models._keras import keras
from galmorph.models.domain import MOST_ODDS, with_features
from galmorph.models.errors import ErrorModel
from galmorph.models.layers import MOST_VIEWS, views
from galmorph.models.networks import is_symmetric

__all__ = ["BATCH", "Prediction", "Predictor"]

BATCH = 64
"""Most stamps, times views, that a network is given at a time."""

_PRECISIONS = {"float32": "float32", "mixed": "mixed_bfloat16"}


class Prediction(NamedTuple):
    """
    What `Predictor` says of n stamps.

    Parameters
    ----------
    fractions, errors : `~numpy.ndarray`
        Two arrays of shape (n, outputs), float32. The error is the square
        root of the squared spread over members and views, plus the squared
        scatter of the calibration at the predicted fraction; NaN where
        there is neither.
    distances : `~numpy.ndarray`
        How unlike the training images the stamps are, see `Domain`; shape (n,),
        float32, NaN where the model does not know.
    """

    fractions: np.ndarray
    errors: np.ndarray
    distances: np.ndarray


class Predictor:
    """
    Predict fractions of votes and their errors from stamps.

    The network always sees batches of one size, filled up with zeros, and is
    compiled once for it. A row's result therefore does not depend on the rows
    that it comes with; where it stands in a batch may change it by rounding
    (less than 1e-6).

    Parameters
    ----------
    bundle : `~galmorph.models.ModelBundle`
        The model.
    views : int, optional
        Number of `~galmorph.models.views` that are averaged, 1 to 8, each as much
        work as the first; by default what the bundle says.
    device : str or list of str, optional
        Device in Keras's notation, e.g. ``'cpu:0'`` or ``'gpu:0'``; by default
        the backend's choice. Several devices each have a copy of the network and
        are given batches in turns, which does not change the results.
    precision : {'float32', 'mixed'}, optional
        Of the layers but the last: ``'mixed'`` computes in bfloat16, which is
        faster on GPUs and on processors that know it, several times slower on
        others, and changes fractions by about 0.002 at most.

    Attributes
    ----------
    rows : int
        Number of stamps in a batch of the network.

    Raises
    ------
    ConfigurationError
        If ``views`` is not 1 to 8, if the stamps are not square and so cannot
        be turned, or if there is no such precision or device.
    BundleError
        If the weights do not fit the network.

    Examples
    --------
    >>> from galmorph.models import Predictor, fetch_model, load_bundle
    >>> predictor = Predictor(load_bundle(fetch_model()))  # doctest: +SKIP
    >>> fractions, errors, distances = predictor.predict(stamps)  # doctest: +SKIP
    """

    def __init__(self, bundle, *, views=None, device=None, precision="float32"):
        if precision not in _PRECISIONS:
            raise ConfigurationError(
                f"precision: found {precision!r}; choose one of {tuple(_PRECISIONS)}"
            )
        self._shape = bundle.input_shape
        self._views = bundle.config["views"] if views is None else views
        if self._views not in range(1, MOST_VIEWS + 1):
            raise ConfigurationError(
                f"views: expected 1 to {MOST_VIEWS}; found {self._views!r}"
            )
        self._views = int(self._views)
        if self._views > 1 and self._shape[0] != self._shape[1]:
            raise ConfigurationError(
                f"views: stamps of {self._shape[0]} x {self._shape[1]} pixels cannot"
                " be turned; give views=1"
            )
        self._symmetric = is_symmetric(bundle.config["architecture"]["name"])
        self.rows = BATCH // self._views
        self._n_outputs = bundle.scheme.n_outputs
        self._errors = None
        if bundle.calibration is not None:
            self._errors = ErrorModel(bundle.calibration, bundle.scheme.outputs)
        self._domain = bundle.domain
        # a function for each device; compiled ones do not keep the weights alive
        self._models, self._functions = [], []
        for each in _devices(device):
            models = bundle.models(_PRECISIONS[precision], each)
            self._models += models
            with _on_device(each):
                self._functions.append((each, self._compiled(models)))

    def _compiled(self, models):
        """
        Function of a batch: outputs (members * views, rows, outputs) and distances
        (rows,).
        """
        ops, domain = keras.ops, self._domain
        first, *others = models
        if domain is not None:
            first = with_features(first)

        def function(stamps):
            images = views(stamps, self._views, symmetric=self._symmetric)
            images = ops.reshape(images, (-1, *self._shape))
            found = first(images, training=False)
            distances = ops.full((self.rows,), np.nan)
            if domain is not None:
                found, features = found
                features = ops.cast(features, "float32")
                away = ops.matmul(features - domain.mean, domain.directions)
                distances = ops.sqrt(ops.sum(ops.square(away), axis=1))
                if domain.outliers is not None:
                    weights, constant = domain.outliers[:-1], domain.outliers[-1]
                    odds = ops.matmul(features, weights)
                    odds = ops.minimum(odds + constant, MOST_ODDS)
                    distances = ops.maximum(distances, ops.exp(odds))
                distances = ops.reshape(distances, (self._views, self.rows))
                distances = ops.mean(distances, axis=0)
            found = [found, *(model(images, training=False) for model in others)]
            shape = (self._views, self.rows, self._n_outputs)
            found = ops.concatenate([ops.reshape(each, shape) for each in found])
            return found, distances

        if keras.backend.backend() != "tensorflow":
            return function
        import tensorflow as tf

        compiled = tf.function(function, autograph=False)
        return compiled.get_concrete_function(
            tf.TensorSpec((self.rows, *self._shape), tf.float32)
        )

    def predict(self, stamps):
        """
        Fractions of votes, their errors, and how unusual the stamps are.

        Parameters
        ----------
        stamps : array_like
            Stamps of shape (n, height, width, bands), float32, made with the
            bundle's own preprocessing.

        Returns
        -------
        prediction : `Prediction`
            Rows with a pixel that is not finite are NaN.

        Raises
        ------
        ConfigurationError
            If the stamps have another shape than the model reads, or are not
            numbers.
        """
        stamps = np.asarray(stamps)
        if stamps.dtype.kind not in "fiub":
            raise ConfigurationError(
                f"stamps: expected real numbers, found {stamps.dtype}"
            )
        if stamps.ndim != 4 or stamps.shape[1:] != self._shape:
            raise ConfigurationError(
                f"stamps: the model reads the shape (n, {str(self._shape)[1:]};"
                f" found {stamps.shape}"
            )
        fractions = np.full((len(stamps), self._n_outputs), np.nan, np.float32)
        errors = fractions.copy()
        distances = fractions[:, 0].copy()
        starts = range(0, len(stamps), self.rows)
        for i in range(0, len(starts), len(self._functions)):
            # all devices are at work before the first result is waited for
            begun = [
                (first, *self._begin(stamps[first : first + self.rows], *function))
                for first, function in zip(
                    starts[i : i + len(self._functions)], self._functions, strict=False
                )
            ]
            for first, good, found in begun:
                rows = first + np.flatnonzero(good)
                self._finish(found, good, rows, fractions, errors, distances)
        return Prediction(fractions, errors, distances)

    def _begin(self, stamps, device, function):
        """Which stamps are good, and what the network begins to find in a batch."""
        stamps = stamps.astype(np.float32)
        batch = np.zeros((self.rows, *self._shape), np.float32)
        good = np.isfinite(stamps).all(axis=(1, 2, 3))
        batch[: len(stamps)][good] = stamps[good]
        with _on_device(device):
            return good, function(keras.ops.convert_to_tensor(batch))

    def _finish(self, found, good, rows, fractions, errors, distances):
        """Fill in rows of the results."""
        predicted, away = map(keras.ops.convert_to_numpy, found)
        predicted = predicted[:, : len(good)][:, good]
        fractions[rows] = predicted.mean(axis=0)
        distances[rows] = away[: len(good)][good]
        if self._errors is not None:
            variance = predicted.var(axis=0)
            variance += self._errors.errors(fractions[rows]) ** 2
            errors[rows] = np.sqrt(variance)
        elif len(predicted) > 1:
            errors[rows] = predicted.std(axis=0)


def _devices(device):
    """The devices that a user names, which must be there; `None` for no choice."""
    if device is None:
        return (None,)
    devices = tuple(device) if isinstance(device, (list, tuple)) else (device,)
    if not devices:
        raise ConfigurationError("device: the list is empty; give none for any device")
    for each in devices:
        _check_device(each)
    return devices


def _on_device(device):
    return contextlib.nullcontext() if device is None else keras.device(device)


def _check_device(device):
    """Refuse a device that the backend does not have."""
    try:
        with keras.device(device):
            found = str(getattr(keras.ops.zeros(1), "device", "")).lower()
    except (AttributeError, RuntimeError, TypeError, ValueError) as error:
        raise ConfigurationError(
            f"device: {device!r} cannot be used: {' '.join(str(error).split())}"
        ) from error
    # TensorFlow takes another device where the wanted one is missing
    wanted = device.lower() if ":" in device else f"{device.lower()}:0"
    if keras.backend.backend() == "tensorflow" and not found.endswith(wanted):
        raise ConfigurationError(
            f"device: there is no {device!r} on this machine; give e.g. 'cpu:0', or"
            " none for the backend's choice"
        )
