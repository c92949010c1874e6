# Licensed under a 3-clause BSD style license - see licenses/LICENSE.rst
"""
``galmorph mosaic``: an image of the sky -> its galaxies with fractions.
"""

from galmorph.cli.arguments import (
    add_detection_arguments,
    add_image_arguments,
    add_model_argument,
    add_output_arguments,
    detection_config,
    load_classifier,
    on_terminal,
    read_image,
)
from galmorph.cli.output import check_outputs, finish

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
    parser.add_argument("image", metavar="IMAGE", help="FITS file or its URL")
    add_image_arguments(parser)
    add_detection_arguments(parser)
    add_model_argument(parser)
    add_output_arguments(parser)


def run(args):
    """
    Run the verb.

    Parameters
    ----------
    args : `argparse.Namespace`
    """
    check_outputs(args)
    classifier = load_classifier(args.model)
    image = read_image(args)
    table = classifier.classify_image(
        image, detection=detection_config(args), progress=on_terminal()
    )
    finish(table, args, images=image)
