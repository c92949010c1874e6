# Licensed under a 3-clause BSD style license - see licenses/LICENSE.rst
"""
Errors and warnings of galmorph.

Every message says which argument or file is concerned, what was found there
and what to do about it. Each error also derives from the built-in exception
that a caller would expect, so that ``except ValueError`` keeps working.
"""

from astropy.utils.exceptions import AstropyUserWarning

__all__ = [
    "BundleError",
    "CatalogError",
    "ConfigurationError",
    "DownloadError",
    "GalmorphError",
    "GalmorphWarning",
    "ImageError",
    "MissingDependencyError",
    "UnknownModelError",
]


class GalmorphError(Exception):
    """
    Base class of every error that galmorph raises on purpose.

    Examples
    --------
    >>> from galmorph.core import GalmorphError, ImageError
    >>> issubclass(ImageError, GalmorphError)
    True
    """


class ImageError(GalmorphError, ValueError):
    """Something that was given as an image cannot be used as one."""


class CatalogError(GalmorphError, ValueError):
    """A catalogue lacks, or has in conflict, the columns that are needed."""


class ConfigurationError(GalmorphError, ValueError):
    """A setting, a label scheme or a configuration file is not valid."""


class BundleError(GalmorphError, ValueError):
    """A model bundle is damaged, incomplete or of an unknown format."""


class UnknownModelError(GalmorphError, LookupError):
    """No model of that name is registered."""


class DownloadError(GalmorphError, OSError):
    """No source of a registered file delivered the right content."""


class MissingDependencyError(GalmorphError, ImportError):
    """An optional package is needed; the message names the extra to install."""


class GalmorphWarning(AstropyUserWarning):
    """Something deserves attention but the work went on."""


def reason(error):
    """
    Why something failed, in one line.

    Parameters
    ----------
    error : Exception

    Returns
    -------
    reason : str
        Its message; the name of its type goes before, unless it is one of
        galmorph's own, whose messages are written to stand alone.

    Examples
    --------
    >>> from galmorph.core.exceptions import reason
    >>> reason(KeyError("SCI"))
    "KeyError: 'SCI'"
    """
    words = " ".join(str(error).split())
    known = isinstance(error, GalmorphError)
    return words if known else f"{type(error).__name__}: {words}"
