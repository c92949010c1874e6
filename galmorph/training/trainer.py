# Licensed under a 3-clause BSD style license - see licenses/LICENSE.rst
"""
The loop that trains one network, and can go on after it was interrupted.
"""

import json
import os
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np

from galmorph.evaluation import rmse
from galmorph.training.augmentation import augment

__all__ = ["fit", "learning_rate", "predict"]

_CHECKPOINT = "checkpoint.npz"
# shares of the epochs after which the learning rate is a tenth, a hundredth
_STEPS = (0.6, 0.85)


def _masked_mse(truth, predicted):
    from galmorph.models._keras import keras

    ops = keras.ops
    known = ops.isfinite(truth)
    square = ops.square(predicted - ops.where(known, truth, 0.0))
    known = ops.cast(known, square.dtype)
    return ops.sum(square * known) / ops.maximum(ops.sum(known), 1.0)


def _optimizer(name, learning_rate):
    from galmorph.models._keras import keras

    if name == "adam":
        return keras.optimizers.Adam(learning_rate)
    return keras.optimizers.SGD(learning_rate, momentum=0.9, nesterov=True)


def learning_rate(config, epoch):
    """
    Learning rate of an epoch.

    Parameters
    ----------
    config : `TrainingConfig`
    epoch : int
        Number of the epoch, from 0.

    Returns
    -------
    rate : float

    Examples
    --------
    >>> from galmorph.training import TrainingConfig
    >>> from galmorph.training.trainer import learning_rate
    >>> config = TrainingConfig(epochs=20, learning_rate=0.01, schedule="steps")
    >>> [round(learning_rate(config, epoch), 5) for epoch in (0, 12, 19)]
    [0.01, 0.001, 0.0001]
    """
    done = epoch / config.epochs
    if config.schedule == "cosine":
        return float(0.5 * config.learning_rate * (1 + np.cos(np.pi * done)))
    if config.schedule == "steps":
        return config.learning_rate * 0.1 ** sum(done >= step for step in _STEPS)
    return config.learning_rate


def fit(
    model,
    training,
    validation,
    folder,
    *,
    config,
    augmentation=None,
    resume=False,
    report=None,
):
    """
    Train a network and leave it with the weights of its best epoch.

    Training stops early where the validation RMSE has not fallen for
    ``config.patience`` epochs. After each epoch everything that the next one
    needs is written to ``folder``; random numbers belong to the epoch, so that
    a run that was interrupted goes on as if it had not been.

    Parameters
    ----------
    model : `keras.Model`
    training, validation : `Dataset`
        Stamps, with a margin or without, and labels.
    folder : `~pathlib.Path`
        Where the checkpoint goes.
    config : `TrainingConfig`
    augmentation : `Augmentation`, optional
        None for `None`.
    resume : bool, optional
        Go on from the checkpoint in ``folder``, if there is one.
    report : callable, optional
        Called with the history after each epoch.

    Returns
    -------
    history : list of dict
        One entry per epoch: ``epoch``, ``rmse`` of training (with augmentation
        and dropout), ``val_rmse`` and
        the list ``val_rmse_of`` each output, ``learning_rate``, ``seconds``
        and ``images_per_second``.
    """
    shape = model.input_shape[1]
    model.compile(
        optimizer=_optimizer(config.optimizer, config.learning_rate),
        loss=_masked_mse,
        jit_compile=config.jit_compile,
    )
    model.optimizer.build(model.trainable_variables)
    checkpoint = Path(folder) / _CHECKPOINT
    history, best = [], _values(model.variables)
    if resume and checkpoint.exists():
        history, best = _restore(checkpoint, model)
    while len(history) < config.epochs and not _is_over(history, config.patience):
        epoch = len(history)
        rate = learning_rate(config, epoch)
        model.optimizer.learning_rate.assign(rate)
        start = time.monotonic()
        random = np.random.default_rng([config.seed, epoch])
        train_rmse, count = _one_epoch(
            model, training, shape, augmentation, config.batch_size, random
        )
        seconds = time.monotonic() - start
        predicted = predict(model, validation.stamps)
        history.append(
            {
                "epoch": epoch + 1,
                "rmse": train_rmse,
                "val_rmse": float(rmse(validation.labels, predicted)),
                "val_rmse_of": rmse(validation.labels, predicted, axis=0).tolist(),
                "learning_rate": rate,
                "seconds": seconds,
                "images_per_second": count / seconds,
            }
        )
        if history[-1]["val_rmse"] == min(entry["val_rmse"] for entry in history):
            best = _values(model.variables)
        _save(checkpoint, model, history, best)
        if report is not None:
            report(history)
    _assign(model.variables, best)
    return history


def predict(model, stamps, batch_size=256):
    """
    Outputs of a network for the middle of stamps.

    Parameters
    ----------
    model : `keras.Model`
    stamps : `~numpy.ndarray`
        Array of shape (n, side, side, bands), with a margin or without.
    batch_size : int, optional
        Number of stamps per step.

    Returns
    -------
    outputs : `~numpy.ndarray`
        Array of shape (n, outputs), float32.
    """
    middle = augment(stamps, model.input_shape[1], None, None)
    n = len(middle)
    # a last batch of another size would be compiled for itself
    padding = np.zeros((-n % batch_size, *middle.shape[1:]), np.float32)
    middle = np.concatenate([middle, padding])
    outputs = [
        model.predict_on_batch(middle[i : i + batch_size])
        for i in range(0, len(middle), batch_size)
    ]
    return np.concatenate(outputs)[:n]


def _is_over(history, patience):
    scores = [entry["val_rmse"] for entry in history]
    return bool(scores) and len(scores) - 1 - int(np.argmin(scores)) >= patience


def _one_epoch(model, training, shape, augmentation, batch_size, random):
    """Train on every stamp once; the RMSE over the epoch and the number of stamps."""
    order = random.permutation(len(training))
    # whole batches only, so that the network is compiled for one size
    count = max(len(order) // batch_size, 1)
    losses = []

    def batch(i):
        rows = np.sort(order[i * batch_size : (i + 1) * batch_size])
        return (
            augment(training.stamps[rows], shape, augmentation, random),
            training.labels[rows],
        )

    # the next batch is made while the network works on this one
    with ThreadPoolExecutor(1) as ahead:
        coming = ahead.submit(batch, 0)
        for i in range(count):
            stamps, labels = coming.result()
            if i + 1 < count:
                coming = ahead.submit(batch, i + 1)
            losses.append(float(model.train_on_batch(stamps, labels)))
            model.reset_metrics()
    return float(np.sqrt(np.mean(losses))), min(count * batch_size, len(order))


def _values(variables):
    return [np.array(variable.numpy()) for variable in variables]


def _assign(variables, values):
    for variable, value in zip(variables, values, strict=True):
        variable.assign(value)


def _save(path, model, history, best):
    arrays = {"history": np.array(json.dumps(history))}
    groups = {
        "model": _values(model.variables),
        "optimizer": _values(model.optimizer.variables),
        "best": best,
    }
    for name, values in groups.items():
        arrays |= {f"{name}/{i}": value for i, value in enumerate(values)}
    part = path.with_suffix(".part")
    with open(part, "wb") as file:
        np.savez(file, **arrays)
    os.replace(part, path)


def _restore(path, model):
    with np.load(path, allow_pickle=False) as saved:

        def group(name, count):
            return [saved[f"{name}/{i}"] for i in range(count)]

        _assign(model.variables, group("model", len(model.variables)))
        variables = model.optimizer.variables
        _assign(variables, group("optimizer", len(variables)))
        best = group("best", len(model.variables))
        return json.loads(str(saved["history"])), best
