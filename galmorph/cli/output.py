# Licensed under a 3-clause BSD style license - see licenses/LICENSE.rst
"""
What the verbs leave behind: tables in files and on the terminal, pictures.
"""

import shutil
import sys

from galmorph.cli.arguments import UsageError
from galmorph.core import import_optional

__all__ = [
    "check_outputs",
    "finish",
    "finish_run",
    "postage_stamps",
    "print_failures",
    "print_metrics",
    "print_results",
    "print_table",
    "write_gallery",
    "write_segmentation",
    "write_tables",
]

MOST_ROWS = 40
MOST_OUTPUTS = 8
GALLERY_SIZE = 24
TABLES = (".ecsv", ".fits", ".fits.gz", ".vot", ".xml", ".parquet")
FIGURES = (".png", ".pdf", ".svg", ".jpg", ".jpeg")


def check_outputs(args, *more, exist=False):
    """
    See before the work begins that its results can be written.

    Parameters
    ----------
    args : `argparse.Namespace`
    *more : `~pathlib.Path` or `None`
        Further files that will be written.
    exist : bool, optional
        Whether files that are there are somebody else's concern.

    Raises
    ------
    UsageError
        If a suffix is unknown or a file is named twice.
    FileExistsError
        If a file is there and ``--overwrite`` was not given.
    FileNotFoundError
        If its folder is not there.
    MissingDependencyError
        If a gallery is wanted and matplotlib is not installed.
    """
    paths = [*args.output, *(path for path in more if path is not None)]
    for path in args.output:
        if not path.name.lower().endswith(TABLES):
            raise UsageError(
                f"--output: {path.name!r} has no suffix of a table; known are"
                f" {', '.join(TABLES)}"
            )
    picture = getattr(args, "gallery", None)
    if picture is not None:
        if picture.suffix.lower() not in FIGURES:
            raise UsageError(
                f"--gallery: {picture.name!r} has no suffix of a picture; known are"
                f" {', '.join(FIGURES)}"
            )
        import_optional("matplotlib", "plot")
        paths.append(picture)
    for path in paths:
        if paths.count(path) > 1:
            raise UsageError(f"{path}: named twice among the outputs")
        if not path.parent.is_dir():
            raise FileNotFoundError(f"{path}: there is no folder {path.parent}")
        if path.exists() and not (args.overwrite or exist):
            raise FileExistsError(f"{path} exists; give --overwrite to replace it")


def write_tables(table, args):
    """
    Write a table to every file of the command line.

    Parameters
    ----------
    table : `~astropy.table.QTable`
    args : `argparse.Namespace`
    """
    from galmorph.tables import write_table

    for path in args.output:
        write_table(table, path, overwrite=args.overwrite)


def write_segmentation(detection, path, overwrite=False):
    """
    Write a segmentation map as a FITS image, with the WCS of the mosaic.

    Parameters
    ----------
    detection : `~galmorph.images.Detection`
    path : path-like
    overwrite : bool, optional
        Whether to replace a file that exists.
    """
    from astropy.io import fits

    wcs = detection.image.wcs
    header = None if wcs is None else wcs.to_header()
    fits.PrimaryHDU(detection.segmentation, header).writeto(path, overwrite=overwrite)


def finish(table, args, images=None):
    """
    Write, draw and print the results of a verb.

    Parameters
    ----------
    table : `~astropy.table.QTable`
        Results of the classifier.
    args : `argparse.Namespace`
    images : `~astropy.nddata.NDData` or sequence of images, optional
        Where the galaxies of a gallery are cut from: one mosaic, or one image
        per row.
    """
    write_tables(table, args)
    if args.gallery is not None:
        write_gallery(table, images, args.gallery)
    print_results(table)
    print_failures(table)
    for path in [*args.output, args.gallery]:
        if path is not None:
            print(f"written: {path}", file=sys.stderr)


def finish_run(summary):
    """
    Print what a long run did.

    Parameters
    ----------
    summary : `~galmorph.scale.Summary`

    Returns
    -------
    code : int
        1 where partitions could not be done, else 0.
    """
    print(summary)
    for failure in summary.failures[:MOST_ROWS]:
        where = f"row {failure['row']}"
        if "partition" in failure:
            where = f"{failure['partition']}, {where}"
        print(f"galmorph: {where}: {failure['reason']}", file=sys.stderr)
    if len(summary.failures) > MOST_ROWS:
        print("galmorph: more are listed in the table's meta", file=sys.stderr)
    print(f"written: {summary.path}", file=sys.stderr)
    return 1 if summary.bad_partitions else 0


def print_table(table, formats=None):
    """
    Print a table, shortened in the middle where it is long.

    Parameters
    ----------
    table : `~astropy.table.Table`
    formats : dict, optional
        Formats of columns.
    """
    import numpy as np
    from astropy.table import Table

    plain = Table(table, copy=False)
    for name, spelling in (formats or {}).items():
        if name in plain.colnames:
            plain[name].info.format = spelling
    width = shutil.get_terminal_size().columns if sys.stdout.isatty() else -1
    columns = [plain[name] for name in plain.colnames]
    numbers = [getattr(c, "dtype", np.dtype(object)).kind in "iuf" for c in columns]
    lines = plain.pformat(
        max_lines=MOST_ROWS,
        max_width=width,
        align=[">" if number else "<" for number in numbers] if len(plain) else None,
    )
    print("\n".join(line.rstrip() for line in lines))


