# Licensed under a 3-clause BSD style license - see licenses/LICENSE.rst
"""
The command ``galmorph``: one module a verb, which parses, calls and prints.

In: the words of the command line. Out: tables, pictures and bundles in files,
a readable table on standard output, progress and errors on standard error.
Exit code 0 for success, 1 for work that failed, 2 for bad usage.
"""

from galmorph.cli.program import main

__all__ = ["main"]
