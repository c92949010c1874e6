# Licensed under a 3-clause BSD style license - see licenses/LICENSE.rst
"""
Pixels in: anything image-like becomes stamps that a network reads.

In: arrays, NDData, FITS files; positions. Out: NDData of one kind
(`as_nddata`), detected sources (`detect_sources`), windows around positions
(`extract_cutouts`) and, by a `Preprocessor`, stamps with flags and measurements.
"""

import importlib

_PUBLIC = {
    "Detection": "detection",
    "DetectionConfig": "detection",
    "NOT_CLASSIFIED": "stamps",
    "Preprocessor": "preprocessing",
    "RawCutout": "cutouts",
    "Stamps": "stamps",
    "as_nddata": "nddata",
    "centroid": "centering",
    "centroid_batch": "centering",
    "cutout_from_image": "cutouts",
    "detect_sources": "detection",
    "extract_cutouts": "cutouts",
    "petrosian_radius": "petrosian",
    "pixel_scale_of": "nddata",
    "resample": "resampling",
}

__all__ = list(_PUBLIC)


def __getattr__(name):
    # photutils takes more than a second to import: only where it is needed
    if name in _PUBLIC:
        module = importlib.import_module(f"galmorph.images.{_PUBLIC[name]}")
        return getattr(module, name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def __dir__():
    return sorted(__all__)