def print_results(table):
    """
    Print the fractions of galaxies, their class and the names of their flags.

    Parameters
    ----------
    table : `~astropy.table.QTable`
        Results of the classifier.
    """
    import numpy as np
    from astropy.coordinates import SkyCoord
    from astropy.table import Table

    from galmorph.core import decode_flags

    shown, formats = Table(), {}
    for name in ("id", "ID", "name", "label", "number", "NUMBER"):
        if name in table.colnames and not shown.colnames:
            shown[name] = table[name]
    if not shown.colnames:
        shown["row"] = np.arange(len(table))
    if isinstance(table.columns.get("sky_centroid"), SkyCoord):
        shown["ra"] = table["sky_centroid"].spherical.lon.deg
        shown["dec"] = table["sky_centroid"].spherical.lat.deg
        formats |= {"ra": ".5f", "dec": ".5f"}
    elif {"x_centroid", "y_centroid"} <= set(table.colnames):
        shown["x"] = np.asarray(table["x_centroid"], dtype=float)
        shown["y"] = np.asarray(table["y_centroid"], dtype=float)
        formats |= {"x": ".1f", "y": ".1f"}
    outputs = table.meta["galmorph"]["outputs"]
    for name in outputs if len(outputs) <= MOST_OUTPUTS else ():
        short = name.removeprefix("f_")
        shown[short] = table[name]
        formats[short] = ".2f"
    shown["class"] = [str(word) or "-" for word in table["morph_class"]]
    shown["flags"] = [",".join(names) for names in decode_flags(table["morph_flags"])]
    print_table(shown, formats)
    classified = sum(bool(str(word)) for word in table["morph_class"])
    galaxies = "1 galaxy" if len(table) == 1 else f"{len(table)} galaxies"
    print(f"{galaxies}, {classified} classified")


def print_metrics(metrics):
    """
    Print a table of errors with three digits.

    Parameters
    ----------
    metrics : `~astropy.table.Table`
    """
    floats = [n for n in metrics.colnames if metrics[n].dtype.kind == "f"]
    print_table(metrics, dict.fromkeys(floats, ".3f"))


def print_failures(table):
    """
    Tell on standard error which images failed, and why.

    Parameters
    ----------
    table : `~astropy.table.QTable`
        Results of the classifier.
    """
    for failure in table.meta.get("galmorph", {}).get("failures", []):
        name = failure.get("id", f"row {failure['row']}")
        print(f"galmorph: {name}: {failure['reason']}", file=sys.stderr)


def postage_stamps(image, x, y, sides):
    """
    Cut squares out of an image, with NaN beyond its edges and at bad pixels.

    Parameters
    ----------
    image : `~astropy.nddata.NDData`
    x, y : array_like
        Centres, 0-based pixels.
    sides : array_like
        Sides in pixels; where one is NaN, the stamp is a single NaN.

    Returns
    -------
    stamps : list of `~numpy.ndarray`
    """
    import numpy as np
    from astropy.nddata import Cutout2D

    pixels = image.data if image.data.ndim == 2 else image.data.mean(axis=-1)
    pixels = np.where(image.mask, np.nan, pixels)
    stamps = []
    for centre_x, centre_y, side in zip(x, y, sides, strict=True):
        stamp = np.full((1, 1), np.nan)
        ny, nx = pixels.shape
        inside = -0.5 <= centre_x < nx - 0.5 and -0.5 <= centre_y < ny - 0.5
        if inside and np.isfinite(side):
            stamp = Cutout2D(
                pixels,
                (centre_x, centre_y),
                max(int(round(side)), 3),
                mode="partial",
                fill_value=np.nan,
                copy=True,
            ).data
        stamps.append(stamp)
    return stamps


def write_gallery(table, images, path, truth=None, title=None):
    """
    Draw the galaxies of highest signal-to-noise ratio, or the first images.

    Parameters
    ----------
    table : `~astropy.table.QTable`
        Results of the classifier.
    images : `~astropy.nddata.NDData` or sequence of images
        One mosaic, of which the brightest galaxies are shown, or one image
        per row, of which the first are shown.
    path : path-like
    truth : `~astropy.table.Table`, optional
        True fractions, row by row.
    title : str, optional
    """
    import numpy as np
    from astropy.nddata import NDData

    from galmorph.core import ImageError
    from galmorph.images import as_nddata
    from galmorph.visualization import gallery

    x, y, sides, snr = (
        np.ma.filled(np.ma.asarray(np.asarray(table[name]), dtype=float), np.nan)
        for name in ("x_centroid", "y_centroid", "stamp_side", "snr")
    )
    mosaic = isinstance(images, NDData)
    if mosaic:
        rows = np.argsort(-np.nan_to_num(snr, nan=-np.inf), kind="stable")
        rows = rows[:GALLERY_SIZE]
        stamps = postage_stamps(images, x[rows], y[rows], sides[rows])
    else:
        rows = np.arange(min(len(table), GALLERY_SIZE))
        stamps = []
        for row in rows:
            try:
                image = as_nddata(images[row])
                stamps += postage_stamps(image, x[[row]], y[[row]], sides[[row]])
            except ImageError:  # its row says so
                stamps.append(np.full((1, 1), np.nan))
    gallery(
        stamps,
        table[rows],
        path=path,
        truth=None if truth is None else truth[rows],
        widths=_widths(table[rows]),
        title=title,
    )


def _widths(table):
    if "petrosian_radius_angle" not in table.colnames:
        return None
    scale = table["petrosian_radius_angle"] / table["petrosian_radius"]
    return scale * table["stamp_side"]
