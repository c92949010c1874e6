# Licensed under a 3-clause BSD style license - see licenses/LICENSE.rst
"""
``galmorph demo``: the whole road once, on a mosaic whose truth is known.
"""

import sys
import time
from pathlib import Path

from galmorph.cli.arguments import add_model_argument, load_classifier, on_terminal
from galmorph.cli.output import print_metrics, print_results, write_gallery
from galmorph.core import import_optional

__all__ = ["add_parser", "match_to_truth", "run"]

SHAPE, N_SOURCES = (900, 900), 80
# HST WFC3/IR resolves 0.15"; further apart, two centres are two galaxies
MATCH_RADIUS = 0.3


def add_parser(verbs):
    """
    Add the verb to the command line.

    Parameters
    ----------
    verbs : object
        Its ``add`` makes the verb's parser.
    """
    parser = verbs.add(
        "demo",
        "simulate a mosaic with known truth, detect, classify and compare",
        "galmorph demo --out demo-output --seed 1",
        run,
    )
    parser.add_argument(
        "--out",
        type=Path,
        default=Path("demo-output"),
        metavar="DIR",
        help="folder to write to; files of an earlier demo are replaced (demo-output)",
    )
    parser.add_argument(
        "--seed", type=int, default=1, help="the same seed, the same galaxies (1)"
    )
    add_model_argument(parser)


def run(args):
    """
    Run the verb.

    Parameters
    ----------
    args : `argparse.Namespace`
    """
    import_optional("galsim", "sim")
    import_optional("matplotlib", "plot")
    from astropy.io import fits
    from astropy.nddata import StdDevUncertainty

    from galmorph.evaluation import metrics_table
    from galmorph.images import as_nddata, detect_sources
    from galmorph.simulation import simulate_field
    from galmorph.tables import write_table

    args.out.mkdir(parents=True, exist_ok=True)
    say = _Teller()
    say(f"simulating {N_SOURCES} sources on {SHAPE[0]} x {SHAPE[1]} pixels")
    mosaic = args.out / "mosaic.fits"
    field = simulate_field(SHAPE, seed=args.seed, n_sources=N_SOURCES)
    made = field.write(mosaic, overwrite=True)

    say(f"reading {mosaic} and detecting its sources")
    with fits.open(mosaic) as hdus:
        rms = StdDevUncertainty(hdus["RMS"].data.astype("f4"))
        image = as_nddata(hdus["SCI"], uncertainty=rms)
    detection = detect_sources(image)

    say(f"classifying {len(detection.catalog)} sources")
    classifier = load_classifier(args)
    table = classifier.classify_image(
        image, detection=detection, progress=on_terminal()
    )

    say("writing the catalogue and the gallery")
    catalogs = [args.out / "catalog.ecsv", args.out / "catalog.fits"]
    for path in catalogs:
        write_table(table, path, overwrite=True)
    rows, truth_rows = match_to_truth(table, field.catalog)
    matched, truth = table[rows], field.catalog[truth_rows]
    picture = args.out / "gallery.png"
    write_gallery(
        matched,
        image,
        picture,
        truth=truth,
        title=f"galmorph demo: fractions by the model {classifier.name!r}",
    )
    say("done\n")
    print_results(table)
    scheme = classifier.scheme
    metrics = metrics_table(scheme.labels(truth), scheme.labels(matched), scheme)
    print(
        f"\n{len(matched)} of {len(table)} detected sources match one of the"
        f" {len(field.catalog)} true ones within {MATCH_RADIUS} arcsec"
    )
    print_metrics(metrics)
    for path in [*made, *catalogs, picture]:
        print(f"written: {path}")


class _Teller:
    """Says on standard error what is being done, and when."""

    def __init__(self):
        self._start = time.monotonic()

    def __call__(self, words):
        seconds = time.monotonic() - self._start
        print(f"[{seconds:5.1f} s] {words}", file=sys.stderr, flush=True)


def match_to_truth(table, truth, radius=MATCH_RADIUS):
    """
    Match detected sources with true ones that are each other's nearest.

    Parameters
    ----------
    table, truth : `~astropy.table.QTable`
        Both with the column ``sky_centroid``.
    radius : float, optional
        Largest separation in arcsec.

    Returns
    -------
    rows, truth_rows : `~numpy.ndarray` of int
        Rows of the pairs, in the order of ``table``.
    """
    import numpy as np

    if not len(table) or not len(truth):
        return np.zeros(0, int), np.zeros(0, int)
    found, true = table["sky_centroid"], truth["sky_centroid"]
    nearest, separation, _ = found.match_to_catalog_sky(true)
    back, _, _ = true.match_to_catalog_sky(found)
    rows = np.arange(len(table))
    good = (back[nearest] == rows) & (separation.arcsec < radius)
    return rows[good], nearest[good]
