# Licensed under a 3-clause BSD style license - see licenses/LICENSE.rst
"""
Many galaxies on one page, each with its vote fractions as bars.
"""

import numpy as np

from galmorph.core import ConfigurationError
from galmorph.visualization.drawing import (
    FADED,
    INK,
    MOST_BARS,
    WARNING,
    class_of,
    draw_fractions,
    draw_stamp,
    fraction_columns,
    images_of,
    label_of,
    new_figure,
    pixels_of,
    save_figure,
    values_of,
)

__all__ = ["gallery"]

# inches
STAMP, GAP, MARGIN, HEAD, BAR = 1.75, 0.28, 0.3, 0.2, 0.155
TITLE, FOOT = 0.42, 0.3


def gallery(
    stamps,
    table,
    *,
    path=None,
    truth=None,
    outputs=None,
    columns=6,
    n=24,
    widths=None,
    title=None,
):
    """
    Show galaxies with their vote fractions.

    Parameters
    ----------
    stamps : `~galmorph.images.Stamps`, array_like, or sequence of array_like
        One image per row of the table: the classifier's stamps or postage
        stamps of any sizes, which are stretched for display one by one.
    table : `~astropy.table.Table`
        Results of a classifier.
    path : path-like, optional
        File to write; its suffix decides on the format.
    truth : `~astropy.table.Table`, optional
        True fractions, row by row, in columns of the same names; drawn as a
        mark on each bar.
    outputs : sequence of str, optional
        Columns to show; by default those of the classifier.
    columns : int, optional
        Number of galaxies side by side.
    n : int, optional
        Largest number of galaxies; the first rows are taken.
    widths : `~astropy.units.Quantity`, optional
        Angular width of each stamp, written into its corner.
    title : str, optional
        Line above the galaxies.

    Returns
    -------
    figure : `~matplotlib.figure.Figure`

    Raises
    ------
    ConfigurationError
        If the numbers of stamps and rows differ, or if a column is missing.
    MissingDependencyError
        If matplotlib is not installed.

    Examples
    --------
    >>> import numpy as np
    >>> from astropy.table import Table
    >>> from galmorph.visualization import gallery
    >>> table = Table({"id": [1, 2], "f_disk": [0.2, 0.9], "f_disk_err": [0.1, 0.1]})
    >>> figure = gallery(np.ones((2, 9, 9)), table)  # doctest: +SKIP
    >>> figure.savefig("gallery.png")  # doctest: +SKIP
    """
    names = fraction_columns(table, outputs)
    stamps = pixels_of(stamps)
    for what, rows in (("stamps", stamps), ("truth", truth), ("widths", widths)):
        if rows is not None and len(rows) != len(table):
            raise ConfigurationError(
                f"{what}: expected one for each of the {len(table)} rows of the"
                f" table, found {len(rows)}"
            )
    shown = min(n, len(table))
    images = images_of(stamps[:shown])
    columns = max(1, min(columns, shown))
    lines = -(-shown // columns)
    bars = BAR * min(len(names), MOST_BARS) + 0.06
    cell = HEAD + STAMP + bars + GAP
    top = TITLE if title else 0
    foot = FOOT if truth is not None else 0
    width = max(2 * MARGIN + columns * (STAMP + GAP) - GAP, 3.6)
    height = 2 * MARGIN + max(lines, 1) * cell - GAP + top + foot
    figure = new_figure(width, height)

    def place(x, y, w, h):
        return figure.add_axes((x / width, 1 - (y + h) / height, w / width, h / height))

    if title:
        figure.text(
            MARGIN / width,
            1 - (MARGIN + 0.1) / height,
            title,
            fontsize=11,
            fontweight="bold",
            color=INK,
            va="center",
        )
    if not shown:
        figure.text(0.5, 0.5, "no galaxies", ha="center", color=FADED)
    for i, image in enumerate(images):
        x = MARGIN + (i % columns) * (STAMP + GAP)
        y = MARGIN + top + (i // columns) * cell
        row = table[i]
        axes = place(x, y + HEAD, STAMP, STAMP)
        draw_stamp(axes, image)
        _write_head(axes, row)
        if widths is not None and np.isfinite(widths[i]):
            _write_corner(axes, f'{widths[i].to_value("arcsec"):.1f}"', "right")
        bar_axes = place(x + 0.7, y + HEAD + STAMP + 0.04, 0.8, bars - 0.06)
        values = values_of(row, names)
        if np.isnan(values).all():
            bar_axes.axis("off")
            axes.text(
                0.5,
                -0.12,
                "not classified",
                transform=axes.transAxes,
                ha="center",
                va="top",
                fontsize=7.5,
                style="italic",
                color=FADED,
            )
            continue
        draw_fractions(
            bar_axes,
            names,
            values,
            values_of(row, [f"{name}_err" for name in names]),
            None if truth is None else values_of(truth[i], names),
        )
    if truth is not None:
        figure.text(
            MARGIN / width,
            (MARGIN * 0.8) / height,
            "bar: predicted fraction of votes    thin line: its error"
            "    thick mark: truth",
            fontsize=7.5,
            color=INK,
            va="center",
        )
    if path is not None:
        save_figure(figure, path)
    return figure


def _write_head(axes, row):
    morph_class, flags = class_of(row)
    label = label_of(row)
    room = max(24 - len(morph_class), 4)
    if len(label) > room:
        label = "…" + label[-(room - 1) :]
    head = {"transform": axes.transAxes, "va": "bottom", "fontsize": 7.2}
    axes.text(0, 1.025, label, color=FADED, ha="left", **head)
    axes.text(
        1,
        1.025,
        morph_class.replace("_", " "),
        color=INK,
        ha="right",
        fontweight="bold",
        **head,
    )
    if flags:
        more = f" +{len(flags) - 2}" if len(flags) > 2 else ""
        words = ", ".join(flag.replace("_", " ") for flag in flags[:2])
        _write_corner(axes, words + more, "left", colour=WARNING)


def _write_corner(axes, words, side, colour=INK):
    axes.text(
        0.025 if side == "left" else 0.975,
        0.03 if side == "left" else 0.97,
        words,
        transform=axes.transAxes,
        ha=side,
        va="bottom" if side == "left" else "top",
        fontsize=5.8,
        color=colour,
        bbox={
            "facecolor": "white",
            "alpha": 0.82,
            "edgecolor": "none",
            "boxstyle": "round,pad=0.2",
        },
    )
