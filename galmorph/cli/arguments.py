# Licensed under a 3-clause BSD style license - see licenses/LICENSE.rst
"""
Arguments that several verbs share, and what they mean.
"""

import argparse
import math
import os
import sys
from pathlib import Path

from galmorph.core import GalmorphError

__all__ = [
    "UsageError",
    "add_detection_arguments",
    "add_image_arguments",
    "add_model_argument",
    "add_output_arguments",
    "add_pixel_scale",
    "add_scale_arguments",
    "count",
    "detection_config",
    "load_classifier",
    "on_terminal",
    "positive",
    "read_image",
    "read_segmentation",
]


class UsageError(GalmorphError):
    """The words of the command line do not make sense together."""


def positive(text):
    """
    Parse a positive number.

    Parameters
    ----------
    text : str

    Returns
    -------
    value : float

    Raises
    ------
    argparse.ArgumentTypeError
        If it is none.
    """
    try:
        value = float(text)
    except ValueError:
        value = math.nan
    if not 0 < value < math.inf:
        raise argparse.ArgumentTypeError(f"expected a positive number, found {text!r}")
    return value


def count(text):
    """
    Parse a positive whole number.

    Parameters
    ----------
    text : str

    Returns
    -------
    value : int

    Raises
    ------
    argparse.ArgumentTypeError
        If it is none.
    """
    if not text.isdecimal() or int(text) == 0:
        raise argparse.ArgumentTypeError(
            f"expected a positive whole number, found {text!r}"
        )
    return int(text)


def on_terminal():
    """
    Whether progress can be shown.

    Returns
    -------
    terminal : bool
        `True` if standard error is a terminal.
    """
    return sys.stderr.isatty()


def add_output_arguments(parser, gallery=True):
    """
    Add ``-o``, ``--overwrite`` and ``--gallery``.

    Parameters
    ----------
    parser : `argparse.ArgumentParser`
    gallery : bool, optional
        Whether the verb can draw one.
    """
    parser.add_argument(
        "-o",
        "--output",
        action="append",
        default=[],
        type=Path,
        metavar="FILE",
        help="table to write, in the format of its suffix: .ecsv, .fits, .vot,"
        " .parquet; may be given several times",
    )
    parser.add_argument(
        "--overwrite", action="store_true", help="replace files that exist"
    )
    if gallery:
        parser.add_argument(
            "--gallery",
            type=Path,
            metavar="FILE",
            help="picture to write (.png, .pdf, .svg): galaxies with their fractions",
        )


def add_model_argument(parser):
    """
    Add ``--model``, ``--device`` and ``--precision``.

    Parameters
    ----------
    parser : `argparse.ArgumentParser`
    """
    parser.add_argument(
        "--model",
        metavar="NAME_OR_PATH",
        help="name of a registered model ('galmorph models list'), or a bundle's"
        " folder or .zip file; by default the default model",
    )
    parser.add_argument(
        "--device",
        metavar="DEVICE[,DEVICE...]",
        help="where the network is computed, as 'gpu:0'; several share the batches;"
        " by default the backend's choice",
    )
    parser.add_argument(
        "--precision",
        choices=("float32", "mixed"),
        default="float32",
        help="'mixed' is faster on GPUs and changes fractions by at most about 0.002",
    )


def add_pixel_scale(parser):
    """
    Add ``--pixel-scale``.

    Parameters
    ----------
    parser : `argparse.ArgumentParser`
    """
    parser.add_argument(
        "--pixel-scale",
        type=positive,
        metavar="ARCSEC",
        help="size of a pixel in arcsec; by default the WCS's, where there is one",
    )


def add_image_arguments(parser):
    """
    Add ``--rms``, ``--weight``, ``--mask``, ``--hdu`` and ``--pixel-scale``.

    Parameters
    ----------
    parser : `argparse.ArgumentParser`
    """
    noise = parser.add_mutually_exclusive_group()
    noise.add_argument("--rms", metavar="FILE", help="noise of each pixel (1 sigma)")
    noise.add_argument(
        "--weight",
        metavar="FILE",
        help="weight of each pixel: its inverse variance, 0 where there is no data",
    )
    parser.add_argument("--mask", metavar="FILE", help="bad pixels, other than 0")
    parser.add_argument(
        "--hdu",
        type=lambda text: int(text) if text.isdecimal() else text,
        metavar="HDU",
        help="number or name of the image's HDU; by default the first image",
    )
    add_pixel_scale(parser)


