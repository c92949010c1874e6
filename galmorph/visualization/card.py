# Licensed under a 3-clause BSD style license - see licenses/LICENSE.rst
"""
One galaxy with everything that is known of it.
"""

import numpy as np
from astropy.table import Table

from galmorph.core import FLAGS, ConfigurationError
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
    save_figure,
    values_of,
)

__all__ = ["card"]

WIDTH, HEIGHT = 7.6, 3.9
MOST_MEASUREMENTS = 8


def card(stamp, row, *, path=None, image=None, truth=None, outputs=None, measured=None):
    """
    Show one galaxy, its vote fractions, flags and measurements.

    Parameters
    ----------
    stamp : array_like
        The classifier's stamp, or any image of the galaxy.
    row : `~astropy.table.Row` or `~astropy.table.Table`
        Its row of the results, or a table of one row.
    path : path-like, optional
        File to write; its suffix decides on the format.
    image : array_like, optional
        A second image beside the stamp, e.g. the galaxy in its surroundings.
    truth : `~astropy.table.Row` or `~astropy.table.Table`, optional
        True fractions in columns of the same names.
    outputs : sequence of str, optional
        Columns of fractions; by default those of the classifier.
    measured : sequence of str, optional
        Columns to list below the fractions; by default the size, the
        signal-to-noise ratio and the position, as far as the row has them.

    Returns
    -------
    figure : `~matplotlib.figure.Figure`

    Raises
    ------
    ConfigurationError
        If a table has more or less than one row, or if a column is missing.
    MissingDependencyError
        If matplotlib is not installed.

    Examples
    --------
    >>> import numpy as np
    >>> from astropy.table import Table
    >>> from galmorph.visualization import card
    >>> table = Table({"id": [1], "f_disk": [0.9], "f_disk_err": [0.1]})
    >>> card(np.ones((9, 9)), table[0]).savefig("card.png")  # doctest: +SKIP
    """
    row, truth = _one_row(row, "row"), _one_row(truth, "truth")
    names = fraction_columns(row, outputs)
    images = images_of([stamp] if image is None else [stamp, image])
    morph_class, flags = class_of(row)
    width = WIDTH if image is None else WIDTH + HEIGHT - 0.75
    figure = new_figure(width, HEIGHT)
    side = HEIGHT - 0.95
    for i, pixels in enumerate(images):
        left = 0.3 + i * (side + 0.2)
        axes = figure.add_axes(
            (left / width, 0.3 / HEIGHT, side / width, side / HEIGHT)
        )
        draw_stamp(axes, pixels)
    left = 0.3 + len(images) * (side + 0.2)

    def write(inches, words, **style):
        style = {"fontsize": 8, "color": INK, "va": "top"} | style
        figure.text((left + 0.1) / width, 1 - inches / HEIGHT, words, **style)

    figure.text(
        0.3 / width,
        1 - 0.3 / HEIGHT,
        label_of(row),
        fontsize=13,
        fontweight="bold",
        color=INK,
        va="center",
    )
    values = values_of(row, names)
    write(
        0.3,
        morph_class.replace("_", " ") or "not classified",
        fontsize=13,
        va="center",
        color=INK if morph_class else FADED,
    )
    bars = 0.22 * min(len(names), MOST_BARS) if np.isfinite(values).any() else 0
    if bars:
        axes = figure.add_axes(
            (
                (left + 1.15) / width,
                1 - (0.62 + bars) / HEIGHT,
                (width - left - 1.15 - 0.75) / width,
                bars / HEIGHT,
            )
        )
        errors = values_of(row, [f"{name}_err" for name in names])
        true = None if truth is None else values_of(truth, names)
        draw_fractions(axes, names, values, errors, true, size=9)
    y = 0.62 + bars + 0.18
    for line in _measurements(row, measured):
        write(y, line)
        y += 0.165
    y += 0.06
    for flag in FLAGS:
        if flag.name in flags and y < HEIGHT - 0.3:
            write(y, flag.name.replace("_", " "), color=WARNING, fontweight="bold")
            y += 0.165
    if path is not None:
        save_figure(figure, path)
    return figure


def _one_row(row, what):
    if not isinstance(row, Table):
        return row
    if len(row) != 1:
        raise ConfigurationError(
            f"{what}: a card shows one galaxy, found a table of {len(row)} rows;"
            " give one row, e.g. table[0]"
        )
    return row[0]


def _measurements(row, measured):
    usual = (
        "petrosian_radius_angle",
        "petrosian_radius",
        "stamp_side",
        "snr",
        "sky_rms",
    )
    if measured is None:
        measured = [name for name in usual if name in row.colnames]
        measured += [
            name for name in ("x_centroid", "y_centroid") if name in row.colnames
        ]
    for name in measured[:MOST_MEASUREMENTS]:
        if name not in row.colnames:
            raise ConfigurationError(
                f"measured: the row has no {name!r}; found {row.colnames}"
            )
        value = row[name]
        unit = getattr(value, "unit", None) or row.columns[name].info.unit
        number = getattr(value, "value", value)
        words = f"{number:.4g}" if isinstance(number, (float, np.floating)) else number
        yield f"{name.replace('_', ' ')}   {words} {unit or ''}".rstrip()
