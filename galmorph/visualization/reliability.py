# Licensed under a 3-clause BSD style license - see licenses/LICENSE.rst
"""
How far predictions can be trusted: in bins, and by their own errors.
"""

import numpy as np

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

__all__ = ["bins_figure", "coverage_figure", "reliability_figure"]

# shares of a normal distribution within 1 and 2 standard deviations
NORMAL = {"within_1": 0.6827, "within_2": 0.9545}


def bins_figure(table, xlabel="true fraction", path=None):
    """
    Draw bias and scatter in bins.

    Parameters
    ----------
    table : `~astropy.table.Table`
        As `~galmorph.evaluation.binned_metrics` gives.
    xlabel : str, optional
        What the bins are of; its unit is added.
    path : path-like, optional
        File to write; the suffix decides on the format.

    Returns
    -------
    figure : `~matplotlib.figure.Figure`
        One panel per output, and one for all.

    Raises
    ------
    MissingDependencyError
        If matplotlib is not installed.

    Examples
    --------
    >>> from galmorph import LabelScheme
    >>> from galmorph.evaluation import binned_metrics
    >>> from galmorph.visualization import bins_figure
    >>> bars = LabelScheme("bars", outputs=["f_bar"])
    >>> table = binned_metrics([[0.0], [1.0]], [[0.1], [0.8]], [20, 24], bars)
    >>> figure = bins_figure(table, "magnitude")
    """
    outputs = outputs_of(table)
    figure, axes = panels(outputs, height=1.7)
    unit = getattr(table["mean"], "unit", None)
    label = xlabel + (f" [{unit}]" if unit is not None and str(unit) else "")
    limit = _limit(table)
    for panel, output in zip(axes, outputs, strict=True):
        rows = rows_of(table, output)
        # an empty bin must not break the line
        rows = rows[np.asarray(rows["n"]) > 0]
        x, bias, scatter, error = _plain(rows, "mean", "bias", "scatter", "bias_err")
        panel.axhline(0, color=FADED, linewidth=0.6)
        panel.fill_between(
            x, bias - scatter, bias + scatter, color=COLOURS[1], alpha=0.18, linewidth=0
        )
        panel.errorbar(x, bias, error, color=COLOURS[1], **_POINTS)
        if "bias_perfect" in rows.colnames:
            best, width = _plain(rows, "bias_perfect", "scatter_perfect")
            for y in (best - width, best + width):
                panel.plot(x, y, color=COLOURS[0], linewidth=0.7, linestyle="--")
        panel.set_ylim(-limit, limit)
        label_axes(panel, label, "predicted - true")
    note = "points: bias with its error    band: bias ± scatter"
    if "bias_perfect" in table.colnames:
        note += "    dashes: the same of a perfect model"
    return finish_figure(figure, path, note)


def reliability_figure(table, path=None):
    """
    Draw the mean truth against the predicted fraction.

    Parameters
    ----------
    table : `~astropy.table.Table`
        As `~galmorph.evaluation.reliability_table` gives.
    path : path-like, optional
        File to write; the suffix decides on the format.

    Returns
    -------
    figure : `~matplotlib.figure.Figure`
        One panel per output, and one for all; grey bars show how the galaxies
        are spread.

    Raises
    ------
    MissingDependencyError
        If matplotlib is not installed.

    Examples
    --------
    >>> from galmorph import LabelScheme
    >>> from galmorph.evaluation import reliability_table
    >>> from galmorph.visualization import reliability_figure
    >>> bars = LabelScheme("bars", outputs=["f_bar"])
    >>> figure = reliability_figure(reliability_table([[0.0]], [[0.1]], bars))
    """
    outputs = outputs_of(table)
    figure, axes = panels(outputs)
    for panel, output in zip(axes, outputs, strict=True):
        rows = rows_of(table, output)
        low, high, n = _plain(rows, "low", "high", "n")
        predicted, true, error = _plain(rows, "predicted", "true", "true_err")
        height = 0.3 * n / max(n.max(initial=0), 1)
        panel.bar(low, height, high - low, align="edge", color=TRACK, edgecolor="white")
        panel.plot([0, 1], [0, 1], color=FADED, linewidth=0.7)
        full = n > 0
        points = (predicted[full], true[full], error[full])
        panel.errorbar(*points, color=COLOURS[1], **_POINTS)
        panel.set_xlim(0, 1)
        panel.set_ylim(0, 1)
        label_axes(panel, "predicted fraction", "mean true fraction")
    note = "line: calibrated    grey: number of galaxies"
    return finish_figure(figure, path, note)


def coverage_figure(table, path=None):
    """
    Draw the share of truths that are within the errors.

    Parameters
    ----------
    table : `~astropy.table.Table`
        As `~galmorph.evaluation.coverage_table` gives.
    path : path-like, optional
        File to write; the suffix decides on the format.

    Returns
    -------
    figure : `~matplotlib.figure.Figure`
        A line per output with the shares within 1 and 2 errors, and those of a
        normal distribution.

    Raises
    ------
    MissingDependencyError
        If matplotlib is not installed.

    Examples
    --------
    >>> from galmorph import LabelScheme
    >>> from galmorph.evaluation import coverage_table
    >>> from galmorph.visualization import coverage_figure
    >>> bars = LabelScheme("bars", outputs=["f_bar"])
    >>> table = coverage_table([[0.0], [0.5]], [[0.1], [0.5]], [[0.1], [0.1]], bars)
    >>> figure = coverage_figure(table)
    """
    height = 0.24 * max(len(table), 1) + 1.15
    figure = new_figure(5.4, height)
    box = (0.24, 0.7 / height, 0.73, 1 - 1.0 / height)
    axes = figure.add_axes(box)
    style_axes(axes, "share of truths within the error", "share of galaxies")
    places = np.arange(len(table))
    for (name, share), colour in zip(NORMAL.items(), COLOURS[1:], strict=False):
        axes.axvline(share, color=colour, linewidth=0.8, linestyle=":")
        values, errors = _plain(table, name, f"{name}_err")
        axes.errorbar(
            values,
            places,
            xerr=errors,
            fmt="o",
            color=colour,
            markersize=3.5,
            elinewidth=0.9,
            label=f"within {name[-1]} sigma (normal: {100 * share:.0f}%)",
        )
        if f"{name}_perfect" in table.colnames:
            axes.plot(
                *(_plain(table, f"{name}_perfect")[0], places),
                "o",
                color=colour,
                markerfacecolor="none",
                markersize=5,
                markeredgewidth=0.7,
            )
    axes.set_yticks(places, [short_name(name) for name in table["output"]])
    axes.set_ylim(len(table) - 0.4, -0.6)
    axes.set_xlim(0, 1.02)
    # below the axes, where no point can be
    figure.legend(
        fontsize=6,
        frameon=False,
        labelcolor=INK,
        loc="lower right",
        borderaxespad=0.1,
        ncols=2,
    )
    circles = "within_1_perfect" in table.colnames
    return finish_figure(figure, path, "circles: of a perfect model" if circles else "")


_POINTS = {
    "linewidth": 1,
    "marker": "o",
    "markersize": 2.5,
    "elinewidth": 0.8,
    "capsize": 0,
}


def _plain(table, *names):
    return [np.asarray(getattr(table[n], "value", table[n]), float) for n in names]


def _limit(table):
    bias, scatter = _plain(table, "bias", "scatter")
    reach = np.abs(bias) + scatter
    reach = reach[np.isfinite(reach)]
    return 1.05 * max(reach.max(initial=0), 0.1)
