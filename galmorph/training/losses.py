# Licensed under a 3-clause BSD style license - see licenses/LICENSE.rst
"""
What a network is trained to make small, where labels may be missing or uncertain.
"""

import numpy as np

__all__ = ["LOSSES", "masked_binomial", "masked_mse", "targets"]


def targets(labels, votes=None):
    """
    Labels and their weights side by side, as the losses read them.

    Parameters
    ----------
    labels : `~numpy.ndarray`
        Fractions of shape (n, outputs), NaN where missing.
    votes : `~numpy.ndarray`, optional
        Numbers of votes, of shape (n,) or (n, outputs); 1 where not given.

    Returns
    -------
    targets : `~numpy.ndarray`
        Array of shape (n, 2 * outputs), float32: the labels, with 0 where they
        are missing, then the votes, with 0 where there is no label.

    Examples
    --------
    >>> import numpy as np
    >>> from galmorph.training.losses import targets
    >>> targets(np.array([[0.5, np.nan]]), np.array([10])).tolist()
    [[0.5, 0.0, 10.0, 0.0]]
    """
    labels = np.asarray(labels, np.float32)
    votes = np.float32(1) if votes is None else np.asarray(votes, np.float32)
    votes = votes[:, None] if votes.ndim == 1 else votes
    weights = np.where(np.isfinite(labels), votes, 0).astype(np.float32)
    weights = np.nan_to_num(weights)
    return np.concatenate([np.nan_to_num(labels), weights], axis=1)


def _split(truth, predicted):
    from galmorph.models._keras import keras

    outputs = predicted.shape[-1]
    # under torch, Keras hands over what it was given
    truth = keras.ops.convert_to_tensor(truth)
    return truth[..., :outputs], truth[..., outputs:]


def _shares(losses, weights):
    """What each object adds to the weighted mean, times the number of objects."""
    from galmorph.models._keras import keras

    ops = keras.ops
    total = ops.maximum(ops.sum(weights), 1.0)
    n = ops.cast(ops.shape(losses)[0], losses.dtype)
    return ops.sum(losses * weights, axis=-1) * n / total


def masked_mse(truth, predicted):
    """
    Mean squared error of the labels that are there, each with the same weight.

    Parameters
    ----------
    truth : tensor
        As `targets` makes them.
    predicted : tensor
        Fractions of shape (n, outputs).

    Returns
    -------
    losses : tensor
        Shape (n,); their mean is the loss of the batch.

    Examples
    --------
    >>> import numpy as np
    >>> from galmorph.training.losses import masked_mse, targets
    >>> truth = targets(np.array([[0.5, np.nan]]))
    >>> losses = masked_mse(truth, np.array([[0.7, 0.1]], "f4"))
    >>> np.asarray(losses).round(3)
    array([0.04], dtype=float32)
    """
    from galmorph.models._keras import keras

    ops = keras.ops
    labels, votes = _split(truth, predicted)
    known = ops.cast(votes > 0, predicted.dtype)
    return _shares(ops.square(predicted - labels), known)


def masked_binomial(truth, predicted):
    """
    Negative logarithm of the binomial likelihood of the votes, for each vote.

    A galaxy with forty votes counts ten times as much as one with four. The
    binomial coefficients, which do not depend on the network, are left out.

    Parameters
    ----------
    truth : tensor
        As `targets` makes them.
    predicted : tensor
        Fractions of shape (n, outputs).

    Returns
    -------
    losses : tensor
        Shape (n,); their mean is the loss of the batch.

    Examples
    --------
    >>> import numpy as np
    >>> from galmorph.training.losses import masked_binomial, targets
    >>> truth = targets(np.array([[1.0], [0.0]]), np.array([3, 1]))
    >>> losses = masked_binomial(truth, np.array([[0.75], [0.75]], "f4"))
    >>> loss = float(np.mean(losses))
    >>> round(loss, 4), round(float(-np.log(0.75**3 * 0.25) / 4), 4)
    (0.5623, 0.5623)
    """
    from galmorph.models._keras import keras

    ops = keras.ops
    labels, votes = _split(truth, predicted)
    predicted = ops.clip(predicted, 1e-6, 1 - 1e-6)
    likelihood = labels * ops.log(predicted) + (1 - labels) * ops.log(1 - predicted)
    return _shares(-likelihood, votes)


LOSSES = {"mse": masked_mse, "binomial": masked_binomial}
"""The losses by name."""
