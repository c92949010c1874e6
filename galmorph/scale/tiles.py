# Licensed under a 3-clause BSD style license - see licenses/LICENSE.rst
"""
Tiles: images of any size on disk or on a server, of which windows are read.
"""

import glob
import os
from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np
from astropy.nddata import NDData, StdDevUncertainty
from astropy.table import Table
from astropy.wcs.wcsapi import HighLevelWCSWrapper, SlicedLowLevelWCS

from galmorph.core import CatalogError, ImageError
from galmorph.images import as_nddata
from galmorph.images.headers import celestial_wcs, scale_of_pixels
from galmorph.scale.planes import FitsPlane

__all__ = ["OpenTile", "Tile", "find_tiles", "open_tile"]

_FILES = ("sci", "rms", "weight", "mask", "segmentation")
_TABLES = (".ecsv", ".csv", ".vot", ".votable", ".xml", ".parquet")


@dataclass(frozen=True)
class Tile:
    """
    One image of a survey, with what belongs to it.

    Parameters
    ----------
    sci : path-like, str or image
        The FITS file of the image: a path, ``https://...`` or ``s3://...``; or
        an image in memory, of any kind that `~galmorph.images.as_nddata` takes.
    rms, weight : path-like or str, optional
        FITS file of the noise of each pixel (1 sigma), or of its inverse
        variance; one of them. Where it is not above 0 there is no data.
    mask : path-like or str, optional
        FITS file of the bad pixels, which are not 0.
    segmentation : path-like, str or `~numpy.ndarray`, optional
        FITS file, or array, of the segmentation map; 0 is sky.
    hdu : int or str, optional
        Which extension of ``sci``; by default the first image.
    pixel_scale : `~astropy.units.Quantity` or float, optional
        Size of a pixel, in arcsec where there is no unit; by default the WCS's.
    name : str, optional
        By default the file's name without its suffix.
    fsspec_kwargs : dict, optional
        Options of the remote file system, such as ``key`` and ``secret`` for S3.
        Where none are given and none are set up, data on S3 are taken for public.

    Raises
    ------
    ImageError
        If both ``rms`` and ``weight`` are given.

    Examples
    --------
    >>> from galmorph.scale import Tile
    >>> Tile("mosaics/uds_f160w_sci.fits").name
    'uds_f160w_sci'
    """

    sci: object
    rms: object = None
    weight: object = None
    mask: object = None
    segmentation: object = None
    hdu: int | str | None = None
    pixel_scale: object = None
    name: str | None = None
    fsspec_kwargs: dict = field(default_factory=dict)

    def __post_init__(self):
        if self.rms is not None and self.weight is not None:
            raise ImageError(
                f"rms, weight: the tile {self.sci} has both; give one of them"
            )
        if self.name is None:
            object.__setattr__(self, "name", _name_of(self.sci))

    @property
    def in_memory(self):
        """Whether the image is in memory and not in a file."""
        return not isinstance(self.sci, (str, os.PathLike))


def find_tiles(tiles, **options):
    """
    List the tiles that are meant.

    Parameters
    ----------
    tiles : path-like, str, image, `Tile`, `~astropy.table.Table` or list of these
        A FITS file, a pattern such as ``'mosaics/*_sci.fits'``, an address, or
        an image in memory; or a table - itself or its file, told by the suffix
        ``.ecsv``, ``.csv``, ``.vot`` or ``.parquet`` - with one row a tile and
        columns named as the parameters of `Tile`, of which ``sci`` is needed.
        Paths in a table's file are relative to its folder.
    **options
        Parameters of `Tile` for all tiles that have no value of their own.

    Returns
    -------
    tiles : list of `Tile`
        Patterns in alphabetic order. Names are unique.

    Raises
    ------
    ImageError
        If a file is missing, a pattern matches nothing, or two tiles of a
        table have one name.
    CatalogError
        If the table cannot be read, or has no column ``sci``.

    Examples
    --------
    >>> from astropy.table import Table
    >>> from galmorph.scale import find_tiles
    >>> rows = Table({"sci": ["s3://bucket/a.fits"], "name": ["A"]})
    >>> [tile.name for tile in find_tiles(rows)]
    ['A']
    """
    options = {name: value for name, value in options.items() if value is not None}
    several = isinstance(tiles, (list, tuple)) and not _is_numbers(tiles)
    found = []
    for spec in tiles if several else [tiles]:
        found += _expanded(spec, options)
    if not found:
        raise ImageError("tiles: there are none; give at least one image")
    for tile in found:
        for name in _FILES:
            _check_file(getattr(tile, name))
    return _with_unique_names(found)


