# Licensed under a 3-clause BSD style license - see licenses/LICENSE.rst
"""
Which tile each source is in, and in which order the sources are visited.
"""

from dataclasses import dataclass

import numpy as np

from galmorph.core import CatalogError, MorphFlag

__all__ = ["Patch", "Placed", "Task", "place_sources", "plan_tasks"]

PATCH_SIDE = 1024
"""Side of the patches of a mosaic that are read at a time, without margin."""

TASK_ROWS = 256
"""Most sources of a task; their stamps are held together."""

_TILE_COLUMN = "tile"


@dataclass
class Placed:
    """
    Where the sources of a catalogue are.

    Parameters
    ----------
    tile : `~numpy.ndarray` of int
        Number of the tile; -1 for none.
    x, y : `~numpy.ndarray`
        Positions in the tile's 0-based pixels.
    flags : `~numpy.ndarray` of int
        Bits of `~galmorph.core.MorphFlag` of sources in no tile.
    labels : `~numpy.ndarray` of int or None
        Labels of the sources in the segmentation maps of the tiles, where they are
        known.
    """

    tile: np.ndarray
    x: np.ndarray
    y: np.ndarray
    flags: np.ndarray
    labels: np.ndarray | None = None


@dataclass
class Patch:
    """
    Neighbouring sources, for which a part of a tile is read once.

    Parameters
    ----------
    rows : `~numpy.ndarray` of int
        Rows of the catalogue.
    x, y : `~numpy.ndarray`
        Positions in the tile.
    box : tuple of slice or None
        The part that is read; `None` where their windows are read one by one,
        since they are far from each other.
    labels : `~numpy.ndarray` of int or None
        As in `Placed`.
    """

    rows: np.ndarray
    x: np.ndarray
    y: np.ndarray
    box: tuple | None
    labels: np.ndarray | None = None

    def part(self, rows):
        """Some of the sources."""
        values = (self.rows[rows], self.x[rows], self.y[rows])
        labels = None if self.labels is None else self.labels[rows]
        return Patch(*values, self.box, labels)


@dataclass
class Task:
    """
    What is given to a worker at a time.

    Parameters
    ----------
    tile : int
        Number of the tile.
    patches : list of `Patch`
    """

    tile: int
    patches: list

    @property
    def rows(self):
        """Rows of the catalogue, in the order in which they are visited."""
        return np.concatenate([patch.rows for patch in self.patches])

    def halves(self):
        """Two tasks of half of the sources each; none of a single source."""
        if len(self.rows) < 2:
            return ()
        half = len(self.rows) // 2
        first, second, done = [], [], 0
        for patch in self.patches:
            n = min(max(half - done, 0), len(patch.rows))
            done += len(patch.rows)
            for part, side in ((np.s_[:n], first), (np.s_[n:], second)):
                if len(patch.rows[part]):
                    side.append(patch.part(part))
        return Task(self.tile, first), Task(self.tile, second)


def place_sources(positions, catalog, tiles, label=None):
    """
    Find the tile of each source.

    Where tiles overlap, a source belongs to the one in which it lies furthest
    from the edge.

    Parameters
    ----------
    positions : `~galmorph.tables.Positions`
    catalog : `~astropy.table.Table`
        Its column ``tile`` names the tiles, where the positions are pixels and
        there are several tiles.
    tiles : `~galmorph.scale.footprints.Footprints`
    label : str, optional
        Column with labels of the sources in the tiles' segmentation maps.

    Returns
    -------
    placed : `Placed`

    Raises
    ------
    CatalogError
        If the positions are on the sky and a tile has no WCS, or if they are
        pixels and it is not known of which tile; or if there is no such column.
    """
    n = len(catalog)
    number, best = np.full(n, -1), np.full(n, -np.inf)
    x, y = np.full(n, np.nan), np.full(n, np.nan)
    known = positions.known
    for i, rows in _candidates(positions, catalog, tiles):
        tile = tiles[i]
        if tile.wcs is None and positions.sky is not None and len(tiles) > 1:
            raise CatalogError(
                f"position: the catalogue's positions are on the sky, and the tile"
                f" {tile.name} has no WCS"
            )
        px, py = positions[rows].to_pixels(tile.wcs)
        ny, nx = tile.shape[:2]
        depth = np.min([px + 0.5, nx - 0.5 - px, py + 0.5, ny - 0.5 - py], axis=0)
        inside = (px >= -0.5) & (px < nx - 0.5) & (py >= -0.5) & (py < ny - 0.5)
        inside &= depth > best[rows]
        chosen = rows[inside]
        number[chosen], best[chosen] = i, depth[inside]
        x[chosen], y[chosen] = px[inside], py[inside]
        if len(tiles) == 1:
            # what has no pixel in any projection is no place to look for
            known = np.isfinite(px)
    flags = np.where(known, int(MorphFlag.OUTSIDE_IMAGE), int(MorphFlag.BAD_POSITION))
    labels = None if label is None else _labels(catalog, label)
    return Placed(number, x, y, np.where(number < 0, flags, 0), labels)


