# Licensed under a 3-clause BSD style license - see licenses/LICENSE.rst
"""
``galmorph train``: a configuration file -> a model bundle.
"""

import sys
from pathlib import Path

from galmorph.cli.output import print_metrics

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
        "train",
        "train a model as a configuration file says",
        "galmorph train default.toml --out runs/default",
        run,
    )
    parser.add_argument("config", type=Path, metavar="CONFIG", help="TOML file")
    parser.add_argument(
        "--out",
        type=Path,
        metavar="DIR",
        help="folder of the run; by default runs/ and the name of the model",
    )
    parser.add_argument(
        "--from",
        dest="start_from",
        metavar="BUNDLE",
        help="start with the weights of this model: a bundle's folder or .zip file;"
        " [training] freeze and trunk_rate say what of it may change",
    )
    parser.add_argument(
        "--resume", action="store_true", help="go on with a run that was interrupted"
    )


def run(args):
    """
    Run the verb.

    Parameters
    ----------
    args : `argparse.Namespace`
    """
    from astropy.table import QTable

    from galmorph.training import train_from_config

    def say(line):
        # whole lines, which also a log file may hold
        print(line, file=sys.stderr, flush=True)

    result = train_from_config(
        args.config,
        out=args.out,
        start_from=args.start_from,
        resume=args.resume,
        progress=say,
    )
    scores = result.metrics.get("test", result.metrics["validation"])
    print_metrics(QTable([{"output": name, **scores[name]} for name in scores]))
    print(f"bundle: {result.bundle}")
