# Licensed under a 3-clause BSD style license - see licenses/LICENSE.rst
"""
A training run: labelled stamps in, a folder with a scored model bundle out.
"""

import json
import os
from dataclasses import asdict, dataclass, replace
from pathlib import Path

import numpy as np
from astropy.table import QTable

from galmorph.core import ConfigurationError, get_scheme
from galmorph.evaluation import fit_error_calibration, metrics_table
from galmorph.images import Preprocessor
from galmorph.tables import write_table
from galmorph.training._records import (
    check_is_free,
    history_table,
    open_folder,
    progress_line,
    run_metrics,
    write_json,
)
from galmorph.training.augmentation import Augmentation
from galmorph.training.card import model_card
from galmorph.training.config import TrainingConfig, read_config
from galmorph.training.datasets import as_dataset, stratified_split
from galmorph.training.trainer import fit, predict

__all__ = ["TrainingResult", "train", "train_from_config"]

_HISTORY, _METRICS = "history.ecsv", "metrics.json"
_CACHE, _TRUTH = "simulation.npz", "simulation.ecsv"


@dataclass
class TrainingResult:
    """
    What a training run left.

    Parameters
    ----------
    bundle : `~pathlib.Path`
        Folder of the model bundle.
    history : `~astropy.table.QTable`
        One row per epoch.
    metrics : dict
        Scores of the test part and figures of the run, as in
        ``metrics.json``.
    """

    bundle: Path
    history: QTable
    metrics: dict


def train(
    data,
    *,
    out,
    name=None,
    scheme="candels",
    architecture="hc15",
    options=None,
    preprocessor=None,
    augmentation=None,
    groups=None,
    description="",
    source=None,
    resume=False,
    progress=None,
    **training,
):
    """
    Train a network with labelled stamps and score it.

    The galaxies are divided by `stratified_split` into three parts: one to
    train with, one to choose the best epoch and to calibrate the errors, and
    one that is scored once at the end. The folder of the run gets

    - ``config.json``: all settings, versions, and the SHA-256 of the data;
    - ``history.ecsv``: a row per epoch, written after each;
    - ``checkpoint.npz``: what the next epoch needs;
    - ``metrics.json``: the scores;
    - ``bundle``: the model bundle, with its card.

    Parameters
    ----------
    data : tuple of (`~numpy.ndarray`, `~astropy.table.Table`)
        Stamps of shape (n, side, side[, bands]), as large as what the network
        sees or, so that they can be turned, larger; and a table of n rows with
        a column of fractions for each output. Missing fractions (masked or
        NaN) are left out of the loss. Rows whose ``morph_flags`` say that they
        cannot be classified are left out.
    out : path-like
        Folder of the run.
    name : str, optional
        Name of the model; by default that of the folder.
    scheme : str or `~galmorph.core.LabelScheme`, optional
        What the outputs mean.
    architecture : str, optional
        Name of the network, see `galmorph.models.build`.
    options : dict, optional
        Options of the network.
    preprocessor : `~galmorph.images.Preprocessor`, optional
        What made the stamps; its ``shape`` is what the network sees.
    augmentation : `Augmentation`, optional
        Random changes of the training stamps; the default ones if not given.
    groups : str or array_like, optional
        Column of the table, or n values: rows of one group, such as copies of
        one galaxy, are never on two sides of the split.
    description, source : str and dict, optional
        For the card and the record: what the model is, and its data.
    resume : bool, optional
        Go on with the run in ``out`` that was interrupted.
    progress : callable, optional
        Called with a line of text after each epoch.
    **training
        Parameters of `TrainingConfig`: ``epochs``, ``seed`` and so on.

    Returns
    -------
    result : `TrainingResult`

    Raises
    ------
    ConfigurationError
        If a setting or the data cannot be used, if there is a run in ``out``
        already, or if the one to resume has other settings.

    Examples
    --------
    >>> from galmorph import Preprocessor
    >>> from galmorph.simulation import simulate_stamps
    >>> from galmorph.training import train
    >>> preprocessor = Preprocessor()
    >>> data = simulate_stamps(
    ...     20000, seed=1, preprocessor=preprocessor.with_margin(64)
    ... )  # doctest: +SKIP
    >>> result = train(
    ...     data, out="runs/mine", preprocessor=preprocessor, epochs=30
    ... )  # doctest: +SKIP
    """
    from galmorph.models import build, save_bundle
    from galmorph.models._keras import keras

    try:
        training = TrainingConfig(**training)
    except TypeError as error:
        known = list(asdict(TrainingConfig()))
        raise ConfigurationError(f"{error}; known are {known}") from error
    scheme = get_scheme(scheme)
    preprocessor = replace(preprocessor or Preprocessor(), margin=0)
    augmentation = Augmentation() if augmentation is None else augmentation
    say = progress or (lambda line: None)
    out = Path(out)
    name = out.resolve().name if name is None else name
    dataset = as_dataset(data, scheme, groups=groups)
    if dataset.stamps.shape[1] < preprocessor.shape:
        raise ConfigurationError(
            f"data: found stamps of {dataset.stamps.shape[1]} pixels; the network"
            f" sees {preprocessor.shape}"
        )
    keras.utils.set_random_seed(training.seed)
    input_shape = (preprocessor.shape, preprocessor.shape, dataset.stamps.shape[3])
    model = build(
        architecture, scheme=scheme, input_shape=input_shape, **(options or {})
    )
    parts = _split(dataset, training)
    settings = {
        "model": {
            "name": name,
            "architecture": architecture,
            "options": dict(options or {}),
            "scheme": scheme.to_dict(),
            "description": description,
        },
        "data": {**(source or {"source": "arrays"}), "sha256": dataset.fingerprint()},
        "preprocessing": preprocessor.to_dict(),
        "training": asdict(training),
        "augmentation": asdict(augmentation),
    }
    open_folder(out, settings, resume)

    def report(history):
        write_table(history_table(history, scheme), out / _HISTORY, overwrite=True)
        say(progress_line(history[-1], training.epochs))

    history = fit(
        model,
        parts["training"],
        parts["validation"],
        out,
        config=training,
        augmentation=augmentation,
        resume=resume,
        report=report,
    )
    _round_to_half(model)
    predicted = {
        part: predict(model, parts[part].stamps) for part in ("validation", "test")
    }
    scores = {
        part: metrics_table(parts[part].labels, predicted[part], scheme)
        for part in predicted
    }
    metrics = run_metrics(history, parts, scores, model.count_params())
    write_json(out / _METRICS, metrics)
    bundle = save_bundle(
        out / "bundle",
        [model],
        name=name,
        scheme=scheme,
        preprocessor=preprocessor.to_dict(),
        architecture=architecture,
        input_shape=input_shape,
        options=options,
        card=model_card(settings, metrics, scheme),
        calibration=fit_error_calibration(
            parts["validation"].labels, predicted["validation"], scheme
        ),
        training={key: settings[key] for key in ("data", "training", "augmentation")},
        overwrite=True,
    )
    test = metrics["test"]["all"]
    say(
        f"test RMSE {test['rmse']:.4f} +- {test['rmse_err']:.4f} of {test['n']}"
        f" galaxies (always the mean: {test['rmse_mean']:.4f}); bundle: {bundle}"
    )
    return TrainingResult(bundle, history_table(history, scheme), metrics)


