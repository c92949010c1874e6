# Licensed under a 3-clause BSD style license - see licenses/LICENSE.rst
"""
Predictions against truths: fractions and classes.
"""

import numpy as np

from galmorph.core import ConfigurationError, get_scheme
from galmorph.visualization.drawing import COLOURS, FADED, INK, TRACK, new_figure
from galmorph.visualization.plots import (
    finish_figure,
    label_axes,
    outputs_of,
    panels,
    rows_of,
    short_name,
    style_axes,
)

__all__ = ["confusion_figure", "density_figure", "selection_figure"]

CELLS = 20


def density_figure(truth, predicted, scheme="candels", path=None):
    """
    Draw how many galaxies have which true and predicted fraction.

    Parameters
    ----------
    truth, predicted : array_like
        Fractions of shape (n, outputs).
    scheme : `~galmorph.core.LabelScheme` or str, optional
        Names the outputs.
    path : path-like, optional
        File to write; the suffix decides on the format.

    Returns
    -------
    figure : `~matplotlib.figure.Figure`
        One panel per output, with its RMSE and bias. The darkness grows with the
        logarithm of the number of galaxies.

    Raises
    ------
    ConfigurationError
        If the shapes do not fit to the scheme.
    MissingDependencyError
        If matplotlib is not installed.

    Examples
    --------
    >>> import numpy as np
    >>> from galmorph.visualization import density_figure
    >>> truth = np.random.default_rng(0).uniform(size=(100, 5))
    >>> figure = density_figure(truth, truth**2)
    """
    scheme = get_scheme(scheme)
    truth, predicted = np.asarray(truth, float), np.asarray(predicted, float)
    if truth.shape != predicted.shape or truth.shape[1:] != (scheme.n_outputs,):
        raise ConfigurationError(
            f"truth, predicted: expected the shape (n, {scheme.n_outputs}); found"
            f" {truth.shape} and {predicted.shape}"
        )
    figure, axes = panels(scheme.outputs)
    for i, panel in enumerate(axes):
        good = np.isfinite(truth[:, i]) & np.isfinite(predicted[:, i])
        t, p = truth[good, i], np.clip(predicted[good, i], 0, 1)
        counts, _, _ = np.histogram2d(p, t, bins=CELLS, range=[[0, 1], [0, 1]])
        panel.imshow(
            np.where(counts > 0, np.log1p(counts), np.nan),
            origin="lower",
            extent=(0, 1, 0, 1),
            cmap="Blues",
            vmin=0,
            interpolation="nearest",
            aspect="auto",
        )
        panel.plot([0, 1], [0, 1], color=COLOURS[0], linewidth=0.8)
        if t.size:
            difference = predicted[good, i] - t
            panel.text(
                0.04,
                0.97,
                f"RMSE {np.sqrt(np.mean(difference**2)):.3f}\n"
                f"bias {np.mean(difference):+.3f}\n{t.size} galaxies",
                transform=panel.transAxes,
                va="top",
                fontsize=6,
                color=INK,
                bbox={"facecolor": "white", "alpha": 0.7, "edgecolor": "none"},
            )
        label_axes(panel, "true fraction", "predicted fraction")
    return finish_figure(figure, path, "line: predicted = true")


