# Licensed under a 3-clause BSD style license - see licenses/LICENSE.rst
"""
What a run is a run of, so that another is not taken for it.
"""

import hashlib
import os
from dataclasses import fields

import numpy as np
from astropy.coordinates import SkyCoord

from galmorph.images import as_nddata
from galmorph.scale.plan import PATCH_SIDE, TASK_ROWS

__all__ = ["describe_run", "part_of_position"]


def describe_run(catalog, tiles, classifier, *, position, **settings):
    """
    Describe a run by all that its results depend on.

    Parameters
    ----------
    catalog : `~astropy.table.Table`, path-like, list of path-like or str
        The catalogue, its files, or what tells it from others.
    tiles : list of `~galmorph.scale.Tile`
    classifier : `~galmorph.classifier.MorphologyClassifier`
    position : optional
        As for `~galmorph.scale.annotate`.
    **settings
        Further settings, as plain data.

    Returns
    -------
    manifest : dict
        Plain data for JSON.
    """
    return {
        "catalog": _known(catalog),
        "tiles": [_describe_tile(tile) for tile in tiles],
        "model": {**classifier.provenance, **classifier.settings},
        "position": _known(position),
        "plan": [PATCH_SIDE, TASK_ROWS],
        **settings,
    }


def _describe_tile(tile):
    described = {}
    for field in fields(tile):
        value = getattr(tile, field.name)
        is_file = field.name in ("sci", "rms", "weight", "mask", "segmentation")
        described[field.name] = _known(value) if is_file else str(value)
    return described


def _known(value):
    """What tells whether a value is still the same, as plain data."""
    if value is None or isinstance(value, dict):
        return value
    if isinstance(value, (str, os.PathLike)):
        return _file(value)
    if isinstance(value, (list, tuple)) and all(isinstance(v, str) for v in value):
        return list(value)
    if isinstance(value, (list, tuple)) and all(
        isinstance(v, os.PathLike) for v in value
    ):
        return [_file(v) for v in value]
    digest = hashlib.sha256()
    for array in _arrays(value):
        digest.update(repr((array.shape, array.dtype.str)).encode())
        plain = array.astype(str) if array.dtype.kind == "O" else array
        digest.update(np.ascontiguousarray(plain).tobytes())
    return digest.hexdigest()


def _file(path):
    path = os.fspath(path)
    if "://" in path or not os.path.exists(path):
        return path
    status = os.stat(path)
    return [os.path.realpath(path), status.st_size, status.st_mtime_ns]


def _arrays(value):
    if isinstance(value, SkyCoord):
        return [value.spherical.lon.deg, value.spherical.lat.deg]
    if hasattr(value, "colnames"):
        names = [np.array(value.colnames)]
        return names + [a for name in value.colnames for a in _arrays(value[name])]
    if isinstance(value, (list, tuple)):
        return [a for each in value for a in _arrays(each)]
    if hasattr(value, "data") and hasattr(value, "wcs"):
        image = as_nddata(value)
        noise = image.uncertainty
        rest = [] if noise is None else [noise.array]
        return [image.data, image.mask, *rest, np.array(repr(image.wcs))]
    return [np.ma.filled(np.ma.asarray(value))] if np.size(value) else []


def part_of_position(position, first, n_rows):
    """
    The positions of some rows.

    Parameters
    ----------
    position : optional
        As for `~galmorph.scale.annotate`.
    first, n_rows : int

    Returns
    -------
    position
        Names are names for all rows; of arrays it is a part.
    """
    rows = np.s_[first : first + n_rows]
    if isinstance(position, SkyCoord):
        return position[rows]
    if isinstance(position, (list, tuple)) and not any(
        isinstance(each, str) for each in position
    ):
        return tuple(each[rows] for each in position)
    return position
