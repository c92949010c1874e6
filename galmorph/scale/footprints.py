# Licensed under a 3-clause BSD style license - see licenses/LICENSE.rst
"""
What is known of tiles before their pixels are read, and tiles as others need them.
"""

import os
import tempfile
from collections import OrderedDict
from dataclasses import dataclass, replace
from pathlib import Path

import astropy.units as u
import numpy as np
from astropy.coordinates import SkyCoord
from astropy.io import fits
from scipy.spatial import cKDTree

from galmorph.core import ConfigurationError, GalmorphError, ImageError
from galmorph.core.exceptions import reason
from galmorph.scale.planes import unpack
from galmorph.scale.tiles import open_tile

__all__ = ["Footprint", "Footprints", "OpenTiles", "on_disk"]

_MOST_OPEN = 4


@dataclass
class Footprint:
    """
    What is known of a tile before its pixels are read.

    Parameters
    ----------
    name : str
    shape : tuple of int
    wcs : `~astropy.wcs.WCS` or None
    in_strips, unit
        As for `~galmorph.scale.OpenTile`.
    """

    name: str
    shape: tuple
    wcs: object
    in_strips: bool
    unit: object


class Footprints:
    """
    The footprints of tiles, each of which is opened for a moment.

    In another process - where only what is needed to choose tiles is sent - a
    footprint is read again when it is asked for.

    Parameters
    ----------
    tiles : list of `~galmorph.scale.Tile`
    bands : int or None
        Number of bands that they should have; `None` for any.

    Attributes
    ----------
    names : list of str
        Names of the tiles.
    reasons : dict
        Why tiles cannot be used, by their names.
    on_sky : bool
        Whether a tile has a WCS.

    Raises
    ------
    ImageError
        If no tile can be used.
    """

    def __init__(self, tiles, bands):
        self._tiles, self._bands, self._known = tiles, bands, {}
        self.names, self.reasons = [tile.name for tile in tiles], {}
        last = None
        for number, tile in enumerate(tiles):
            try:
                self._known[number] = _footprint(tile, bands)
            except GalmorphError as error:
                self._known[number] = None
                self.reasons[tile.name], last = reason(error), error
        if len(self.reasons) == len(tiles):
            raise last
        found = [f.wcs for f in self._known.values() if f is not None]
        self.on_sky = any(wcs is not None for wcs in found)
        circles = [_circle(self._known[number]) for number in range(len(tiles))]
        self._centres = np.array([centre for centre, _ in circles])
        self._radii = np.array([radius for _, radius in circles])

    def __getstate__(self):
        bad = {number: None for number, f in self._known.items() if f is None}
        return {**self.__dict__, "_known": bad}

    def __len__(self):
        return len(self._tiles)

    def __getitem__(self, number):
        """The `Footprint` of a tile; `None` of one that cannot be used."""
        if number not in self._known:
            self._known[number] = _footprint(self._tiles[number], self._bands)
        return self._known[number]

    def near(self, sky):
        """
        Choose the tiles that sources may be in.

        Parameters
        ----------
        sky : `~astropy.coordinates.SkyCoord`

        Yields
        ------
        number : int
            Number of a tile that can be used.
        rows : `~numpy.ndarray` of int
            Sources that may be in it: not all of them need be projected.
        """
        tree = cKDTree(sky.icrs.cartesian.xyz.value.T)
        around = np.isfinite(self._radii)
        found = dict.fromkeys(np.flatnonzero(~around), np.arange(len(sky)))
        rows = tree.query_ball_point(
            self._centres[around], self._radii[around], return_sorted=True
        )
        found |= dict(zip(np.flatnonzero(around), rows, strict=True))
        for number in sorted(found):
            if len(found[number]) and self._known.get(number, number) is not None:
                yield int(number), np.array(found[number])


def _footprint(tile, bands):
    with open_tile(tile) as opened:
        found = opened.shape[2] if len(opened.shape) == 3 else 1
        if bands is not None and found != bands:
            raise ImageError(
                f"image: {tile.name} has {found} bands, and the model reads {bands}"
            )
        return Footprint(
            tile.name, opened.shape, opened.wcs, opened.in_strips, opened.unit
        )


def _circle(footprint):
    """
    Unit vector to the middle of a tile, and the chord to beyond its edge.

    The chord is infinite where it is not known how large the tile is.
    """
    everywhere = np.zeros(3), np.inf
    if footprint is None or footprint.wcs is None:
        return everywhere
    ny, nx = footprint.shape[:2]
    xs, ys = np.array([-0.5, nx / 2, nx]), np.array([-0.5, ny / 2, ny])
    xs, ys = (v.ravel() for v in np.meshgrid(xs, ys))
    edge = footprint.wcs.pixel_to_world(xs, ys)
    if not isinstance(edge, SkyCoord):
        return everywhere
    edge = edge.icrs
    radius = 1.1 * edge[4].separation(edge).max() + 10 * u.arcsec
    if not radius < 60 * u.deg:
        return everywhere
    return edge[4].cartesian.xyz.value, 2 * np.sin(radius.to_value(u.rad) / 2)


class OpenTiles:
    """
    The tiles of a list, of which a few are open at a time.

    Parameters
    ----------
    tiles : list of `Tile`
    """

    def __init__(self, tiles):
        self._tiles, self._open = tiles, OrderedDict()

    def __getitem__(self, number):
        """The `OpenTile` of a number."""
        if number not in self._open:
            if len(self._open) >= _MOST_OPEN:
                self._open.popitem(last=False)[1].close()
            self._open[number] = open_tile(self._tiles[number])
        self._open.move_to_end(number)
        return self._open[number]

    def close(self):
        """Close those that are open."""
        while self._open:
            self._open.popitem()[1].close()


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
