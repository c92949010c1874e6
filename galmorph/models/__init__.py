# Licensed under a 3-clause BSD style license - see licenses/LICENSE.rst
"""
Stamps in, fractions out: networks, their files and where to get them.

In: stamps of shape (n, size, size, bands). Out: fractions of votes with errors
(`Predictor`), by a network (`build`) whose weights are in a model bundle
(`load_bundle`) that the registry finds (`fetch_model`).
"""

import importlib

_PUBLIC = {
    "DecisionTree": "layers",
    "Domain": "domain",
    "ErrorModel": "errors",
    "GroupConv2D": "symmetry",
    "GroupNormalization": "symmetry",
    "GroupPooling": "symmetry",
    "JoinedParts": "symmetry",
    "Maxout": "layers",
    "ModelBundle": "bundle",
    "ModelEntry": "registry",
    "ModelReport": "registry",
    "Parts": "symmetry",
    "Prediction": "inference",
    "Predictor": "inference",
    "architectures": "networks",
    "build": "networks",
    "copy_bundle": "bundle",
    "fetch_model": "registry",
    "get_entry": "registry",
    "is_symmetric": "networks",
    "list_models": "registry",
    "load_bundle": "bundle",
    "save_bundle": "bundle",
    "verify_model": "registry",
    "views": "layers",
}

__all__ = list(_PUBLIC)


def __getattr__(name):
    # Keras and its backend take seconds to import: only where they are needed
    if name in _PUBLIC:
        module = importlib.import_module(f"galmorph.models.{_PUBLIC[name]}")
        return getattr(module, name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def __dir__():
    return sorted(__all__)
