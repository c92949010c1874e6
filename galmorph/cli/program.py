# Licensed under a 3-clause BSD style license - see licenses/LICENSE.rst
"""
The parser of the command line, and what becomes of errors.
"""

import argparse
import importlib
import os
import sys
import warnings

from galmorph import __version__
from galmorph.cli.arguments import UsageError
from galmorph.core import GalmorphError, UnknownModelError

__all__ = ["build_parser", "main"]

VERBS = (
    "demo",
    "classify",
    "annotate",
    "mosaic",
    "detect",
    "simulate",
    "train",
    "evaluate",
    "models",
)
FAILED, BAD_USAGE, INTERRUPTED, BROKEN_PIPE = 1, 2, 130, 141


def build_parser():
    """
    The parser of the whole command line.

    Returns
    -------
    parser : `argparse.ArgumentParser`
    """
    parser = argparse.ArgumentParser(
        prog="galmorph",
        description="Visual-like morphologies of galaxies from images, as tables.",
        epilog="example:\n  galmorph demo --out demo-output\n\n"
        "'galmorph VERB --help' shows the options of a verb, with an example.",
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--version", action="version", version=__version__)
    parser.add_argument("--debug", action="store_true", help=_DEBUG)
    verbs = parser.add_subparsers(metavar="VERB", title="verbs")
    for verb in VERBS:
        module = importlib.import_module(f"galmorph.cli.{verb}")
        module.add_parser(_Verbs(verbs))
    return parser


_DEBUG = "show the traceback of an error"


class _Verbs:
    """What a verb's module adds its parser to."""

    def __init__(self, subparsers):
        self._subparsers = subparsers

    def add(self, name, summary, example, run=None):
        """Make a parser that calls ``run`` with the arguments."""
        parser = self._subparsers.add_parser(
            name,
            help=summary,
            description=f"{summary[0].upper()}{summary[1:]}.",
            epilog=f"example:\n  {example}",
            formatter_class=argparse.RawDescriptionHelpFormatter,
        )
        parser.add_argument(
            "--debug", action="store_true", default=argparse.SUPPRESS, help=_DEBUG
        )
        if run is not None:
            parser.set_defaults(run=run)
        return parser

    def within(self, parser, title):
        """The same for the verbs of a verb."""
        return _Verbs(
            parser.add_subparsers(metavar=title.upper(), title=title, required=True)
        )


def main(argv=None):
    """
    Run the command line.

    Parameters
    ----------
    argv : list of str, optional
        The words after ``galmorph``; by default those of the process.

    Returns
    -------
    code : int
        0 for success, 1 for work that failed, 2 for bad usage, 130 after an
        interruption, 141 where the reader of the output went away.

    Examples
    --------
    >>> from galmorph.cli import main
    >>> main(["models", "no-such-verb"])
    2
    """
    parser = build_parser()
    try:
        args = parser.parse_args(argv)
    except SystemExit as stop:  # argparse has printed help, version or its error
        return stop.code
    if not hasattr(args, "run"):
        parser.print_help(sys.stderr)
        return BAD_USAGE
    try:
        with warnings.catch_warnings():
            _print_warnings_plainly()
            code = args.run(args) or 0
        sys.stdout.flush()
        return code
    except KeyboardInterrupt:
        print("\ngalmorph: interrupted", file=sys.stderr)
        return INTERRUPTED
    except BrokenPipeError:
        # the rest of the output has no reader; keep the interpreter from trying
        sys.stdout = open(os.devnull, "w")  # noqa: SIM115
        return BROKEN_PIPE
    except Exception as error:
        if args.debug:
            raise
        return _report(error)


def _report(error):
    if isinstance(error, (UsageError, UnknownModelError)):
        print(f"galmorph: {error}", file=sys.stderr)
        return BAD_USAGE
    if isinstance(error, (GalmorphError, OSError)):
        print(f"galmorph: {error}", file=sys.stderr)
    else:
        print(
            f"galmorph: unexpected {type(error).__name__}: {error}\n"
            "This should not happen; --debug shows where it did.",
            file=sys.stderr,
        )
    return FAILED


def _print_warnings_plainly():
    import astropy.logger  # noqa: F401  (it replaces showwarning when first imported)

    def showwarning(message, category, filename, lineno, file=None, line=None):
        print(f"galmorph: warning: {message}", file=sys.stderr)

    warnings.showwarning = showwarning
