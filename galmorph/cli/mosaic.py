# Licensed under a 3-clause BSD style license - see licenses/LICENSE.rst
"""
``galmorph mosaic``: an image of the sky -> its galaxies with fractions.
"""

from galmorph.cli.arguments import (
    add_detection_arguments,
    add_image_arguments,
    add_model_argument,
    add_output_arguments,
    add_scale_arguments,
    detection_config,
    load_classifier,
    on_terminal,
    read_image,
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
        "mosaic",
        "detect the sources of an image and classify each",
        "galmorph mosaic f160w_sci.fits --rms f160w_rms.fits -o galaxies.ecsv",
        run,
    )
    parser.add_argument(
        "tiles",
        nargs="+",
        metavar="IMAGE",
        help="FITS file or its address (https://, s3://); several tiles; or a table"
        " with a row for each tile and the columns sci, rms or weight, mask, name",
    )
    add_image_arguments(parser)
    add_detection_arguments(parser)
    add_model_argument(parser)
    add_output_arguments(parser)
    add_scale_arguments(parser)
    parser.set_defaults(segmentation=None)


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
    if is_long(args):
        return run_long(args, None, detection=detection_config(args))
    check_outputs(args)
    (args.image,) = args.tiles
    classifier = load_classifier(args)
    image = read_image(args)
    table = classifier.classify_image(
        image, detection=detection_config(args), progress=on_terminal()
    )
    finish(table, args, images=image)
    return 0