def confusion_figure(table, path=None):
    """
    Draw how many galaxies of a class are predicted as which.

    Parameters
    ----------
    table : `~astropy.table.Table`
        The column ``true_class`` and a column of counts for each predicted
        class, such as `~galmorph.evaluation.confusion_table` gives.
    path : path-like, optional
        File to write; the suffix decides on the format.

    Returns
    -------
    figure : `~matplotlib.figure.Figure`
        Counts, coloured by their share of the true class.

    Raises
    ------
    ConfigurationError
        If there is no column ``true_class``.
    MissingDependencyError
        If matplotlib is not installed.

    Examples
    --------
    >>> from galmorph.evaluation import confusion_table
    >>> from galmorph.visualization import confusion_figure
    >>> table = confusion_table(["a", "a", "b"], ["a", "b", "b"], ["a", "b"])
    >>> figure = confusion_figure(table)
    """
    if "true_class" not in table.colnames:
        raise ConfigurationError(
            f"table: there is no column 'true_class'; found {table.colnames}"
        )
    names = [name for name in table.colnames if name != "true_class"]
    counts = np.array([np.asarray(table[name]) for name in names]).reshape(
        len(names), len(table)
    )
    side = 0.62 * max(len(names), 2)
    figure = new_figure(side + 1.5, side + 1.5)
    box = (1.25 / (side + 1.5), 1.0 / (side + 1.5))
    axes = figure.add_axes((*box, side / (side + 1.5), side / (side + 1.5)))
    style_axes(axes, "number of galaxies", "predicted", "true")
    total = counts.sum(axis=0)
    share = np.where(total > 0, counts / np.maximum(total, 1), 0).T
    if counts.size:
        axes.imshow(share, cmap="Blues", vmin=0, vmax=1.15, aspect="auto")
    for row, column in np.ndindex(*share.shape):
        if counts[column, row]:
            axes.text(
                column,
                row,
                f"{counts[column, row]}\n{100 * share[row, column]:.0f}%",
                ha="center",
                va="center",
                fontsize=6.2,
                color="white" if share[row, column] > 0.6 else INK,
            )
    words = [short_name(name) for name in names]
    axes.set_xticks(range(len(names)), words, rotation=45, ha="right", fontsize=6.5)
    axes.set_yticks(
        range(len(table)), [short_name(n) for n in table["true_class"]], fontsize=6.5
    )
    return finish_figure(figure, path)


def selection_figure(table, path=None):
    """
    Draw completeness and purity against the cut on the predicted fraction.

    Parameters
    ----------
    table : `~astropy.table.Table`
        As `~galmorph.evaluation.selection_table` gives.
    path : path-like, optional
        File to write; the suffix decides on the format.

    Returns
    -------
    figure : `~matplotlib.figure.Figure`
        One panel per output.

    Raises
    ------
    MissingDependencyError
        If matplotlib is not installed.

    Examples
    --------
    >>> from galmorph import LabelScheme
    >>> from galmorph.evaluation import selection_table
    >>> from galmorph.visualization import selection_figure
    >>> bars = LabelScheme("bars", outputs=["f_bar"])
    >>> table = selection_table([[0], [1]], [[0.2], [0.7]], bars)
    >>> figure = selection_figure(table)
    """
    outputs = outputs_of(table)
    figure, axes = panels(outputs)
    for panel, output in zip(axes, outputs, strict=True):
        rows = rows_of(table, output)
        if len(rows):
            panel.axhline(rows["share"][0], color=FADED, linewidth=0.7, linestyle=":")
        for name, colour in (("completeness", COLOURS[1]), ("purity", COLOURS[0])):
            panel.errorbar(
                rows["cut"],
                rows[name],
                rows[f"{name}_err"],
                color=colour,
                linewidth=1,
                marker="o",
                markersize=2.2,
                elinewidth=0.7,
                label=name,
            )
            if f"{name}_perfect" in rows.colnames:
                panel.plot(
                    rows["cut"],
                    rows[f"{name}_perfect"],
                    color=colour,
                    linewidth=0.7,
                    linestyle="--",
                )
        panel.set_xlim(0, 1)
        panel.set_ylim(0, 1.03)
        panel.set_facecolor("white")
        panel.grid(color=TRACK, linewidth=0.6)
        panel.set_axisbelow(True)
        panel.set_xlabel("cut on the predicted fraction", fontsize=7, color=INK)
    if axes:
        axes[0].legend(fontsize=6, frameon=False, labelcolor=INK, loc="lower left")
    dashes = "    dashes: of a perfect model, by the noise of the votes"
    with_votes = "purity_perfect" in table.colnames
    return finish_figure(
        figure, path, "dots: purity of a blind choice" + (dashes if with_votes else "")
    )
