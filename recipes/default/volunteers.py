# Licensed under a 3-clause BSD style license - see licenses/LICENSE.rst
"""
The outputs of Galaxy Zoo: CEERS as a model of their own.
"""

import numpy as np
from labels import GALAXY_ZOO_CEERS as VOLUNTEERS
from labels import SCHEME

from galmorph.evaluation import (
    agreement_table,
    coverage,
    fit_error_calibration,
    metrics_table,
)
from galmorph.models import load_bundle, save_bundle
from galmorph.models.errors import ErrorModel
from galmorph.tables import write_table
from galmorph.training import keep_outputs
from galmorph.training.trainer import predict

__all__ = ["volunteers"]


def volunteers(networks, stamps, labels, out, *, name):
    """
    Keep the outputs of Galaxy Zoo: CEERS, with errors of their own.

    The network and its domain are those of the default model; errors and figures
    (``figures.ecsv``) are those of the networks that have not seen a galaxy.

    Parameters
    ----------
    networks : list of str
        The networks that leave out a fold, and the one that has seen all.
    stamps : `~numpy.ndarray`
        Of CEERS.
    labels : `~astropy.table.Table`
        Their fractions, ``votes`` of shape (n, 4) and ``fold``.
    out : `~pathlib.Path`
        Where the folders of the networks are, and that of the model will be.
    name : str
        Of the model.
    """
    bundles = [load_bundle(out / network / "bundle") for network in networks]
    views = bundles[-1].config["views"]
    columns = [SCHEME.index(output) for output in VOLUNTEERS.outputs]
    shape = (views, len(labels), VOLUNTEERS.n_outputs)
    found = np.full(shape, np.nan, np.float32)
    for network, bundle in zip(networks[:-1], bundles, strict=False):
        left_out = np.array([f"fold-{fold}" == network for fold in labels["fold"]])
        (model,) = bundle.models()
        seen = predict(model, stamps[left_out], views=views)
        found[:, left_out] = seen[..., columns]
    truth = VOLUNTEERS.labels(labels)
    mean, spread = found.mean(axis=0), found.std(axis=0)
    calibration = fit_error_calibration(truth, mean, VOLUNTEERS, spread=spread)
    one = bundles[-1]
    save_bundle(
        out / "volunteers" / "model",
        keep_outputs(one, VOLUNTEERS),
        name=name,
        scheme=VOLUNTEERS,
        preprocessor=one.preprocessing,
        architecture=one.config["architecture"]["name"],
        input_shape=one.input_shape,
        options=one.config["architecture"]["options"],
        views=views,
        calibration=calibration,
        training=one.config["training"],
        domain=load_bundle(out / networks[-1] / "model").domain,
        weights_dtype="float32",
        overwrite=True,
    )
    errors = np.hypot(ErrorModel(calibration, VOLUNTEERS.outputs).errors(mean), spread)
    figures = _figures(truth, mean, errors, np.asarray(labels["votes"]))
    write_table(figures, out / "volunteers" / "figures.ecsv", overwrite=True)


def _figures(truth, mean, errors, votes):
    """A row for each output, and one for all."""
    table = metrics_table(truth, mean, VOLUNTEERS, n_votes=votes)
    order = agreement_table(truth, mean, VOLUNTEERS)
    for name in ("spearman", "spearman_err"):
        table[name] = [*order[name], np.nan]
    for name, width in (("within_1", 1), ("within_1.96", 1.96)):
        within = coverage(truth, mean, errors, width)
        table[name] = [*within, within.mean()]
    return table
