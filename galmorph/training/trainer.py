# Licensed under a 3-clause BSD style license - see licenses/LICENSE.rst
"""
The loop that trains one network, and can go on after it was interrupted.
"""

import json
import os
import time
from collections import deque
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np

from galmorph.core import ConfigurationError
from galmorph.evaluation import rmse
from galmorph.training._records import write_arrays
from galmorph.training.augmentation import augment
from galmorph.training.losses import LOSSES, masked_mse, targets

__all__ = ["fit", "learning_rate", "predict"]

_CHECKPOINT = "checkpoint.npz"
_MOST_TO_NORMALISE = 4096  # stamps
_AHEAD = min(os.cpu_count() or 1, 8)  # batches that are made in advance
# shares of the epochs after which the learning rate is a tenth, a hundredth
_STEPS = (0.6, 0.85)


def _optimizer(config, rates):
    """The optimizer; ``rates`` are factors of the learning rate by variable."""
    from galmorph.models._keras import keras

    options = {"learning_rate": config.learning_rate}
    if config.ema:
        options |= {"use_ema": True, "ema_momentum": config.ema}
    if config.optimizer == "adam":
        kind = keras.optimizers.Adam
        if config.weight_decay:
            kind = keras.optimizers.AdamW
            options["weight_decay"] = config.weight_decay
    else:
        kind = keras.optimizers.SGD
        options |= {"momentum": 0.9, "nesterov": True}
    if not rates:
        return kind(**options)
    if keras.backend.backend() == "torch":
        raise ConfigurationError(
            "trunk_rate: with torch all layers learn at one rate; use another backend"
        )

    class Layerwise(kind):
        def update_step(self, gradient, variable, learning_rate):
            # TensorFlow gives its own variable, without a path
            path = getattr(variable, "path", variable.name.partition(":")[0])
            learning_rate = learning_rate * rates.get(path, 1.0)
            super().update_step(gradient, variable, learning_rate)

    return Layerwise(**options)


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
    rates=None,
    judge=None,
    resume=False,
    report=None,
):
    """
    Train a network and leave it with the weights of its best epoch.

    Training stops early where the validation RMSE has not fallen for
    ``config.patience`` epochs. After each epoch everything that the next one
    needs is written to ``folder``; random numbers belong to the epoch, so that
    a run that was interrupted goes on as if it had not been. With
    ``config.ema`` it is the running average of the weights that is validated
    and kept, with a normalisation of its own.

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
    rates : dict, optional
        Factor of the learning rate for the variables of these paths.
    judge : `keras.Model`, optional
        A network of the same kind that predicts for the one that learns, where
        that is spread over several devices; it is left with the best weights.
    resume : bool, optional
        Go on from the checkpoint in ``folder``, if there is one.
    report : callable, optional
        Called with the history after each epoch.

    Returns
    -------
    history : list of dict
        One entry per epoch: ``epoch``, ``rmse`` of training (with augmentation
        and dropout), ``val_rmse`` and
        the list ``val_rmse_of`` each output, ``learning_rate``, ``seconds``,
        ``images_per_second`` and ``waiting``, the share of the time in which
        the network waited for stamps.
    """
    from galmorph.models._keras import keras

    shape = model.input_shape[1]
    judge = judge or model
    spread = judge is not model
    model.compile(
        optimizer=_optimizer(config, rates),
        loss=LOSSES[config.loss],
        metrics=[masked_mse],
        jit_compile=config.jit_compile or keras.backend.backend() == "jax",
    )
    model.optimizer.build(model.trainable_variables)
    put_averages = model.optimizer.finalize_variable_values
    if spread:
        # `fit` would go on with the averages after every epoch
        model.optimizer.finalize_variable_values = lambda variables: None
    checkpoint = Path(folder) / _CHECKPOINT
    history, best = [], _values(model.variables)
    if resume and checkpoint.exists():
        history, best = _restore(checkpoint, model)
    while len(history) < config.epochs and not _is_over(history, config.patience):
        epoch = len(history)
        rate = learning_rate(config, epoch)
        model.optimizer.learning_rate.assign(rate)
        start = time.monotonic()
        train_rmse, count, waiting = _one_epoch(
            model, training, shape, augmentation, config, epoch, spread
        )
        seconds = time.monotonic() - start
        if config.ema:
            latest = _values(model.trainable_variables)
            put_averages(model.trainable_variables)
            # JAX gives away what a compiled step was given: it may not be shared
            _assign(model.trainable_variables, _values(model.trainable_variables))
            _normalise(model, training, shape, augmentation, config, epoch)
        if spread:
            _assign(judge.variables, _values(model.variables))
        (predicted,) = predict(judge, validation.stamps)
        history.append(
            {
                "epoch": epoch + 1,
                "rmse": train_rmse,
                "val_rmse": float(rmse(validation.labels, predicted)),
                "val_rmse_of": rmse(validation.labels, predicted, axis=0).tolist(),
                "learning_rate": rate,
                "seconds": seconds,
                "images_per_second": count / seconds,
                "waiting": waiting / seconds,
            }
        )
        if history[-1]["val_rmse"] == min(entry["val_rmse"] for entry in history):
            best = _values(model.variables)
        if config.ema:
            _assign(model.trainable_variables, latest)
        _save(checkpoint, model, history, best)
        if report is not None:
            report(history)
    _assign(judge.variables, best)
    return history


