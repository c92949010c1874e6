# Licensed under a 3-clause BSD style license - see licenses/LICENSE.rst
"""
A training run: labelled stamps in, a folder with a scored model bundle out.
"""

from dataclasses import asdict, dataclass, replace
from pathlib import Path

from astropy.table import QTable

from galmorph.core import ConfigurationError, get_scheme
from galmorph.evaluation import fit_error_calibration, metrics_table, rmse
from galmorph.tables import write_table
from galmorph.training._labels import tell, with_flags
from galmorph.training._records import (
    check_is_free,
    draw_history,
    history_table,
    open_folder,
    predictions_table,
    progress_line,
    run_metrics,
    write_json,
)
from galmorph.training.augmentation import Augmentation
from galmorph.training.card import model_card
from galmorph.training.config import TrainingConfig, read_config
from galmorph.training.datasets import as_dataset
from galmorph.training.members import (
    Start,
    built,
    domain_of,
    is_large,
    predictions,
    train_member,
)
from galmorph.training.sources import load
from galmorph.training.splits import split
from galmorph.training.stamping import as_stamps
from galmorph.training.trainer import predict

__all__ = ["TrainingResult", "train", "train_from_config"]

_HISTORY, _METRICS = "history.ecsv", "metrics.json"
_PREDICTIONS = "predictions.ecsv"


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
    architecture=None,
    options=None,
    preprocessor=None,
    augmentation=None,
    groups=None,
    votes=None,
    test_rows=None,
    start_from=None,
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
    - ``history.ecsv``: a row per epoch and member, written after each epoch;
    - ``history.png``: the same as a figure, where matplotlib is installed;
    - ``member-1`` and so on: what the member's next epoch needs;
    - ``predictions.ecsv``: true and predicted fractions of the test part;
    - ``metrics.json``: the scores;
    - ``bundle``: the model bundle, with its card.

    Parameters
    ----------
    data : tuple of (`~numpy.ndarray` or list, `~astropy.table.Table`)
        Images, and a table of n rows with a column of fractions for each output.
        An array is taken for finished stamps of shape (n, side, side[, bands]),
        as large as what the network sees or, so that they can be turned, larger.
        Stamps of half precision (float16) take half the memory.
        A list of images of one galaxy each - NDData, CCDData, Cutout2D, arrays,
        names of FITS files - goes through the preprocessor first. Missing
        fractions (masked or NaN) are left out of the loss. Rows whose
        ``morph_flags`` say that they cannot be classified are left out.
    out : path-like
        Folder of the run.
    name : str, optional
        Name of the model; by default that of the folder.
    scheme : str or `~galmorph.core.LabelScheme`, optional
        What the outputs mean.
    architecture : str, optional
        Name of the network, see `galmorph.models.build`; by default that of
        ``start_from``, or ``'hc15'``.
    options : dict, optional
        Options of the network.
    preprocessor : `~galmorph.images.Preprocessor`, optional
        What made the stamps; its ``shape`` is what the network sees.
    augmentation : `Augmentation`, optional
        Random changes of the training stamps; the default ones if not given.
    groups : str or array_like, optional
        Column of the table, or n values: rows of one group, such as copies of
        one galaxy, are never on two sides of the split.
    votes : str or array_like, optional
        Column of the table, or values of shape (n,) or (n, outputs): numbers of
        votes behind the fractions, which the binomial loss counts by.
    test_rows : str or array_like of bool, optional
        Column of the table, or n values: the galaxies to test with, instead of
        a random share.
    start_from : path-like or `~galmorph.models.ModelBundle`, optional
        Start with the weights of this model. It may have other outputs: then
        the output layer is new. It also gives the architecture, its options and
        the preprocessor, unless told.
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
    from galmorph.models import save_bundle
    from galmorph.models._config import is_name

    known = asdict(TrainingConfig())
    unknown = [key for key in training if key not in known]
    if unknown:
        raise ConfigurationError(
            f"train: there are no settings {unknown}; known are {list(known)}"
        )
    training = TrainingConfig(**training)
    scheme = get_scheme(scheme)
    say = progress or (lambda line: None)
    out = Path(out)
    name = out.resolve().name if name is None else name
    if not is_name(name):
        raise ConfigurationError(
            f"name: found {name!r}; use letters, digits, '.', '_' and '-'"
        )
    start = Start(start_from)
    architecture, options = start.architecture(architecture, options)
    preprocessor = replace(start.preprocessor(preprocessor), margin=0)
    augmentation = Augmentation() if augmentation is None else augmentation
    data = _with_stamps(data, preprocessor, scheme, say)
    dataset = as_dataset(data, scheme, groups=groups, votes=votes, test_rows=test_rows)
    if dataset.stamps.shape[1] < preprocessor.shape:
        raise ConfigurationError(
            f"data: found stamps of {dataset.stamps.shape[1]} pixels; the network"
            f" sees {preprocessor.shape}"
        )
    network = {
        "architecture": architecture,
        "scheme": scheme,
        "input_shape": (
            preprocessor.shape,
            preprocessor.shape,
            dataset.stamps.shape[3],
        ),
        "options": options,
    }
    parts, members = split(dataset, training)
    settings = {
        "model": {
            "name": name,
            "architecture": architecture,
            "options": options,
            "scheme": scheme.to_dict(),
            "description": description,
            "start_from": start.sha256,
        },
        "data": {**(source or {"source": "arrays"}), "sha256": dataset.fingerprint()},
        "preprocessing": preprocessor.to_dict(),
        "training": asdict(training),
        "augmentation": asdict(augmentation),
    }
    # what is wrong with the network is told before anything is written
    start.give(built(network, training), scheme, 0, training)
    open_folder(out, settings, resume)
    models, histories = [], []

    def report(history):
        told = [*histories, history]
        write_table(history_table(told, scheme), out / _HISTORY, overwrite=True)
        member = f"member {len(told)}, " if training.members > 1 else ""
        say(member + progress_line(history[-1], training.epochs))

    for number, (rows, validation) in enumerate(members):
        folder = out / f"member-{number + 1}"
        folder.mkdir(exist_ok=True)
        model, history = train_member(
            network,
            dataset.take(rows),
            dataset.take(validation),
            folder,
            number=number,
            config=replace(training, seed=training.seed + number),
            augmentation=augmentation,
            start=start,
            resume=resume,
            report=report,
        )
        models.append(model)
        histories.append(history)
    history = history_table(histories, scheme)
    draw_history(history, out)
    predicted, spread = predictions(models, dataset, parts, members, training.views)
    scores = {
        part: metrics_table(dataset.labels[rows], predicted[part], scheme)
        for part, rows in parts.items()
        if part in predicted
    }
    metrics = run_metrics(histories, parts, scores, models[0].count_params())
    if training.members > 1 and len(parts["test"]):
        test = dataset.take(parts["test"])
        metrics["test_rmse_of_members"] = [
            float(rmse(test.labels, predict(model, test.stamps)[0])) for model in models
        ]
    write_json(out / _METRICS, metrics)
    if len(parts["test"]):
        write_table(
            predictions_table(dataset, parts["test"], predicted["test"], scheme),
            out / _PREDICTIONS,
            overwrite=True,
        )
    bundle = save_bundle(
        out / "bundle",
        models,
        name=name,
        preprocessor=preprocessor.to_dict(),
        card=model_card(settings, metrics, scheme),
        calibration=fit_error_calibration(
            dataset.labels[parts["validation"]],
            predicted["validation"],
            scheme,
            spread=spread,
        ),
        training={key: settings[key] for key in ("data", "training", "augmentation")},
        domain=domain_of(
            models[0],
            dataset.stamps[members[0][0]],
            dataset.stamps[parts["validation"]],
            views=training.views,
        ),
        views=training.views,
        weights_dtype="float16" if is_large(models[0]) else "float32",
        overwrite=True,
        **network,
    )
    scored = metrics["test"] if "test" in metrics else metrics["validation"]
    say(
        f"{'test' if 'test' in metrics else 'validation'} RMSE"
        f" {scored['all']['rmse']:.4f} +- {scored['all']['rmse_err']:.4f} of"
        f" {scored['all']['n']} galaxies (always the mean:"
        f" {scored['all']['rmse_mean']:.4f}); bundle: {bundle}"
    )
    return TrainingResult(bundle, history, metrics)


