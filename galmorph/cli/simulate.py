# Licensed under a 3-clause BSD style license - see licenses/LICENSE.rst
"""
``galmorph simulate``: galaxies or a mosaic with known vote fractions.
"""

from pathlib import Path

from galmorph.cli.arguments import count
from galmorph.cli.output import print_table
from galmorph.core import CANDELS

__all__ = ["add_parser", "run_field", "run_galaxies"]


def add_parser(verbs):
    """
    Add the verb to the command line.

    Parameters
    ----------
    verbs : object
        Its ``add`` makes the verb's parser.
    """
    parser = verbs.add(
        "simulate",
        "simulate galaxies with known fractions (needs the extra 'sim')",
        "galmorph simulate galaxies 100 --seed 1 --out simulated",
    )
    kinds = verbs.within(parser, "kind")
    galaxies = kinds.add(
        "galaxies",
        "simulate images of one galaxy each, with a table of truth",
        "galmorph simulate galaxies 100 --seed 1 --out simulated",
        run_galaxies,
    )
    galaxies.add_argument("n", type=count, metavar="N", help="number of galaxies")
    galaxies.add_argument(
        "--out", type=Path, required=True, metavar="DIR", help="folder to write to"
    )
    galaxies.add_argument(
        "--votes",
        type=count,
        metavar="N",
        help="draw the votes of so many people for each galaxy, instead of the"
        " fractions that are expected of infinitely many",
    )
    field = kinds.add(
        "field",
        "simulate a mosaic, with its noise, segmentation map and catalogue of truth",
        "galmorph simulate field 60 --shape 600 600 --seed 1 --out field.fits",
        run_field,
    )
    field.add_argument("n", type=count, metavar="N", help="number of sources")
    field.add_argument(
        "--shape",
        type=count,
        nargs=2,
        default=(600, 600),
        metavar=("NY", "NX"),
        help="rows and columns of pixels",
    )
    field.add_argument(
        "--out", type=Path, required=True, metavar="FILE", help="FITS file to write"
    )
    for kind in (galaxies, field):
        kind.add_argument(
            "--instrument",
            metavar="NAME",
            help="camera and filter, such as wfc3_f160w (the default), acs_f814w,"
            " nircam_f200w or euclid_vis",
        )
        kind.add_argument(
            "--seed", type=int, default=0, help="the same seed, the same galaxies"
        )
        kind.add_argument(
            "--overwrite", action="store_true", help="replace files that exist"
        )


def run_galaxies(args):
    """
    Simulate galaxies.

    Parameters
    ----------
    args : `argparse.Namespace`
    """
    from galmorph.simulation import simulate_galaxies
    from galmorph.tables import write_table

    truth = args.out / "truth.ecsv"
    if truth.exists() and not args.overwrite:
        raise FileExistsError(f"{truth} exists; give --overwrite to replace it")
    simulated = simulate_galaxies(
        args.n, seed=args.seed, instrument=args.instrument, n_votes=args.votes
    )
    args.out.mkdir(parents=True, exist_ok=True)
    table = simulated.table
    names = [f"galaxy_{i:06d}.fits" for i in range(len(table))]
    for name, image in zip(names, simulated.cutouts, strict=True):
        _write_image(image, args.out / name, args.overwrite)
    table["id"] = names
    if args.votes is not None:
        table["n_votes"] = args.votes
    table = table[["id", *(name for name in table.colnames if name != "id")]]
    write_table(table, truth, overwrite=args.overwrite)
    print(f"{len(table)} galaxies and {truth.name} in {args.out}")


def _write_image(image, path, overwrite):
    from astropy.io import fits

    from galmorph.images import pixel_scale_of

    header = fits.Header()
    header["BUNIT"] = image.unit.to_string()
    header["PIXSCALE"] = (pixel_scale_of(image).value, "arcsec / pixel")
    fits.PrimaryHDU(image.data, header).writeto(path, overwrite=overwrite)


def run_field(args):
    """
    Simulate a mosaic.

    Parameters
    ----------
    args : `argparse.Namespace`
    """
    from galmorph.simulation import simulate_field

    for path in (args.out, args.out.with_suffix(".ecsv")):
        if path.exists() and not args.overwrite:
            raise FileExistsError(f"{path} exists; give --overwrite to replace it")
    field = simulate_field(
        tuple(args.shape),
        seed=args.seed,
        n_sources=args.n,
        instrument=args.instrument,
    )
    paths = field.write(args.out, overwrite=args.overwrite)
    _print_truth(field.catalog)
    print(f"{len(field.catalog)} sources in {' and '.join(map(str, paths))}")


def _print_truth(catalog):
    """What a person wants to see of a catalogue of truth; the file has the rest."""
    from astropy.table import Table

    shown, formats = Table({"label": catalog["label"]}), {"magnitude": ".2f"}
    for short in ("x", "y"):
        shown[short] = catalog[f"{short}_centroid"]
        formats[short] = ".1f"
    for name in ("kind", "magnitude"):
        shown[name] = catalog[name]
    for name in CANDELS.outputs:
        short = name.removeprefix("f_")
        shown[short] = catalog[name]
        formats[short] = ".2f"
    print_table(shown, formats)
