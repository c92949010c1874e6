# Licensed under a 3-clause BSD style license - see licenses/LICENSE.rst
"""
``galmorph annotate``: a catalogue and its image -> the catalogue with fractions.
"""

from pathlib import Path

from galmorph.cli.arguments import (
    UsageError,
    add_image_arguments,
    add_model_argument,
    add_output_arguments,
    load_classifier,
    on_terminal,
    read_image,
    read_segmentation,
)
from galmorph.cli.output import check_outputs, finish
from galmorph.core import CatalogError

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
    parser.add_argument("image", metavar="IMAGE", help="FITS file or its URL")
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


def _columns(args):
    """The kind of the named columns, ``'sky'`` or ``'pixels'``, and their names."""
    sky, pixels = (args.ra, args.dec), (args.x, args.y)
    for pair, names in ((sky, "--ra and --dec"), (pixels, "--x and --y")):
        if (pair[0] is None) != (pair[1] is None):
            raise UsageError(f"{names} belong together; only one of them was given")
    if None not in (*sky, *pixels):
        raise UsageError("give --ra and --dec or --x and --y, not both")
    return ("pixels", pixels) if sky[0] is None else ("sky", sky)


def _position(catalog, kind, names):
    if names[0] is None:
        return None
    missing = [name for name in names if name not in catalog.colnames]
    if missing:
        raise CatalogError(
            f"the catalogue has no column {' nor '.join(missing)}; its columns are"
            f" {', '.join(catalog.colnames)}"
        )
    if kind == "pixels":
        return names
    columns = [catalog[name].copy() for name in names]
    for column in columns:
        if column.unit is None:
            column.unit = "deg"
    return tuple(columns)


def run(args):
    """
    Run the verb.

    Parameters
    ----------
    args : `argparse.Namespace`
    """
    from galmorph.tables import read_table

    kind, names = _columns(args)
    check_outputs(args)
    classifier = load_classifier(args.model)
    catalog = read_table(args.catalog)
    image = read_image(args)
    table = classifier.annotate(
        catalog,
        image,
        position=_position(catalog, kind, names),
        segmentation=read_segmentation(args.segmentation),
        overwrite=args.overwrite_columns,
        progress=on_terminal(),
    )
    finish(table, args, images=image)