def _with_stamps(data, preprocessor, scheme, say):
    """Stamps and table, where images and table were given."""
    try:
        images, table = data
    except (TypeError, ValueError) as error:
        raise ConfigurationError(
            "data: expected a pair of stamps, or a list of images, and a table"
        ) from error
    if not isinstance(images, (list, tuple)):
        return data
    if len(images) != len(table):
        raise ConfigurationError(
            f"data: found {len(images)} images and a table of {len(table)} rows"
        )
    scheme.labels(table)  # what is wrong with them is told before the work
    # a turned square needs 1.42 times its side
    stamps = as_stamps(images, preprocessor, round(1.42 * preprocessor.shape))
    table = with_flags(table.copy(), stamps)
    tell(table, scheme, say)
    return stamps.data, table


def train_from_config(path, *, out=None, start_from=None, resume=False, progress=None):
    """
    Do the run that a TOML file describes.

    Stamps that were simulated or made from images are kept in the folder of the
    run, so that a run that was interrupted does not make them again.

    Parameters
    ----------
    path : path-like
        The file, see `read_config`.
    out : path-like, optional
        Folder of the run; by default ``runs/`` and the name of the model.
    start_from : path-like, optional
        Model bundle whose weights to start with, see `train`.
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
    from galmorph.models import build, load_bundle

    bundle = None if start_from is None else load_bundle(start_from)
    config = read_config(path, start_from=bundle)
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
    return train(
        **load(config, out, resume, progress or (lambda line: None)),
        name=config.name,
        out=out,
        scheme=config.scheme,
        architecture=config.architecture,
        options=config.options,
        preprocessor=config.preprocessor,
        augmentation=config.augmentation,
        description=config.description,
        start_from=bundle,
        resume=resume,
        progress=progress,
        **asdict(config.training),
    )