def predict(model, stamps, *, views=1, batch_size=256):
    """
    Outputs of a network for the middle of stamps, for each view of them.

    Parameters
    ----------
    model : `keras.Model`
    stamps : `~numpy.ndarray`
        Array of shape (n, side, side, bands), with a margin or without.
    views : int, optional
        Number of `~galmorph.models.views`.
    batch_size : int, optional
        Number of stamps per step.

    Returns
    -------
    outputs : `~numpy.ndarray`
        Array of shape (views, n, outputs), float32.
    """
    from galmorph.models import is_symmetric
    from galmorph.models import views as views_of
    from galmorph.models._keras import keras

    symmetric = is_symmetric(model)
    n = len(stamps)
    outputs = []
    for first in range(0, n, batch_size):
        part = stamps[first : first + batch_size]
        batch = np.zeros((batch_size, *model.input_shape[1:]), np.float32)
        # a last batch of another size would be compiled for itself
        batch[: len(part)] = augment(part, model.input_shape[1], None, None)
        found = views_of(batch, views, symmetric=symmetric)
        found = np.asarray(keras.ops.convert_to_numpy(found))
        outputs.append([model.predict_on_batch(view) for view in found])
    return np.concatenate(outputs, axis=1)[:, :n]


def _is_over(history, patience):
    scores = [entry["val_rmse"] for entry in history]
    return bool(scores) and len(scores) - 1 - int(np.argmin(scores)) >= patience


def _one_epoch(model, training, shape, augmentation, config, epoch, spread):
    """Train on every stamp once; RMSE, number of stamps, seconds waited for them."""
    from galmorph.models._keras import keras

    size = config.batch_size
    order = np.random.default_rng([config.seed, epoch]).permutation(len(training))
    # whole batches only, so that the network is compiled for one size
    count = max(len(order) // size, 1)
    wanted = targets(training.labels, training.votes)
    waiting = 0.0

    def batch(i):
        rows = np.sort(order[i * size : (i + 1) * size])
        # random numbers belong to the batch, whichever thread makes it
        random = np.random.default_rng([config.seed, epoch, i])
        return (
            augment(training.stamps[rows], shape, augmentation, random),
            wanted[rows],
        )

    def batches():
        # the next ones are made while the network works on this one
        nonlocal waiting
        with ThreadPoolExecutor(_AHEAD) as ahead:
            coming = deque(ahead.submit(batch, i) for i in range(min(_AHEAD, count)))
            for i in range(count):
                start = time.monotonic()
                found = coming.popleft().result()
                waiting += time.monotonic() - start
                if i + _AHEAD < count:
                    coming.append(ahead.submit(batch, i + _AHEAD))
                yield found

    if spread and keras.backend.backend() == "tensorflow":
        # Keras deals a batch out to the devices in `fit` only, TensorFlow where it
        # knows the size
        import tensorflow as tf

        first = batch(0)
        data = tf.data.Dataset.from_generator(
            batches,
            output_signature=tuple(tf.TensorSpec(a.shape, a.dtype) for a in first),
        )
        fitted = model.fit(data, steps_per_epoch=count, epochs=1, verbose=0)
        square = fitted.history["masked_mse"][0]
    else:
        squares = []
        for stamps, labels in batches():
            scores = model.train_on_batch(stamps, labels, return_dict=True)
            squares.append(float(scores["masked_mse"]))
            model.reset_metrics()
        square = np.mean(squares)
    return float(np.sqrt(square)), min(count * size, len(order)), waiting


def _normalise(model, training, shape, augmentation, config, epoch):
    """
    Give the normalisation of averaged weights its own means and variances, which
    those of the latest weights are not (Izmailov et al. 2018, UAI, 876, section 3.2).
    """
    from galmorph.models._keras import keras

    kind = keras.layers.BatchNormalization
    layers = [layer for layer in model.layers if isinstance(layer, kind)]
    if not layers:
        return
    random = np.random.default_rng([config.seed, epoch, len(training)])
    rows = random.permutation(len(training))[:_MOST_TO_NORMALISE]
    kept = [layer.momentum for layer in layers]
    for i, part in enumerate(np.array_split(rows, -(-len(rows) // 256))):
        for layer in layers:
            layer.momentum = i / (i + 1)
        batch = augment(training.stamps[np.sort(part)], shape, augmentation, random)
        model(batch, training=True)
    for layer, momentum in zip(layers, kept, strict=True):
        layer.momentum = momentum


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
    write_arrays(path, arrays)


def _restore(path, model):
    with np.load(path, allow_pickle=False) as saved:

        def group(name, count):
            return [saved[f"{name}/{i}"] for i in range(count)]

        _assign(model.variables, group("model", len(model.variables)))
        variables = model.optimizer.variables
        _assign(variables, group("optimizer", len(variables)))
        best = group("best", len(model.variables))
        return json.loads(str(saved["history"])), best