def _is_numbers(values):
    # an image may be given as a list of lists
    kinds = (int, float, list, tuple)
    return len(values) > 0 and all(isinstance(value, kinds) for value in values)


def _expanded(spec, options):
    if isinstance(spec, Tile):
        given = {n: v for n, v in options.items() if not getattr(spec, n)}
        return [replace(spec, **given)]
    if isinstance(spec, Table):
        return _tiles_of_rows(spec, options)
    if not isinstance(spec, (str, os.PathLike)):
        return [Tile(spec, **options)]
    path = os.fspath(spec)
    if path.lower().endswith(_TABLES):
        from galmorph.tables import read_table

        return _tiles_of_rows(read_table(path), options, Path(path).parent)
    if "://" not in path and not Path(path).exists() and glob.has_magic(path):
        paths = sorted(glob.glob(path, recursive=True))
        if not paths:
            raise ImageError(f"tiles: no file matches {path!r}")
        return [Tile(each, **options) for each in paths]
    return [Tile(path, **options)]


def _tiles_of_rows(table, options, folder=None):
    known = [name for name in Tile.__dataclass_fields__ if name in table.colnames]
    if "sci" not in known:
        raise CatalogError(
            "tiles: the table of tiles has no column 'sci' with the names of the"
            f" images; its columns are {table.colnames}"
        )
    tiles = []
    for row in table:
        values = dict(options)
        for name in known:
            value = row[name]
            if np.ma.is_masked(value) or (isinstance(value, str) and not value):
                continue
            if name in _FILES or name == "name":
                value = str(value)
            elif name == "hdu":
                value = int(value) if str(value).isdecimal() else str(value)
            if folder is not None and name in _FILES and "://" not in value:
                value = str(folder / value)
            values[name] = value
        if "sci" not in values:
            raise CatalogError("tiles: a row of the table of tiles has no 'sci'")
        tiles.append(Tile(**values))
    return tiles


def _check_file(path):
    if not isinstance(path, (str, os.PathLike)) or "://" in os.fspath(path):
        return
    if not Path(path).is_file():
        what = "is a folder" if Path(path).is_dir() else "does not exist"
        raise ImageError(f"tiles: the file {os.fspath(path)} {what}")


def _name_of(image):
    if not isinstance(image, (str, os.PathLike)):
        return "image"
    name = os.fspath(image).rstrip("/").replace(os.sep, "/").rpartition("/")[2]
    for suffix in (".gz", ".bz2", ".xz", ".fz", ".fits", ".fit"):
        name = name.removesuffix(suffix)
    return name


def _with_unique_names(tiles):
    """Names by which tiles can be told apart; the path where they are the same."""
    names = [tile.name for tile in tiles]
    unique = []
    for number, tile in enumerate(tiles):
        name = tile.name
        if names.count(name) > 1:
            name = f"{name}-{number}" if tile.in_memory else os.fspath(tile.sci)
        unique.append(replace(tile, name=name))
    names = [tile.name for tile in unique]
    for name in names:
        if names.count(name) > 1:
            raise ImageError(f"tiles: {name} is there more than once")
    return unique