def _labels(catalog, name):
    if name not in catalog.colnames:
        raise CatalogError(
            f"label: the catalogue has no column {name!r}; its columns are"
            f" {catalog.colnames}"
        )
    # 0 has the segment at the position chosen
    return np.ma.filled(np.ma.asarray(catalog[name]), 0).astype(np.int64)


def _candidates(positions, catalog, tiles):
    """Numbers of the tiles that may hold sources, and the rows of these."""
    sky = positions.sky
    if len(tiles) == 1:
        yield 0, np.arange(len(catalog))
    elif sky is not None:
        yield from tiles.near(sky)
    else:
        names = _tile_names(catalog)
        there = set(names.tolist())
        for i, name in enumerate(tiles.names):
            if name in there and tiles[i] is not None:
                yield i, np.flatnonzero(names == name)


def _tile_names(catalog):
    if _TILE_COLUMN not in catalog.colnames:
        raise CatalogError(
            "position: the catalogue's positions are pixels and there are several"
            f" tiles; give a column {_TILE_COLUMN!r} with the tiles' names, or"
            " positions on the sky"
        )
    return np.asarray(catalog[_TILE_COLUMN]).astype(str)


def plan_tasks(placed, tiles, window):
    """
    Order the sources so that each part of a tile is read once.

    The plan depends on nothing but the positions and the tiles, so that a run
    that was interrupted goes on with the same.

    Parameters
    ----------
    placed : `Placed`
    tiles : `~galmorph.scale.footprints.Footprints`
    window : int
        Side of the first window around a source.

    Returns
    -------
    tasks : list of `Task`
    """
    tasks = []
    for number in np.unique(placed.tile[placed.tile >= 0]).tolist():
        rows = np.flatnonzero(placed.tile == number)
        patches, n, area = [], 0, 0
        for patch, size in _patches(rows, placed.x, placed.y, tiles[number], window):
            if placed.labels is not None:
                patch.labels = placed.labels[patch.rows]
            if patches and (
                n + len(patch.rows) > TASK_ROWS or area + size > 4 * PATCH_SIDE**2
            ):
                tasks.append(Task(number, patches))
                patches, n, area = [], 0, 0
            patches.append(patch)
            n, area = n + len(patch.rows), area + size
        if patches:
            tasks.append(Task(number, patches))
    return tasks


def _patches(rows, x, y, tile, window):
    """Patches of a tile, and how many pixels are read for each."""
    ny, nx = tile.shape[:2]
    height = width = PATCH_SIDE
    if tile.in_strips:
        width = nx
        height = max(PATCH_SIDE**2 // nx, 2 * window)
    down, right = (y[rows] + 0.5) // height, (x[rows] + 0.5) // width
    order = np.lexsort((rows, right, down))
    cell = down[order] * (nx // width + 1) + right[order]
    starts = np.flatnonzero(np.diff(cell, prepend=-1))
    for start, stop in zip(starts, np.append(starts[1:], len(rows)), strict=True):
        members = rows[order[start:stop]]
        if len(members) > TASK_ROWS:
            # in a crowded field a patch is read in slices
            members = members[np.lexsort((members, y[members]))]
        for first in range(0, len(members), TASK_ROWS):
            part = np.sort(members[first : first + TASK_ROWS])
            px, py = x[part], y[part]
            # half a window, and as much again for windows that grow
            box = tuple(
                slice(max(int(v.min()) - window, 0), min(int(v.max()) + window, n))
                for v, n in ((py, ny), (px, nx))
            )
            if tile.in_strips:
                box = box[0], slice(0, nx)
            size = (box[0].stop - box[0].start) * (box[1].stop - box[1].start)
            alone = len(part) * (2 * window) ** 2
            if alone < size and not tile.in_strips:
                box, size = None, alone
            yield Patch(part, px, py, box), size
