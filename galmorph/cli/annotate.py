# Licensed under a 3-clause BSD style license - see licenses/LICENSE.rst
"""
``galmorph annotate``: a catalogue and its images -> the catalogue with fractions.
"""

from pathlib import Path

from galmorph.cli.arguments import (
    UsageError,
    add_image_arguments,
    add_model_argument,
    add_output_arguments,
    add_scale_arguments,
    load_classifier,
    on_terminal,
    read_image,
    read_segmentation,
)
from galmorph.cli.output import check_outputs, finish
from galmorph.cli.surveys import is_long, run_long

__all__ = ["add_parser", "run"]


def add_parser(verbs):
    """
    Add the verb to the command line.

    Parameters
    ----------
    verbs : object
        Its ``add`` makes the verb's parser.
    """
    parser = verbs.add(
        "annotate",
        "add fractions to every row of a catalogue",
        "galmorph annotate catalog.ecsv mosaic.fits --ra ra --dec dec -o out.ecsv",
        run,
    )
    parser.add_argument(
        "catalog", type=Path, metavar="CATALOG", help="table: .ecsv, .fits, .vot, ..."
    )
    parser.add_argument(
        "tiles",
        nargs="+",
        metavar="IMAGE",
        help="FITS file or its address (https://, s3://); several tiles; or a table"
        " with a row for each tile and the columns sci, rms or weight, mask, name",
    )
    positions = parser.add_argument_group(
        "positions", "columns of the catalogue; by default they are found by name"
    )
    positions.add_argument("--ra", metavar="COLUMN", help="right ascension (deg)")
    positions.add_argument("--dec", metavar="COLUMN", help="declination (deg)")
    positions.add_argument("--x", metavar="COLUMN", help="pixel, the first is 0")
    positions.add_argument("--y", metavar="COLUMN", help="pixel, the first is 0")
    positions.add_argument(
        "--overwrite-columns",
        action="store_true",
        help="replace columns of fractions that the catalogue already has",
    )
    parser.add_argument(
        "--segmentation",
        type=Path,
        metavar="FILE",
        help="segmentation map of the image; by default each stamp's own",
    )
    add_image_arguments(parser)
    add_model_argument(parser)
    add_output_arguments(parser)
    add_scale_arguments(parser, dask=True)


def _columns(args):
    """The kind of the named columns, ``'sky'`` or ``'pixels'``, and their names."""
    sky, pixels = (args.ra, args.dec), (args.x, args.y)
    for pair, names in ((sky, "--ra and --dec"), (pixels, "--x and --y")):
        if (pair[0] is None) != (pair[1] is None):
            raise UsageError(f"{names} belong together; only one of them was given")
    if None not in (*sky, *pixels):
        raise UsageError("give --ra and --dec or --x and --y, not both")
    return ("pixels", pixels) if sky[0] is None else ("sky", sky)


def run(args):
    """
    Run the verb.

    Parameters
    ----------
    args : `argparse.Namespace`

    Returns
    -------
    code : int or None
        1 where partitions could not be done.
    """
    kind, names = _columns(args)
    position = None
    if names[0] is not None:
        keys = ("x", "y") if kind == "pixels" else ("ra", "dec")
        position = dict(zip(keys, names, strict=True))
    if is_long(args):
        return run_long(
            args,
            args.catalog,
            position=position,
            overwrite_columns=args.overwrite_columns,
        )
    return _run_short(args, position)


def _run_short(args, position):
    from galmorph.tables import read_table

    check_outputs(args)
    (args.image,) = args.tiles
    classifier = load_classifier(args)
    catalog = read_table(args.catalog)
    image = read_image(args)
    table = classifier.annotate(
        catalog,
        image,
        position=position,
        segmentation=read_segmentation(args.segmentation),
        overwrite=args.overwrite_columns,
        progress=on_terminal(),
    )
    finish(table, args, images=image)
