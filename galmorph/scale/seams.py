# Licensed under a 3-clause BSD style license - see licenses/LICENSE.rst
"""
Which of several tiles that overlap on the sky a detected source belongs to.
"""

import numpy as np
from scipy.spatial import cKDTree

__all__ = ["Seams"]

BAND = 12.0
"""Pixels on both sides of a seam in which centroids may disagree on its side."""

SAME = 3.0
"""Pixels within which sources of two tiles at a seam are one."""


class Seams:
    """
    Choose sources that are in no other tile's care.

    A source belongs to the tile in which it lies furthest from the edge. Where
    that is nearly the same in two tiles, it belongs to the first; the second
    leaves out what lies within three pixels of a source that the first has kept.

    Parameters
    ----------
    footprints : `~galmorph.scale.footprints.Footprints`
    """

    def __init__(self, footprints):
        self._footprints, self._kept = footprints, {}

    def choose(self, number, catalog):
        """
        Tell which sources of a tile are kept.

        Tiles come one after the other, each in any number of parts.

        Parameters
        ----------
        number : int
            Number of the tile.
        catalog : `~astropy.table.QTable`
            Sources of it, with ``sky_centroid`` where there is a WCS.

        Returns
        -------
        kept : `~numpy.ndarray` of bool
        """
        kept = np.ones(len(catalog), bool)
        if len(self._footprints) == 1 or "sky_centroid" not in catalog.colnames:
            return kept
        if not len(catalog):
            return kept
        sky = catalog["sky_centroid"]
        x, y = (np.asarray(catalog[f"{axis}_centroid"]) for axis in "xy")
        own, at_seam = self._depth(number, x, y), np.zeros(len(kept), bool)
        for other, rows in self._footprints.near(sky):
            wcs = self._footprints[other].wcs
            if other == number or wcs is None:
                continue
            px, py = (np.asarray(v) for v in wcs.world_to_pixel(sky[rows]))
            deeper = self._depth(other, px, py) - own[rows]
            kept[rows[deeper > BAND]] = False
            near = np.abs(deeper) <= BAND + 2 * SAME
            if other > number:
                at_seam[rows[near]] = True
            elif near.any() and (known := self._kept.get(other)):
                points = np.transpose([px[near], py[near]])
                distance, _ = cKDTree(np.concatenate(known)).query(points)
                kept[rows[near][distance <= SAME]] = False
        if (at_seam & kept).any():
            points = np.transpose([x, y])[at_seam & kept]
            self._kept.setdefault(number, []).append(points)
        return kept

    def _depth(self, number, x, y):
        """Distance from the nearest edge, negative outside of the tile."""
        ny, nx = self._footprints[number].shape[:2]
        depth = np.min([x + 0.5, nx - 0.5 - x, y + 0.5, ny - 0.5 - y], axis=0)
        return np.where(np.isfinite(depth), depth, -np.inf)
