# Licensed under a 3-clause BSD style license - see licenses/LICENSE.rst
"""
``galmorph detect``: an image of the sky -> a catalogue of its sources.
"""

from pathlib import Path

from galmorph.cli.arguments import (
    add_detection_arguments,
    add_image_arguments,
    add_output_arguments,
    detection_config,
    on_terminal,
    read_image,
)
from galmorph.cli.output import (
    check_outputs,
    print_table,
    write_segmentation,
    write_tables,
)

__all__ = ["add_parser", "run"]

SHOWN = (
    "label",
    "x_centroid",
    "y_centroid",
    "area",
    "semimajor_axis",
    "ellipticity",
    "half_light_radius",
    "kron_flux",
    "snr",
)


def add_parser(verbs):
    """
    Add the verb to the command line.

    Parameters
    ----------
    verbs : object
        Its ``add`` makes the verb's parser.
    """
    parser = verbs.add(
        "detect",
        "detect the sources of an image and measure each",
        "galmorph detect f160w_sci.fits --rms f160w_rms.fits -o sources.ecsv",
        run,
    )
    parser.add_argument("image", metavar="IMAGE", help="FITS file or its URL")
    parser.add_argument(
        "--segmentation",
        type=Path,
        metavar="FILE",
        help="FITS file to write the segmentation map to",
    )
    add_image_arguments(parser)
    add_detection_arguments(parser)
    add_output_arguments(parser, gallery=False)


def run(args):
    """
    Run the verb.

    Parameters
    ----------
    args : `argparse.Namespace`
    """
    from galmorph.images import detect_sources

    check_outputs(args, args.segmentation)
    detection = detect_sources(
        read_image(args), detection_config(args), progress=on_terminal()
    )
    write_tables(detection.catalog, args)
    if args.segmentation is not None:
        write_segmentation(detection, args.segmentation, overwrite=args.overwrite)
    catalog = detection.catalog
    print_table(
        catalog[[name for name in SHOWN if name in catalog.colnames]],
        dict.fromkeys(SHOWN[1:3], ".1f") | dict.fromkeys(SHOWN[3:], ".4g"),
    )
    print(f"{len(catalog)} sources")