def train_from_config(path, *, out=None, resume=False, progress=None):
    """
    Do the run that a TOML file describes.

    The simulated stamps are kept in the folder of the run, so that a run that
    was interrupted does not simulate them again.

    Parameters
    ----------
    path : path-like
        The file, see `read_config`.
    out : path-like, optional
        Folder of the run; by default ``runs/`` and the name of the model.
    resume : bool, optional
        Go on with the run in ``out`` that was interrupted.
    progress : callable, optional
        Called with lines of text on what has been done.

    Returns
    -------
    result : `TrainingResult`

    Raises
    ------
    ConfigurationError
        If the file is not valid, or as `train` does.
    MissingDependencyError
        If GalSim is not installed.
    """
    from galmorph.models import build

    config = read_config(path)
    out = Path("runs") / config.name if out is None else Path(out)
    check_is_free(out, resume)
    # what is wrong with the network is told before the simulation's minutes
    shape = config.preprocessor.shape
    build(
        config.architecture,
        scheme=config.scheme,
        input_shape=(shape, shape, 1),
        **config.options,
    )
    data = _simulated(config, out, resume, progress or (lambda line: None))
    return train(
        data,
        name=config.name,
        out=out,
        scheme=config.scheme,
        architecture=config.architecture,
        options=config.options,
        preprocessor=config.preprocessor,
        augmentation=config.augmentation,
        description=config.description,
        source=_source(config),
        resume=resume,
        progress=progress,
        **asdict(config.training),
    )


def _source(config):
    """What the data depend on, which the number of processes is not."""
    source = config.to_dict()["data"]
    del source["n_workers"]
    return source


def _simulated(config, folder, resume, say):
    """Stamps and truths; read again if the run to resume has made them."""
    from galmorph.simulation import simulate_stamps
    from galmorph.tables import read_table

    made_from = json.dumps([_source(config), config.preprocessor.to_dict()])
    cache, truth = folder / _CACHE, folder / _TRUTH
    if resume and cache.exists():
        with np.load(cache, allow_pickle=False) as saved:
            if str(saved["made_from"]) == made_from:
                return saved["stamps"], read_table(truth)
        raise ConfigurationError(
            f"{cache}: was simulated with other settings; they must be the same to"
            " resume"
        )
    data = config.data

    def report(done):
        if done == data.n or done % 1024 == 0:
            say(f"simulated {done} of {data.n} galaxies")

    stamps, table = simulate_stamps(
        data.n,
        seed=data.seed,
        preprocessor=config.preprocessor.with_margin(data.side),
        n_workers=data.n_workers or None,
        progress=report,
    )
    folder.mkdir(parents=True, exist_ok=True)
    write_table(table, truth, overwrite=True)
    # the last to be written: where it is, the table is complete too
    part = cache.with_suffix(".part")
    with open(part, "wb") as file:
        np.savez(file, stamps=stamps, made_from=np.array(made_from))
    os.replace(part, cache)
    return stamps, table


def _split(dataset, training):
    shares = {
        "training": 1 - training.validation - training.test,
        "validation": training.validation,
        "test": training.test,
    }
    rows = stratified_split(
        dataset.labels, list(shares.values()), seed=training.seed, groups=dataset.groups
    )
    for part, found in zip(shares, rows, strict=True):
        if not len(found):
            raise ConfigurationError(
                f"data: {len(dataset)} galaxies are too few: none is left for the"
                f" {part} part"
            )
    return {part: dataset.take(found) for part, found in zip(shares, rows, strict=True)}


def _round_to_half(model):
    """Give the weights the precision of the bundle, so that it is what is scored."""
    for weight in model.weights:
        weight.assign(weight.numpy().astype(np.float16).astype(np.float32))
