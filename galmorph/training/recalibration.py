# Licensed under a 3-clause BSD style license - see licenses/LICENSE.rst
"""
A trained model gets errors and a domain from other galaxies, and loses outputs.
"""

from pathlib import Path

import numpy as np
from scipy.optimize import brentq
from scipy.special import expit, logit

from galmorph.core import ConfigurationError, get_scheme
from galmorph.evaluation import fit_error_calibration
from galmorph.training.datasets import as_dataset
from galmorph.training.members import domain_of, is_large
from galmorph.training.trainer import predict

__all__ = ["calibrate", "keep_outputs"]


def calibrate(
    bundle,
    data,
    *,
    out,
    levels=False,
    known=None,
    outliers=None,
    scheme=None,
    name=None,
    card=None,
    overwrite=False,
):
    """
    Fit the errors and the domain of a model to labelled galaxies.

    The weights stay as they are, but for the constants of the outputs where
    ``levels`` asks for it. Errors that were fitted to simulations may be too small
    for one's own images; those fitted to a few hundred labelled galaxies of the
    survey are not. The galaxies must not be among those that the model was trained
    with.

    Parameters
    ----------
    bundle : path-like or `~galmorph.models.ModelBundle`
        The model.
    data : tuple of (`~numpy.ndarray`, `~astropy.table.Table`)
        Stamps of shape (n, side, side[, bands]), made by the model's own
        preprocessor, and a table with a column of fractions for each output.
        With votes of few people the errors include the scatter of these votes.
    out : path-like
        The new bundle: a folder to make, or a file that ends in ``.zip``.
    levels : bool, optional
        Whether to shift the logarithm of the odds of each output so that its mean
        over the galaxies is that of their labels, which leaves their order as it is.
    known : `~numpy.ndarray`, optional
        Stamps that the model was trained with, of the same shape, which describe
        its domain; by default every second one of ``data`` does.
    outliers : `~numpy.ndarray`, optional
        Stamps of images that are no galaxies, of the same shape, which the domain
        shall leave out.
    scheme : str or `~galmorph.core.LabelScheme`, optional
        The outputs to keep, which must be independent votes; by default all.
    name, card : str, optional
        Of the new model; by default those of the old one.
    overwrite : bool, optional
        Whether to replace a bundle that is there.

    Returns
    -------
    path : `~pathlib.Path`

    Raises
    ------
    ConfigurationError
        If the galaxies or the outputs do not fit the model, or if ``levels`` are
        asked for of outputs that follow questions.
    BundleError
        If the model is not valid, or if something is there that may not be
        replaced.

    Examples
    --------
    >>> from galmorph.training import calibrate
    >>> calibrate(
    ...     "runs/hc15/bundle", (stamps, table), out="mine.zip"
    ... )  # doctest: +SKIP
    """
    from galmorph.models import ModelBundle, load_bundle, save_bundle

    if not isinstance(bundle, ModelBundle):
        bundle = load_bundle(bundle)
    scheme = bundle.scheme if scheme is None else get_scheme(scheme)
    dataset = as_dataset(data, scheme)
    side, bands = bundle.input_shape[1:]
    if dataset.stamps.shape[1] < side or dataset.stamps.shape[3] != bands:
        raise ConfigurationError(
            f"data: found stamps of the shape {dataset.stamps.shape[1:]}; the model"
            f" sees {bundle.input_shape}"
        )
    models = keep_outputs(bundle, scheme)
    views = bundle.config["views"]
    if levels and scheme.questions:
        raise ConfigurationError(
            "levels: the outputs of the scheme follow questions, so that they cannot"
            " be shifted one by one"
        )
    found = np.array([predict(model, dataset.stamps, views=views) for model in models])
    if levels:
        for model, outputs in zip(models, found, strict=True):
            _level(model, outputs, dataset.labels)
    architecture = bundle.config["architecture"]
    return save_bundle(
        Path(out),
        models,
        name=bundle.name if name is None else name,
        scheme=scheme,
        preprocessor=bundle.preprocessing,
        architecture=architecture["name"],
        input_shape=bundle.input_shape,
        options=architecture["options"],
        card=bundle.card if card is None else card,
        views=views,
        calibration=fit_error_calibration(
            dataset.labels,
            found.mean(axis=(0, 1)),
            scheme,
            spread=found.std(axis=(0, 1)),
        ),
        training={
            **(bundle.config["training"] or {}),
            "calibrated_with": {
                "galaxies": len(dataset),
                "sha256": dataset.fingerprint(),
            },
        },
        domain=domain_of(
            models[0],
            dataset.stamps[::2] if known is None else known,
            dataset.stamps,
            outliers,
            views=views,
        ),
        weights_dtype="float16" if is_large(models[0]) else "float32",
        overwrite=overwrite,
    )


def keep_outputs(bundle, scheme):
    """
    Networks of a model with some of its outputs.

    Parameters
    ----------
    bundle : `~galmorph.models.ModelBundle`
        The model, which stays as it is.
    scheme : str or `~galmorph.core.LabelScheme`
        The outputs to keep, in any order: independent votes, or all of the model's
        own scheme.

    Returns
    -------
    models : list of `keras.Model`
        New networks, one for each member.

    Raises
    ------
    ConfigurationError
        If the model lacks an output, or if outputs of another scheme follow
        questions.

    Examples
    --------
    >>> from galmorph import LabelScheme
    >>> from galmorph.models import fetch_model, load_bundle
    >>> from galmorph.training import keep_outputs
    >>> bundle = load_bundle(fetch_model("galmorph-p4m10-volunteers"))
    >>> scheme = LabelScheme("features", outputs=["f_featured"])
    >>> keep_outputs(bundle, scheme)[0].output_shape
    (None, 1)
    """
    from galmorph.models import build

    scheme, known = get_scheme(scheme), list(bundle.scheme.outputs)
    missing = [output for output in scheme.outputs if output not in known]
    asked = scheme.questions or bundle.scheme.questions
    if missing or (asked and scheme != bundle.scheme):
        raise ConfigurationError(
            f"scheme: the model {bundle.name!r} has the outputs {known}; found"
            f" {list(scheme.outputs)}, of which"
            + (f" {missing} are missing" if missing else " some follow questions")
        )
    columns = [known.index(output) for output in scheme.outputs]
    architecture = bundle.config["architecture"]
    kept = []
    for model in bundle.models():
        new = build(
            architecture["name"],
            input_shape=bundle.input_shape,
            scheme=scheme,
            **architecture["options"],
        )
        for layer in new.layers:
            values = model.get_layer(layer.name).get_weights() if layer.weights else []
            if layer.name == "output":
                values = [value[..., columns] for value in values]
            layer.set_weights(values)
        kept.append(new)
    return kept


def _level(model, found, truth):
    """
    Shift a network, and its outputs of shape (views, n, outputs) in place, so that
    their means are those of labels.
    """
    kernel, constants = model.get_layer("output").get_weights()
    for i, true in enumerate(truth.T):
        known = np.isfinite(true)
        if not known.any():
            continue
        # a mean of 0 or 1 has no odds
        least = 0.5 / (known.sum() + 1)
        mean = np.clip(true[known].mean(), least, 1 - least)
        odds = logit(np.clip(found[..., i].astype(float), 1e-6, 1 - 1e-6))
        shift = brentq(_excess, -50, 50, args=(odds[:, known], mean))
        constants[i] += shift
        found[..., i] = expit(odds + shift)
    model.get_layer("output").set_weights([kernel, constants])


def _excess(shift, odds, mean):
    """By how much the mean of shifted fractions is too large."""
    return expit(odds + shift).mean() - mean
