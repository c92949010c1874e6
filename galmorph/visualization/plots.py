# Licensed under a 3-clause BSD style license - see licenses/LICENSE.rst
"""
What the diagrams are made of: axes in one style, and panels side by side.
"""

import math

import numpy as np

from galmorph.visualization.drawing import FADED, INK, new_figure, save_figure

__all__ = [
    "finish_figure",
    "label_axes",
    "outputs_of",
    "panels",
    "rows_of",
    "short_name",
    "style_axes",
]

# sizes in inches
PANEL = 2.15
GAP_X, GAP_Y = 0.55, 0.75
LEFT, RIGHT, TOP, BOTTOM = 0.6, 0.2, 0.4, 0.62


def short_name(output):
    """
    The name of an output as words.

    Parameters
    ----------
    output : str

    Returns
    -------
    words : str

    Examples
    --------
    >>> from galmorph.visualization.plots import short_name
    >>> short_name("f_point_source")
    'point source'
    """
    return str(output).removeprefix("f_").replace("_", " ")


def style_axes(axes, title="", xlabel="", ylabel=""):
    """
    Give axes the package's look: thin, with small words and no box.

    Parameters
    ----------
    axes : `~matplotlib.axes.Axes`
    title, xlabel, ylabel : str, optional
    """
    for side in ("top", "right"):
        axes.spines[side].set_visible(False)
    for side in ("left", "bottom"):
        axes.spines[side].set_color(FADED)
        axes.spines[side].set_linewidth(0.6)
    axes.tick_params(
        colors=FADED, labelcolor=INK, labelsize=6.5, width=0.6, length=2.5, pad=2
    )
    axes.set_title(title, fontsize=8, color=INK, loc="left", fontweight="bold", pad=4)
    label_axes(axes, xlabel, ylabel)


def label_axes(axes, xlabel="", ylabel=""):
    """
    Write what is on the axes.

    Parameters
    ----------
    axes : `~matplotlib.axes.Axes`
    xlabel, ylabel : str, optional
    """
    axes.set_xlabel(xlabel, fontsize=7, color=INK, labelpad=2)
    axes.set_ylabel(ylabel, fontsize=7, color=INK, labelpad=2)


def outputs_of(table):
    """
    The outputs that a table has rows of, in their order.

    Parameters
    ----------
    table : `~astropy.table.Table`

    Returns
    -------
    outputs : list of str
    """
    return list(dict.fromkeys(str(name) for name in table["output"]))


def rows_of(table, output):
    """
    The rows of one output.

    Parameters
    ----------
    table : `~astropy.table.Table`
    output : str

    Returns
    -------
    rows : `~astropy.table.Table`
    """
    return table[np.asarray(table["output"]) == output]


def panels(names, columns=3, height=PANEL):
    """
    Make a figure with one panel for each name.

    Parameters
    ----------
    names : sequence of str
        Outputs; each panel gets one as its title.
    columns : int, optional
        Most panels in a row.
    height : float, optional
        Height of a panel in inches.

    Returns
    -------
    figure : `~matplotlib.figure.Figure`
    axes : list of `~matplotlib.axes.Axes`
        One per name, in rows from the top.
    """
    columns = max(min(columns, len(names)), 1)
    rows = max(math.ceil(len(names) / columns), 1)
    width = LEFT + columns * PANEL + (columns - 1) * GAP_X + RIGHT
    total = TOP + rows * height + (rows - 1) * GAP_Y + BOTTOM
    figure = new_figure(width, total)
    axes = []
    for i, name in enumerate(names):
        row, column = divmod(i, columns)
        left = LEFT + column * (PANEL + GAP_X)
        bottom = total - TOP - (row + 1) * height - row * GAP_Y
        box = (left / width, bottom / total, PANEL / width, height / total)
        axes.append(figure.add_axes(box))
        style_axes(axes[-1], short_name(name))
    return figure, axes


def finish_figure(figure, path=None, note=""):
    """
    Write a note below the panels, and the figure to a file if one is given.

    Parameters
    ----------
    figure : `~matplotlib.figure.Figure`
    path : path-like, optional
    note : str, optional
        What the marks mean.

    Returns
    -------
    figure : `~matplotlib.figure.Figure`
    """
    if note:
        width, height = figure.get_size_inches()
        figure.text(LEFT / width, 0.12 / height, note, fontsize=6.8, color=INK)
    if path is not None:
        save_figure(figure, path)
    return figure