def add_scale_arguments(parser, dask=False):
    """
    Add ``--workers``, ``--memory-limit``, ``--shards`` and ``--dask``.

    Parameters
    ----------
    parser : `argparse.ArgumentParser`
    dask : bool, optional
        Whether the verb works on a cluster.
    """
    group = parser.add_argument_group(
        "large surveys",
        "with one of these, with several tiles or a large image the work is done tile"
        "\n  by tile; where it was interrupted, the same command goes on",
    )
    group.add_argument(
        "--workers",
        type=int,
        metavar="N",
        help="processes that make stamps, 0 for none but the main one; by default"
        " one for each processor",
    )
    group.add_argument(
        "--memory-limit",
        metavar="SIZE",
        help="most memory of all processes together, e.g. '4 GiB'",
    )
    group.add_argument(
        "--shards",
        type=Path,
        metavar="FOLDER",
        help="write many tables, in the order of the catalogue, instead of -o",
    )
    parser.set_defaults(dask=None)
    if dask:
        group.add_argument(
            "--dask",
            metavar="SCHEDULER",
            help="address of a Dask cluster, e.g. tcp://127.0.0.1:8786, that annotates"
            " the Parquet files of CATALOG, a folder or pattern; needs --shards",
        )


def add_detection_arguments(parser):
    """
    Add the commonest settings of `~galmorph.images.DetectionConfig`.

    Parameters
    ----------
    parser : `argparse.ArgumentParser`
    """
    group = parser.add_argument_group("detection")
    group.add_argument(
        "--n-sigma",
        type=positive,
        metavar="N",
        help="threshold above the background, in units of the noise",
    )
    group.add_argument(
        "--n-pixels",
        type=count,
        metavar="N",
        help="least number of connected pixels above the threshold",
    )
    group.add_argument(
        "--no-deblend",
        action="store_true",
        help="leave overlapping sources together",
    )


def detection_config(args):
    """
    Settings of the detection from the command line.

    Parameters
    ----------
    args : `argparse.Namespace`

    Returns
    -------
    config : `~galmorph.images.DetectionConfig`
    """
    from galmorph.images import DetectionConfig

    given = {"n_sigma": args.n_sigma, "n_pixels": args.n_pixels}
    given = {name: value for name, value in given.items() if value is not None}
    return DetectionConfig(deblend=not args.no_deblend, **given)


def read_image(args):
    """
    Read the image of the command line with its noise and mask.

    Zero weight and a noise that is not positive mean that there is no data.

    Parameters
    ----------
    args : `argparse.Namespace`

    Returns
    -------
    image : `~astropy.nddata.NDData`

    Raises
    ------
    ImageError
        If a file cannot be read, or if their shapes differ.
    """
    from galmorph.scale import Tile, open_tile

    tile = Tile(
        args.image,
        rms=args.rms,
        weight=args.weight,
        mask=args.mask,
        hdu=args.hdu,
        pixel_scale=args.pixel_scale,
    )
    with open_tile(tile) as opened:
        return opened.read()


def read_segmentation(path):
    """
    Read a segmentation map.

    Parameters
    ----------
    path : path-like or `None`

    Returns
    -------
    segmentation : `~numpy.ndarray` of int or `None`
        0 is sky.
    """
    if path is None:
        return None
    import numpy as np

    from galmorph.images import as_nddata

    return np.nan_to_num(as_nddata(path).data).astype(np.int32)


def load_classifier(args):
    """
    Make the classifier that ``--model`` names.

    Parameters
    ----------
    args : `argparse.Namespace`
        With ``model``, a registered name or the path of a bundle, ``device`` and
        ``precision``.

    Returns
    -------
    classifier : `~galmorph.classifier.MorphologyClassifier`
    """
    from galmorph.classifier import MorphologyClassifier

    model = args.model
    device = args.device
    if device is not None and "," in device:
        device = device.split(",")
    options = {"device": device, "precision": args.precision}
    separators = {os.sep, os.altsep} - {None}
    looks_like_path = model is not None and (
        model.endswith(".zip") or any(separator in model for separator in separators)
    )
    if model is not None and (looks_like_path or Path(model).exists()):
        return MorphologyClassifier.from_file(model, **options)
    return MorphologyClassifier(model, **options)
