# Licensed under a 3-clause BSD style license - see licenses/LICENSE.rst
"""
What the figures are made of: one stamp, one set of bars, one file.
"""

import os
import tempfile
from pathlib import Path

import numpy as np

from galmorph.core import ConfigurationError, decode_flags, import_optional

__all__ = [
    "class_of",
    "display_scale",
    "draw_fractions",
    "draw_stamp",
    "fraction_columns",
    "images_of",
    "label_of",
    "new_figure",
    "pixels_of",
    "save_figure",
    "values_of",
]

INK = "#1f2430"
FADED = "#8a8f99"
TRACK = "#eceef1"
WARNING = "#b4531a"
# Okabe & Ito's colours, which most kinds of colour vision can tell apart
COLOURS = ("#d55e00", "#0072b2", "#009e73", "#e0a100", "#7d7f86", "#cc79a7", "#56b4e9")
MOST_BARS = 6


def new_figure(width, height):
    """
    Make an empty figure that belongs to no window.

    Parameters
    ----------
    width, height : float
        Its size in inches.

    Returns
    -------
    figure : `~matplotlib.figure.Figure`

    Raises
    ------
    MissingDependencyError
        If matplotlib is not installed.
    """
    figure = import_optional("matplotlib.figure", "plot").Figure(
        figsize=(width, height), facecolor="white"
    )
    import_optional("matplotlib.backends.backend_agg", "plot").FigureCanvasAgg(figure)
    return figure


def save_figure(figure, path, dpi=150):
    """
    Write a figure to a file that is either complete or not there.

    Parameters
    ----------
    figure : `~matplotlib.figure.Figure`
    path : path-like
        The suffix decides on the format (``.png``, ``.pdf``, ``.svg``...).
    dpi : float, optional
        Pixels per inch.

    Raises
    ------
    ConfigurationError
        If matplotlib does not know the format.
    """
    path = Path(path)
    known = figure.canvas.get_supported_filetypes()
    if path.suffix.lower().lstrip(".") not in known:
        raise ConfigurationError(
            f"path: {path.name!r} has no suffix of a figure; known are {sorted(known)}"
        )
    descriptor, part = tempfile.mkstemp(suffix=path.suffix.lower(), dir=path.parent)
    os.close(descriptor)
    try:
        figure.savefig(part, dpi=dpi)
        os.chmod(part, 0o666 & ~_umask())
        os.replace(part, path)
    except BaseException:
        os.unlink(part)
        raise


def _umask():
    mask = os.umask(0)
    os.umask(mask)
    return mask


def pixels_of(stamps):
    """
    The pixels of the classifier's stamps; anything else as it is.

    Parameters
    ----------
    stamps : `~galmorph.images.Stamps` or sequence of array_like

    Returns
    -------
    pixels : `~numpy.ndarray` or sequence of array_like
    """
    return stamps.data if hasattr(stamps, "measurements") else stamps


def images_of(stamps):
    """
    The stamps as a list of 2-D arrays, whatever holds them.

    Parameters
    ----------
    stamps : `~galmorph.images.Stamps`, array_like, or sequence of array_like
        An array of shape (n, ny, nx) or (n, ny, nx, bands), of which the bands
        are averaged; or n images of any sizes.

    Returns
    -------
    images : list of `~numpy.ndarray`
        Each 2-D, float; masked pixels are NaN.

    Raises
    ------
    ConfigurationError
        If one of them has no two dimensions.
    """
    images = []
    for stamp in pixels_of(stamps):
        image = np.ma.filled(np.ma.asarray(stamp, dtype=float), np.nan)
        if image.ndim == 3:
            image = image.mean(axis=-1)
        if image.ndim != 2 or image.size == 0:
            raise ConfigurationError(
                "stamps: each must be an image of shape (ny, nx) or (ny, nx, bands);"
                f" found the shape {image.shape}"
            )
        images.append(image)
    return images


