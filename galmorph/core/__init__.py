# Licensed under a 3-clause BSD style license - see licenses/LICENSE.rst
"""
Words that every room speaks: label schemes, quality bits, settings, errors.

In: nothing of galmorph. Out: `LabelScheme` (what outputs mean), `FLAGS` (what
the bits of ``morph_flags`` mean), ``conf`` (settings), the exceptions.
"""

from galmorph.core.config import Conf, conf
from galmorph.core.exceptions import (
    BundleError,
    CatalogError,
    ConfigurationError,
    DownloadError,
    GalmorphError,
    GalmorphWarning,
    ImageError,
    MissingDependencyError,
    UnknownModelError,
)
from galmorph.core.flags import FLAGS, FlagDefinition, MorphFlag, decode_flags
from galmorph.core.optional import import_optional
from galmorph.core.schemes import (
    CANDELS,
    GALAXY_ZOO_2,
    LabelScheme,
    Question,
    get_scheme,
)

__all__ = [
    "CANDELS",
    "FLAGS",
    "GALAXY_ZOO_2",
    "BundleError",
    "CatalogError",
    "Conf",
    "ConfigurationError",
    "DownloadError",
    "FlagDefinition",
    "GalmorphError",
    "GalmorphWarning",
    "ImageError",
    "LabelScheme",
    "MissingDependencyError",
    "MorphFlag",
    "Question",
    "UnknownModelError",
    "conf",
    "decode_flags",
    "get_scheme",
    "import_optional",
]
