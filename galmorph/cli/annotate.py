# Licensed under a 3-clause BSD style license - see licenses/LICENSE.rst
"""
``galmorph annotate``: a catalogue and its images -> the catalogue with fractions.
"""

import glob
import os
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
from galmorph.cli.output import check_outputs, finish, finish_run

__all__ = ["add_parser", "run"]

LARGE = 1 << 28
"""Bytes of an image that is not read into memory as a whole."""


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
    add_scale_arguments(parser)


def _columns(args):
    """The kind of the named columns, ``'sky'`` or ``'pixels'``, and their names."""
    sky, pixels = (args.ra, args.dec), (args.x, args.y)
    for pair, names in ((sky, "--ra and --dec"), (pixels, "--x and --y")):
        if (pair[0] is None) != (pair[1] is None):
            raise UsageError(f"{names} belong together; only one of them was given")
    if None not in (*sky, *pixels):
        raise UsageError("give --ra and --dec or --x and --y, not both")
    return ("pixels", pixels) if sky[0] is None else ("sky", sky)


def _is_long(args):
    """Whether the work is done tile by tile, in processes, and can be resumed."""
    wanted = (args.workers, args.memory_limit, args.shards, args.dask)
    if len(args.tiles) > 1 or any(each is not None for each in wanted):
        return True
    (image,) = args.tiles
    if not image.lower().endswith((".fits", ".fit", ".gz", ".fz")):
        return "://" not in image  # a table of tiles, or a pattern
    if not os.path.exists(image):
        return glob.has_magic(image) and "://" not in image
    return os.path.getsize(image) > LARGE


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
    if _is_long(args):
        return _run_long(args, position)
    return _run_short(args, position)


def _run_short(args, position):
    from galmorph.tables import read_table

    check_outputs(args)
    (args.image,) = args.tiles
    classifier = load_classifier(args.model)
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


def _run_long(args, position):
    from galmorph.scale import annotate, annotate_partitions, find_tiles

    outputs = [*args.output, *([args.shards] if args.shards is not None else [])]
    if len(outputs) != 1:
        raise UsageError(
            "for tiles, large images and with --workers or --memory-limit give one"
            " output: -o FILE or --shards FOLDER"
        )
    if args.shards is None:
        check_outputs(args, exist=True)
    elif args.shards.suffix:
        raise UsageError(f"--shards: {args.shards} looks like a file; name a folder")
    if args.gallery is not None:
        raise UsageError("--gallery: only of one small image")
    files = ("rms", "weight", "mask", "segmentation")
    own = {name: getattr(args, name) for name in files if getattr(args, name)}
    tiles = find_tiles(args.tiles, **own, hdu=args.hdu, pixel_scale=args.pixel_scale)
    if own and len(tiles) > 1:
        raise UsageError(
            f"--{next(iter(own))}: for several tiles name these files in a table of"
            " tiles"
        )
    if args.dask is None:
        own = {"n_workers": args.workers, "memory_limit": args.memory_limit}
    elif args.shards is None or args.workers is not None or args.memory_limit:
        raise UsageError(
            "--dask needs --shards FOLDER; its workers have their number and memory"
            " from those who start them"
        )
    else:
        annotate, own = annotate_partitions, {"client": args.dask}
    summary = annotate(
        args.catalog,
        tiles,
        outputs[0],
        classifier=load_classifier(args.model),
        position=position,
        **own,
        overwrite=args.overwrite,
        overwrite_columns=args.overwrite_columns,
        progress=on_terminal(),
    )
    return finish_run(summary)
