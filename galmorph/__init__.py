# Licensed under a 3-clause BSD style license - see licenses/LICENSE.rst
"""
galmorph: visual-like morphologies of galaxies, as columns of an astropy table.

The public names below are imported when they are first used, so that
``import galmorph`` is quick and does not load TensorFlow or matplotlib.
"""

import importlib

try:
    from galmorph._version import version as __version__
except ImportError:  # a source tree that was never built
    __version__ = "0.0.0"

_PUBLIC = {
    "CANDELS": "galmorph.core",
    "FLAGS": "galmorph.core",
    "GALAXY_ZOO_2": "galmorph.core",
    "LabelScheme": "galmorph.core",
    "MorphFlag": "galmorph.core",
    "MorphologyClassifier": "galmorph.classifier",
    "Preprocessor": "galmorph.images",
    "conf": "galmorph.core",
    "decode_flags": "galmorph.core",
    "detect_sources": "galmorph.images",
}

__all__ = ["__version__", *_PUBLIC]


def __getattr__(name):
    if name in _PUBLIC:
        value = getattr(importlib.import_module(_PUBLIC[name]), name)
        globals()[name] = value
        return value
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def __dir__():
    return sorted(__all__)
