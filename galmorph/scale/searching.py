# Licensed under a 3-clause BSD style license - see licenses/LICENSE.rst
"""
Mosaics and tiles without a catalogue: their own sources become one, kept on disk.
"""

import json
import os
from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np
from astropy.io import fits

from galmorph.core import ImageError
from galmorph.scale.detection import detect_parts
from galmorph.scale.shards import shard_suffix
from galmorph.tables import write_chunks

__all__ = ["Sources", "search_tiles"]

_POSITION = {"x": "x_centroid", "y": "y_centroid"}
_FITS_BLOCK = 2880


@dataclass
class Sources:
    """
    The sources of tiles, as `annotate` takes them.

    Parameters
    ----------
    catalog : `~pathlib.Path`
        The file of the catalogue.
    tiles : list of `~galmorph.scale.Tile`
        The tiles, with segmentation maps.
    bad_parts : dict
        Reasons why parts of tiles were not searched, by their names.
    seconds : float
        Processor time of the search.
    """

    catalog: Path
    tiles: list
    bad_parts: dict = field(default_factory=dict)
    seconds: float = 0.0

    @property
    def columns(self):
        """Columns that `annotate` is told: of the positions, and of the labels."""
        return _POSITION, "label"

    def tell(self, summary):
        """
        Add to a summary what was searched.

        Parameters
        ----------
        summary : `~galmorph.scale.Summary`
        """
        summary.bad_tiles = {**summary.bad_tiles, **self.bad_parts}
        summary.spend("detection", self.seconds)


def search_tiles(
    tiles, detection, folder, *, n_workers=None, memory_limit=None, progress=False
):
    """
    Detect the sources of tiles, or take those that an earlier run had detected.

    The catalogue and a segmentation map of each tile, of 4 bytes a pixel, are
    written to a folder as they come, and appear there when they are complete.

    Parameters
    ----------
    tiles : list of `~galmorph.scale.Tile`
    detection : `~galmorph.images.DetectionConfig` or None
    folder : path-like
    n_workers, memory_limit, progress
        As for `~galmorph.scale.detect_parts`.

    Returns
    -------
    sources : `Sources`

    Raises
    ------
    ImageError
        If no part of any tile can be searched, or if a tile has a segmentation map.
    """
    for tile in tiles:
        if tile.segmentation is not None:
            raise ImageError(
                f"segmentation: the tile {tile.name} has one, and there is no"
                " catalogue of its sources; give the catalogue too, or neither"
            )
    folder = Path(folder)
    catalog, told = folder / f"sources{shard_suffix()}", folder / "unsearched.json"
    maps = [folder / f"segments-{i:04d}.fits" for i in range(len(tiles))]
    spent, bad = 0.0, {}
    if catalog.exists():
        bad = json.loads(told.read_text("utf-8"))
    else:
        began = _processor_time()
        parts = detect_parts(
            tiles,
            detection,
            n_workers=n_workers,
            memory_limit=memory_limit,
            # a callable counts rows, of which there are none yet
            progress=progress is True,
        )
        paths = dict(zip([tile.name for tile in tiles], maps, strict=True))
        write_chunks(_catalogs(parts, paths, bad), _hidden(catalog), overwrite=True)
        told.write_text(json.dumps(bad), "utf-8")
        for path in maps:
            if _hidden(path).exists():
                os.replace(_hidden(path), path)
        # the last, which tells that the others are complete
        os.replace(_hidden(catalog), catalog)
        spent = _processor_time() - began
    pairs = zip(tiles, maps, strict=True)
    found = [replace(t, segmentation=m) if m.exists() else t for t, m in pairs]
    return Sources(catalog, found, bad, spent)


def _catalogs(parts, maps, bad):
    """Catalogues of the parts; their segments are put into the maps of the tiles."""
    name = segments = None
    for part in parts:
        if part.reason:
            bad[_name(part)] = part.reason
            continue
        if part.tile != name:
            name = part.tile
            segments = _new_map(_hidden(maps[name]), part.shape)
        segments[part.places] = part.labels
        yield part.catalog
    if segments is None:
        raise ImageError(f"tiles: none could be searched: {next(iter(bad.values()))}")


def _name(part):
    rows, columns = part.box
    if rows.stop == 0:
        return part.tile
    return f"{part.tile}[{rows.start}:{rows.stop}, {columns.start}:{columns.stop}]"


def _hidden(path):
    return path.with_name(f".{path.name}")


def _new_map(path, shape):
    """Pixels of a new FITS file, of which those that stay 0 take no disk."""
    header = fits.PrimaryHDU(np.zeros((1, 1), np.int32)).header
    header["NAXIS1"], header["NAXIS2"] = shape[1], shape[0]
    text = header.tostring().encode("ascii")
    size = 4 * shape[0] * shape[1]
    with open(path, "wb") as file:
        file.write(text)
        file.truncate(len(text) + -(-size // _FITS_BLOCK) * _FITS_BLOCK)
    return np.memmap(path, ">i4", "r+", len(text), shape[0] * shape[1])


def _processor_time():
    """Of this process and of those that it started and that have ended."""
    times = os.times()
    return times.user + times.system + times.children_user + times.children_system
