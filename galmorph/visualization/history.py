# Licensed under a 3-clause BSD style license - see licenses/LICENSE.rst
"""
How a training went, epoch by epoch.
"""

import numpy as np

from galmorph.core import ConfigurationError
from galmorph.visualization.drawing import COLOURS, FADED, INK, new_figure
from galmorph.visualization.plots import finish_figure, short_name, style_axes

__all__ = ["history_figure"]

PREFIX = "val_rmse_"


def history_figure(history, path=None):
    """
    Draw the error of training and validation, and the learning rate.

    Parameters
    ----------
    history : `~astropy.table.Table`
        One row per epoch, with the columns ``epoch``, ``rmse`` and
        ``val_rmse``; where they are there, also ``learning_rate``,
        ``val_rmse_<output>`` for each output, and ``member``, if several
        networks were trained.
    path : path-like, optional
        File to write; the suffix decides on the format.

    Returns
    -------
    figure : `~matplotlib.figure.Figure`
        The best epoch of each member is marked.

    Raises
    ------
    ConfigurationError
        If a column is missing.
    MissingDependencyError
        If matplotlib is not installed.

    Examples
    --------
    >>> from astropy.table import QTable
    >>> from galmorph.visualization import history_figure
    >>> history = QTable({"epoch": [1, 2, 3], "rmse": [0.3, 0.2, 0.1]})
    >>> history["val_rmse"] = [0.3, 0.21, 0.22]
    >>> figure = history_figure(history)
    """
    missing = {"epoch", "rmse", "val_rmse"} - set(history.colnames)
    if missing:
        raise ConfigurationError(
            f"history: there is no column {', '.join(sorted(missing))}; found"
            f" {history.colnames}"
        )
    with_rate = "learning_rate" in history.colnames
    outputs = [name for name in history.colnames if name.startswith(PREFIX)]
    outputs = outputs if 1 < len(outputs) <= len(COLOURS) else []
    figure = new_figure(7.2 if outputs else 4.2, 3.6 if with_rate else 2.8)
    grid = figure.add_gridspec(
        2 if with_rate else 1,
        2 if outputs else 1,
        height_ratios=(3, 1) if with_rate else (1,),
        left=0.08 if outputs else 0.14,
        right=0.98,
        top=0.92,
        bottom=0.13,
        hspace=0.14,
        wspace=0.22,
    )
    errors = figure.add_subplot(grid[0, 0])
    _draw_errors(errors, history)
    bottom = [errors]
    if outputs:
        classes = figure.add_subplot(grid[0, 1], sharex=errors)
        # below the panel there is room where the rate is below the other
        under = {"loc": "upper left", "bbox_to_anchor": (0, -0.2), "ncols": 2}
        _draw_outputs(classes, history, outputs, under if with_rate else {})
        bottom.append(classes)
    if with_rate:
        for axes in bottom:
            axes.tick_params(labelbottom=axes is not errors)
        rate = figure.add_subplot(grid[1, 0], sharex=errors)
        _draw_rate(rate, history)
        bottom[0] = rate
    for axes in bottom:
        axes.set_xlabel("epoch", fontsize=7, color=INK, labelpad=2)
    errors.xaxis.get_major_locator().set_params(integer=True, min_n_ticks=1)
    return finish_figure(figure, path)


def _members(history):
    """The history of each network."""
    if "member" not in history.colnames:
        return [history] if len(history) else []
    members = np.asarray(history["member"])
    return [history[members == member] for member in np.unique(members)]


def _draw_errors(axes, history):
    members = _members(history)
    alpha = 1 if len(members) < 2 else 0.6
    for i, member in enumerate(members):
        epochs, scores = np.asarray(member["epoch"]), np.asarray(member["val_rmse"])
        marker = "." if len(epochs) == 1 else None  # a line of one point is unseen
        axes.plot(
            epochs,
            member["rmse"],
            color=COLOURS[1],
            linewidth=1,
            marker=marker,
            alpha=alpha,
            label="training" if i == 0 else None,
        )
        axes.plot(
            epochs,
            scores,
            color=COLOURS[0],
            linewidth=1.4,
            alpha=alpha,
            label="validation" if i == 0 else None,
        )
        if not np.isfinite(scores).any():
            continue
        best = np.nanargmin(scores)
        axes.axvline(epochs[best], color=FADED, linewidth=0.6, linestyle=":")
        label = f"best: epoch {epochs[best]}, {scores[best]:.4f}"
        axes.plot(
            epochs[best],
            scores[best],
            "o",
            color=INK,
            markersize=3.5,
            label=label if len(members) < 4 else "best" if i == 0 else None,
        )
    style_axes(axes, "error of training and validation", ylabel="RMSE")
    if members:
        axes.legend(fontsize=6.5, frameon=False, labelcolor=INK)


def _draw_outputs(axes, history, outputs, place):
    members = _members(history)
    for i, name in enumerate(outputs):
        for j, member in enumerate(members):
            axes.plot(
                member["epoch"],
                member[name],
                color=COLOURS[i],
                linewidth=1,
                alpha=1 if len(members) < 2 else 0.5,
                label=short_name(name.removeprefix(PREFIX)) if j == 0 else None,
            )
    style_axes(axes, "validation by output", ylabel="RMSE")
    if members:
        axes.legend(fontsize=6, frameon=False, labelcolor=INK, **place)


def _draw_rate(axes, history):
    rates = np.asarray(history["learning_rate"], float)
    for member in _members(history):
        axes.plot(member["epoch"], member["learning_rate"], color=INK, linewidth=1)
    style_axes(axes, ylabel="learning rate")
    positive = rates[rates > 0]
    if positive.size and positive.max() > 20 * positive.min():
        axes.set_yscale("log")
    else:
        axes.set_ylim(bottom=0)