def open_tile(tile):
    """
    Open a tile, of which windows are then read.

    Parameters
    ----------
    tile : `Tile`, or anything that `find_tiles` takes for one tile

    Returns
    -------
    tile : `OpenTile`

    Raises
    ------
    ImageError
        If a file cannot be read, or if the shapes of the files differ.
    """
    if not isinstance(tile, Tile):
        tile, *more = find_tiles(tile)
        if more:
            raise ImageError(f"tile: expected one, found {1 + len(more)}")
    return OpenTile(tile)


class OpenTile:
    """
    An image of which windows are read, so that memory does not grow with it.

    FITS files are mapped into memory for as long as a window is copied; files
    with BSCALE, tile-compressed files and remote ones are read by astropy's
    ``section``. Files compressed as a whole (``.gz``), of which no part can be
    read, are unpacked into a temporary file.

    Parameters
    ----------
    tile : `Tile`

    Attributes
    ----------
    name : str
        Name of the tile.
    shape : tuple of int
        (ny, nx), or (ny, nx, bands) for an image in memory with bands.
    wcs : `~astropy.wcs.WCS` or None
        Celestial world coordinates.
    pixel_scale : `~astropy.units.Quantity` or None
        Size of a pixel in arcsec / pix.
    unit : `~astropy.units.Unit` or None
        Unit of the pixels.
    in_strips : bool
        Whether strips over the full width of the image cost the least to read,
        as where rows are compressed.

    Examples
    --------
    >>> import numpy as np
    >>> from galmorph.scale import open_tile
    >>> with open_tile(np.arange(12.0).reshape(3, 4)) as tile:
    ...     tile.shape, tile.read(np.s_[1:3, 2:4]).data
    ((3, 4), array([[ 6.,  7.],
           [10., 11.]]))
    """

    def __init__(self, tile):
        self.tile, self.name = tile, tile.name
        self._planes = {}
        try:
            self._open()
            self._check_shapes()
        except BaseException:
            self.close()
            raise

    def _open(self):
        tile, planes = self.tile, self._planes
        if tile.in_memory:
            image = as_nddata(
                tile.sci,
                hdu=tile.hdu,
                pixel_scale=tile.pixel_scale,
                band_axis=_band_axis(tile.sci),
            )
            self.shape, self.wcs, self.unit = image.data.shape, image.wcs, image.unit
            self.pixel_scale = image.meta["pixel_scale"]
            self._image, self.in_strips = image, False
            sci = None
        else:
            options = tile.fsspec_kwargs
            sci = planes["sci"] = FitsPlane(tile.sci, tile.hdu, options)
            self.shape, self.unit = sci.shape, sci.unit
            self.wcs = celestial_wcs(sci.wcs)
            self.pixel_scale = scale_of_pixels(tile.pixel_scale, self.wcs, sci.shape)
            self._image, self.in_strips = None, sci.in_strips
        for name in ("rms", "weight", "mask", "segmentation"):
            path = getattr(tile, name)
            if isinstance(path, (str, os.PathLike)):
                planes[name] = FitsPlane(path, None, tile.fsspec_kwargs)
            elif path is not None:
                planes[name] = np.asarray(path)

    def _check_shapes(self):
        for name, plane in self._planes.items():
            if plane.shape[:2] != self.shape[:2]:
                raise ImageError(
                    f"{name}: the shape {plane.shape} of {getattr(self.tile, name)}"
                    f" is not that of the image {self.name}, {self.shape}"
                )

    def read(self, box=np.s_[:, :]):
        """
        Read a window of the tile, and no more.

        Parameters
        ----------
        box : tuple of slice, optional
            Rows and columns, as in ``numpy.s_[y0:y1, x0:x1]``; what lies beyond
            the image is left out. By default all.

        Returns
        -------
        window : `~astropy.nddata.NDData`
            As `~galmorph.images.as_nddata` returns it: with the mask, the
            uncertainty, the unit, the WCS of the window and the pixel scale.

        Raises
        ------
        ImageError
            If the file is damaged there.
        """
        box = self._within(box)
        window = self.pixels(box)
        return NDData(
            window.data,
            mask=window.mask,
            uncertainty=window.uncertainty,
            unit=self.unit,
            wcs=_part_of_wcs(self.wcs, box),
            meta=window.meta,
        )

    def pixels(self, box):
        """
        The same without the WCS, which takes longer than a small window.

        Parameters
        ----------
        box : tuple of slice

        Returns
        -------
        window : `~astropy.nddata.NDData`
        """
        box = self._within(box)
        mask, rms = None, None
        if "rms" in self._planes or "weight" in self._planes:
            rms, mask = self._noise(box)
        if "mask" in self._planes:
            bad = self._planes["mask"][box]
            bad = (bad != 0) | ~np.isfinite(bad)
            mask = bad if mask is None else mask | bad
        meta = {"pixel_scale": self.pixel_scale}
        if self._image is not None:
            return self._part_of_image(box, mask, rms, meta)
        sci = self._planes["sci"]
        bad, uncertainty = sci.companions(box)
        if bad is not None:
            mask = bad if mask is None else mask | bad
        if rms is not None:
            uncertainty = StdDevUncertainty(rms)
        image = as_nddata(sci[box], mask=mask, uncertainty=uncertainty, unit=self.unit)
        return NDData(
            image.data,
            mask=image.mask,
            uncertainty=image.uncertainty,
            unit=image.unit,
            meta=meta,
        )

    def _part_of_image(self, box, mask, rms, meta):
        image = self._image
        uncertainty = image.uncertainty
        if rms is not None:
            uncertainty = StdDevUncertainty(rms.astype(image.data.dtype))
        elif uncertainty is not None:
            uncertainty = StdDevUncertainty(uncertainty.array[box])
        bad = image.mask[box]
        return NDData(
            image.data[box],
            mask=bad if mask is None else bad | mask,
            uncertainty=uncertainty,
            unit=image.unit,
            meta=meta,
        )

    def _noise(self, box):
        """Standard deviation of each pixel, and where there is none."""
        name = "rms" if "rms" in self._planes else "weight"
        values = self._planes[name][box]
        small = np.can_cast(values.dtype, np.float32)
        values = values.astype(np.float32 if small else np.float64)
        missing = ~(np.isfinite(values) & (values > 0))
        values[missing] = 1
        return (values if name == "rms" else 1 / np.sqrt(values)), missing

    def segments(self, box):
        """
        Read a window of the segmentation map.

        Parameters
        ----------
        box : tuple of slice

        Returns
        -------
        segments : `~numpy.ndarray` of int or None
            0 is sky; `None` where the tile has no segmentation map.
        """
        if "segmentation" not in self._planes:
            return None
        segments = self._planes["segmentation"][self._within(box)]
        if segments.dtype.kind == "f":
            segments = np.nan_to_num(segments)
        kind = np.int32 if np.can_cast(segments.dtype, np.int32) else np.int64
        return segments.astype(kind, copy=False)

    def _within(self, box):
        return tuple(
            slice(*part.indices(n)[:2])
            for part, n in zip(box, self.shape, strict=False)
        )

    def close(self):
        """Close the files."""
        for plane in self._planes.values():
            if isinstance(plane, FitsPlane):
                plane.close()

    def __enter__(self):
        return self

    def __exit__(self, *exception):
        self.close()

    def __repr__(self):
        return f"<OpenTile {self.name!r}, shape {self.shape}>"


def _band_axis(image):
    return -1 if isinstance(image, NDData) and np.ndim(image.data) == 3 else None


def _part_of_wcs(wcs, box):
    if wcs is None:
        return None
    if hasattr(wcs, "slice"):
        return wcs.slice(box)
    return HighLevelWCSWrapper(SlicedLowLevelWCS(wcs.low_level_wcs, box))
