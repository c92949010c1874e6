# Licensed under a 3-clause BSD style license - see licenses/LICENSE.rst
"""
Long runs from the command line: tiles, large images, several processes, a cluster.
"""

import glob
import os

from galmorph.cli.arguments import UsageError, load_classifier, on_terminal
from galmorph.cli.output import check_outputs, finish_run

__all__ = ["is_long", "run_long"]

_LARGE = 1 << 28  # bytes of an image that is not read into memory as a whole


def is_long(args):
    """
    Whether the work is done tile by tile, in processes, and can be resumed.

    Parameters
    ----------
    args : `argparse.Namespace`

    Returns
    -------
    long : bool
    """
    wanted = (args.workers, args.memory_limit, args.shards, args.dask)
    if len(args.tiles) > 1 or any(each is not None for each in wanted):
        return True
    (image,) = args.tiles
    if not image.lower().endswith((".fits", ".fit", ".gz", ".fz")):
        return "://" not in image  # a table of tiles, or a pattern
    if not os.path.exists(image):
        return glob.has_magic(image) and "://" not in image
    return os.path.getsize(image) > _LARGE


def run_long(args, catalog, **settings):
    """
    Annotate a catalogue of any length, or detect sources and annotate these.

    Parameters
    ----------
    args : `argparse.Namespace`
    catalog : path-like or None
    **settings
        Further parameters of `~galmorph.scale.annotate`.

    Returns
    -------
    code : int
        1 where partitions could not be done.
    """
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
        catalog,
        tiles,
        outputs[0],
        classifier=load_classifier(args),
        **settings,
        **own,
        overwrite=args.overwrite,
        progress=on_terminal(),
    )
    return finish_run(summary)