def display_scale(image):
    """
    Grey levels that show a bright core and a faint disk at once.

    The inverse hyperbolic sine of the pixels in units of the noise (Lupton et
    al. 1999, AJ 118, 1406), from just below the sky to the brightest pixel;
    sky and noise are the median and the scaled median absolute deviation of
    the stamp's border.

    Parameters
    ----------
    image : `~numpy.ndarray`
        Pixel values; may hold NaN.

    Returns
    -------
    levels : `~numpy.ndarray`
        The same shape, 0 (sky) to 1 (brightest), NaN where the image is.

    Examples
    --------
    >>> import numpy as np
    >>> from galmorph.visualization.drawing import display_scale
    >>> image = np.zeros((5, 5))
    >>> image[2, 2] = 10
    >>> float(display_scale(image)[2, 2])
    1.0
    """
    image = np.where(np.isfinite(image), image, np.nan)
    if not np.isfinite(image).any():
        return image
    width = max(1, min(image.shape) // 8)
    inner = np.zeros(image.shape, bool)
    inner[width:-width, width:-width] = True
    border = image[~inner & np.isfinite(image)]
    border = border if border.size else image[np.isfinite(image)]
    sky = np.median(border)
    noise = 1.4826 * np.median(np.abs(border - sky))
    peak = np.nanmax(np.abs(image - sky))
    noise = max(noise, 1e-4 * peak) or 1.0
    levels = np.arcsinh((image - sky) / (2 * noise))
    # a stamp without any source stays grey instead of filling the range
    low, high = np.arcsinh(-0.75), max(np.nanmax(levels), np.arcsinh(3.0))
    return np.clip((levels - low) / (high - low), 0, 1)


def draw_stamp(axes, image):
    """
    Show one stamp, its first row at the bottom.

    Parameters
    ----------
    axes : `~matplotlib.axes.Axes`
    image : `~numpy.ndarray`
        Pixel values. What is NaN, and what an oblong stamp lacks to a square,
        is shown in plain blue-grey.
    """
    side = max(image.shape)
    before = [(side - n) // 2 for n in image.shape]
    after = [side - n - b for n, b in zip(image.shape, before, strict=True)]
    levels = np.pad(
        display_scale(image),
        list(zip(before, after, strict=True)),
        constant_values=np.nan,
    )
    axes.set_facecolor("#c9ced8")
    axes.imshow(
        levels,
        origin="lower",
        cmap="gray",
        vmin=0,
        vmax=1,
        interpolation="nearest",
        aspect="equal",
    )
    axes.set_xticks([])
    axes.set_yticks([])
    for spine in axes.spines.values():
        spine.set_visible(False)


def fraction_columns(table, outputs=None):
    """
    Names of the columns of vote fractions.

    Parameters
    ----------
    table : `~astropy.table.Table` or `~astropy.table.Row`
    outputs : sequence of str, optional
        The names; by default those of ``meta['galmorph']``, else the columns
        that begin with ``f_``, else all, that have an ``_err`` beside them.

    Returns
    -------
    names : list of str

    Raises
    ------
    ConfigurationError
        If there are none, or one of them is missing.
    """
    if outputs is None:
        # what the classifier says goes before what the names suggest
        outputs = table.meta.get("galmorph", {}).get("outputs")
    if outputs is None:
        with_error = [n for n in table.colnames if f"{n}_err" in table.colnames]
        outputs = [n for n in with_error if n.startswith("f_")] or with_error
    if not len(outputs):
        raise ConfigurationError(
            "table: no column of fractions with its _err beside it; found"
            f" {table.colnames}. Give their names as outputs=[...]"
        )
    missing = [name for name in outputs if name not in table.colnames]
    if missing:
        raise ConfigurationError(
            f"outputs: the table has no {missing}; found {table.colnames}"
        )
    return list(outputs)


def values_of(row, names):
    """
    Some columns of one row as an array of floats.

    Parameters
    ----------
    row : `~astropy.table.Row`
    names : sequence of str

    Returns
    -------
    values : `~numpy.ndarray`
        NaN where a column is missing or masked.
    """
    values = [row[name] if name in row.colnames else np.nan for name in names]
    values = [getattr(value, "value", value) for value in values]
    return np.array([np.nan if np.ma.is_masked(v) else float(v) for v in values])


def label_of(row):
    """
    What a galaxy is called: its id, its label, or its place in the table.

    Parameters
    ----------
    row : `~astropy.table.Row`

    Returns
    -------
    label : str
    """
    for name in ("id", "ID", "name", "label", "number", "NUMBER"):
        if name in row.colnames:
            return str(row[name])
    return f"#{row.index}"


def class_of(row):
    """
    The dominant class of a row, and the names of its flags.

    Parameters
    ----------
    row : `~astropy.table.Row`

    Returns
    -------
    morph_class : str
        Empty where there is none.
    flags : list of str
    """
    morph_class = str(row["morph_class"]) if "morph_class" in row.colnames else ""
    flags = decode_flags(row["morph_flags"]) if "morph_flags" in row.colnames else []
    return morph_class, flags


def draw_fractions(axes, names, values, errors, truth=None, size=6.5):
    """
    Draw fractions as bars with name, error and number.

    Parameters
    ----------
    axes : `~matplotlib.axes.Axes`
    names : sequence of str
        Columns; an ``f_`` in front is left out. Of more than six only the six
        largest are drawn.
    values, errors : `~numpy.ndarray`
        Fractions and their errors, 0 to 1; an error may be NaN.
    truth : `~numpy.ndarray`, optional
        True fractions, drawn as a mark on each bar.
    size : float, optional
        Size of the letters in points.
    """
    chosen = range(len(names))
    if len(names) > MOST_BARS:
        chosen = np.argsort(-values, kind="stable")[:MOST_BARS]
    for place, i in enumerate(chosen):
        colour = COLOURS[i % len(COLOURS)]
        axes.barh(place, 1, height=0.62, color=TRACK, linewidth=0)
        axes.barh(place, values[i], height=0.62, color=colour, linewidth=0)
        if np.isfinite(errors[i]) and errors[i] > 0:
            ends = np.clip([values[i] - errors[i], values[i] + errors[i]], 0, 1)
            axes.plot(ends, [place, place], color=INK, linewidth=0.8, alpha=0.75)
        if truth is not None and np.isfinite(truth[i]):
            axes.plot(
                [truth[i]] * 2,
                [place - 0.44, place + 0.44],
                color=INK,
                linewidth=1.6,
                solid_capstyle="butt",
            )
        name = names[i].removeprefix("f_").replace("_", " ")
        axes.text(-0.04, place, name, ha="right", va="center", fontsize=size, color=INK)
        axes.text(
            1.05,
            place,
            f"{values[i]:.2f}",
            ha="left",
            va="center",
            fontsize=size,
            color=INK,
        )
    axes.set_ylim(len(chosen) - 0.4, -0.6)
    axes.set_xlim(0, 1)
    axes.axis("off")
