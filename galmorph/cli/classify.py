# Licensed under a 3-clause BSD style license - see licenses/LICENSE.rst
"""
``galmorph classify``: images of one galaxy each -> fractions.
"""

from galmorph.cli.arguments import (
    add_model_argument,
    add_output_arguments,
    add_pixel_scale,
    load_classifier,
    on_terminal,
)
from galmorph.cli.output import check_outputs, finish

__all__ = ["add_parser", "classify_files", "run"]


def add_parser(verbs):
    """
    Add the verb to the command line.

    Parameters
    ----------
    verbs : object
        Its ``add`` makes the verb's parser.
    """
    parser = verbs.add(
        "classify",
        "classify images that show one galaxy each, in their middle",
        "galmorph classify cutouts/*.fits -o results.ecsv --gallery results.png",
        run,
    )
    parser.add_argument(
        "images", nargs="+", metavar="IMAGE", help="FITS file or its URL"
    )
    add_pixel_scale(parser)
    add_model_argument(parser)
    add_output_arguments(parser)


def run(args):
    """
    Run the verb.

    Parameters
    ----------
    args : `argparse.Namespace`

    Returns
    -------
    code : int
    """
    check_outputs(args)
    table = classify_files(load_classifier(args), args.images, args.pixel_scale)
    finish(table, args, images=args.images)
    return int(len(table.meta["galmorph"]["failures"]) == len(table))


def classify_files(classifier, paths, pixel_scale=None):
    """
    Classify image files; each row's id is the name of its file.

    Parameters
    ----------
    classifier : `~galmorph.classifier.MorphologyClassifier`
    paths : sequence of str
    pixel_scale : float, optional
        Size of a pixel in arcsec.

    Returns
    -------
    table : `~astropy.table.QTable`
    """
    names = [path.rstrip("/").rpartition("/")[2] for path in paths]
    names = names if len(set(names)) == len(names) else paths
    return classifier.classify(
        paths[0] if len(paths) == 1 else paths,  # alone, a bad image is an error
        ids=names,
        pixel_scale=pixel_scale,
        progress=on_terminal(),
    )
