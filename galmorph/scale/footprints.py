# Licensed under a 3-clause BSD style license - see licenses/LICENSE.rst
"""
What is known of tiles before their pixels are read, and tiles as others need them.
"""

import os
import tempfile
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from astropy.io import fits

from galmorph.core import ConfigurationError, GalmorphError, ImageError
from galmorph.core.exceptions import reason
from galmorph.scale.planes import unpack
from galmorph.scale.tiles import open_tile

__all__ = ["Footprint", "footprints_of", "on_disk"]


@dataclass
class Footprint:
    """
    What is known of a tile before its pixels are read.

    Parameters
    ----------
    name : str
    shape : tuple of int
    wcs : `~astropy.wcs.WCS` or None
    in_strips : bool
        As for `~galmorph.scale.OpenTile`.
    """

    name: str
    shape: tuple
    wcs: object
    in_strips: bool


def footprints_of(tiles, bands):
    """
    Open each tile for a moment.

    Parameters
    ----------
    tiles : list of `~galmorph.scale.Tile`
    bands : int
        Number of bands that they should have.

    Returns
    -------
    footprints : list of `Footprint` or None
        `None` for tiles that cannot be used.
    reasons : dict
        Why, by the tiles' names.

    Raises
    ------
    ImageError
        If none can be used.
    """
    footprints, reasons, last = [], {}, None
    for tile in tiles:
        try:
            with open_tile(tile) as opened:
                found = opened.shape[2] if len(opened.shape) == 3 else 1
                if found != bands:
                    raise ImageError(
                        f"image: {tile.name} has {found} bands, and the model reads"
                        f" {bands}"
                    )
                footprints.append(
                    Footprint(tile.name, opened.shape, opened.wcs, opened.in_strips)
                )
        except GalmorphError as error:
            footprints.append(None)
            reasons[tile.name], last = reason(error), error
    if len(reasons) == len(tiles):
        raise last
    return footprints, reasons


def on_disk(tiles, folder, for_others):
    """
    Tiles of which any process can read windows.

    Parameters
    ----------
    tiles : list of `~galmorph.scale.Tile`
    folder : path-like
        Where files that are compressed as a whole are unpacked, once for all.
    for_others : bool
        Whether images in memory are written there too, for other processes.

    Returns
    -------
    tiles : list of `~galmorph.scale.Tile`

    Raises
    ------
    ConfigurationError
        If an image in memory has bands, which files have not.
    """
    return [_on_disk(tile, folder, for_others) for tile in tiles]


def _on_disk(tile, folder, for_others):
    changed = {}
    for name in ("sci", "rms", "weight", "mask", "segmentation"):
        path = getattr(tile, name)
        if isinstance(path, (str, os.PathLike)) and "://" not in os.fspath(path):
            try:
                changed[name] = unpack(path, folder)
            except (OSError, EOFError):
                changed[name] = path  # a tile that cannot be read is told later
    if tile.in_memory and for_others:
        changed |= _written(tile, folder)
    return replace(tile, **changed)


def _written(tile, folder):
    with open_tile(tile) as opened:
        image, segments = opened.read(), opened.segments(np.s_[:, :])
    if image.data.ndim == 3:
        raise ConfigurationError(
            "n_workers: images in memory that have bands are classified in this"
            " process; give n_workers=0"
        )
    folder = Path(tempfile.mkdtemp(dir=folder))
    hdus = fits.HDUList([fits.PrimaryHDU(image.data)])
    hdus.append(fits.ImageHDU(image.mask.astype(np.uint8), name="MASK"))
    if image.uncertainty is not None:
        hdus.append(fits.ImageHDU(image.uncertainty.array, name="UNCERT"))
    hdus.writeto(folder / "image.fits")
    changed = {
        "sci": folder / "image.fits",
        "hdu": None,
        "rms": None,
        "weight": None,
        "mask": None,
        "pixel_scale": opened.pixel_scale,
    }
    if segments is not None:
        fits.PrimaryHDU(segments).writeto(folder / "segments.fits")
        changed["segmentation"] = folder / "segments.fits"
    return changed
