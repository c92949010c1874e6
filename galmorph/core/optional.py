# Licensed under a 3-clause BSD style license - see licenses/LICENSE.rst
"""
Optional packages, imported when they are first needed.
"""

import importlib

from galmorph.core.exceptions import MissingDependencyError

__all__ = ["import_optional"]


def import_optional(module, extra):
    """
    Import a module of an optional package.

    Parameters
    ----------
    module : str
        Name of the module, e.g. ``'matplotlib.pyplot'``.
    extra : str
        The extra of the distribution that brings the package.

    Returns
    -------
    module : module

    Raises
    ------
    MissingDependencyError
        If the package is not installed; the message names the extra.

    Examples
    --------
    >>> from galmorph.core import import_optional
    >>> import_optional("json", "all").__name__
    'json'
    """
    package = module.partition(".")[0]
    try:
        return importlib.import_module(module)
    except ModuleNotFoundError as error:
        if error.name is None or error.name.partition(".")[0] != package:
            raise
        raise MissingDependencyError(
            f"{package} is needed for this and is not installed; install it with:"
            f' python -m pip install "astro-galmorph[{extra}]"'
        ) from error
