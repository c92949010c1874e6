# Licensed under a 3-clause BSD style license - see licenses/LICENSE.rst
"""
Adapters: anything that holds an image becomes NDData of one kind.
"""

import os
from pathlib import Path
from urllib.error import HTTPError

import numpy as np
from astropy import units as u
from astropy.io import fits
from astropy.nddata import CCDData, Cutout2D, NDData, StdDevUncertainty
from astropy.utils.masked import Masked

from galmorph.core import ImageError
from galmorph.images.headers import (
    celestial_wcs,
    choose_hdu,
    companions,
    header_unit,
    header_wcs,
    scale_of_pixels,
)

__all__ = ["as_nddata", "pixel_scale_of"]


def as_nddata(
    image,
    *,
    mask=None,
    uncertainty=None,
    unit=None,
    wcs=None,
    pixel_scale=None,
    hdu=None,
    band_axis=None,
):
    """
    Turn anything that holds an image into NDData of one kind.

    Parameters
    ----------
    image : array_like, `~astropy.units.Quantity`, `~astropy.nddata.NDData`, \
`~astropy.nddata.CCDData`, `~astropy.nddata.Cutout2D`, HDU, HDUList, str or path
        The image, or the path or address of a FITS file. It is not changed.
    mask : array_like of bool, optional
        Bad pixels (True), shape (ny, nx); added to the mask of ``image``.
    uncertainty : array_like or `~astropy.nddata.NDUncertainty`, optional
        Standard deviation of the pixels, or an uncertainty of any kind;
        instead of the one of ``image``.
    unit : `~astropy.units.Unit`, optional
        Unit of the pixels; instead of the one of ``image``.
    wcs : `~astropy.wcs.WCS`, optional
        World coordinates; instead of those of ``image``.
    pixel_scale : `~astropy.units.Quantity` or float, optional
        Size of a pixel on the sky; a number counts as arcseconds. It goes
        before the scale of the world coordinates.
    hdu : int or str, optional
        Which extension of a FITS file or HDUList; the first image in it where
        it is not given. To a first extension belong those called MASK and
        UNCERT, as CCDData writes them.
    band_axis : int, optional
        The axis of ``image`` along which the bands lie, if it has any.

    Returns
    -------
    nddata : `~astropy.nddata.NDData`
        ``data`` of shape (ny, nx) or (ny, nx, bands), native float32 or
        float64. ``mask`` of shape (ny, nx), True also where a pixel or its
        uncertainty is not finite. ``uncertainty`` is a
        `~astropy.nddata.StdDevUncertainty` or `None`. ``wcs`` is
        two-dimensional and celestial or `None`. ``meta['pixel_scale']`` is a
        Quantity per pixel or `None`.

    Raises
    ------
    ImageError
        If there is no image, or it has a shape or type that cannot be used.

    Examples
    --------
    >>> import numpy as np
    >>> from galmorph.images import as_nddata
    >>> image = as_nddata(np.array([[1, 2], [3, np.nan]]), pixel_scale=0.06)
    >>> image.mask
    array([[False, False],
           [False,  True]])
    >>> image.meta["pixel_scale"]
    <Quantity 0.06 arcsec / pix>
    """
    found = _unwrap(image, hdu)
    data, own_mask, own_unit = _plain(found["data"])
    masks = [found["mask"], own_mask, mask]
    data, bands_last = _pixels(data, band_axis)
    unit = (found["unit"] or own_unit) if unit is None else u.Unit(unit)
    wcs = celestial_wcs(found["wcs"] if wcs is None else wcs)
    meta = dict(found["meta"])
    given = meta.get("pixel_scale") if pixel_scale is None else pixel_scale
    meta["pixel_scale"] = scale_of_pixels(given, wcs, data.shape)
    if uncertainty is None:
        uncertainty = found["uncertainty"]
    uncertainty = _deviation(uncertainty, data, bands_last, unit)
    if uncertainty is not None:
        # a weight of zero says that there is no measurement
        unknown = ~np.isfinite(uncertainty.array)
        masks.append(unknown.any(axis=-1) if unknown.ndim == 3 else unknown)
    mask = _joined_mask(data, masks, bands_last)
    return NDData(
        data, mask=mask, uncertainty=uncertainty, unit=unit, wcs=wcs, meta=meta
    )


def pixel_scale_of(image):
    """
    Size of a pixel on the sky.

    Parameters
    ----------
    image : `~astropy.nddata.NDData`
        As `as_nddata` returns it.

    Returns
    -------
    scale : `~astropy.units.Quantity` or None
        In arcsec / pix; `None` where it is not known.

    Examples
    --------
    >>> import numpy as np
    >>> from galmorph.images import as_nddata, pixel_scale_of
    >>> pixel_scale_of(as_nddata(np.zeros((9, 9)))) is None
    True
    """
    return image.meta.get("pixel_scale")


def _plain(data):
    """A plain array, its mask and its unit, each `None` where there is none."""
    data = np.asanyarray(data)
    mask = unit = None
    if isinstance(data, np.ma.MaskedArray):
        mask, data = np.ma.getmaskarray(data), data.data
    elif isinstance(data, Masked):
        mask, data = data.mask, data.unmasked
    if isinstance(data, u.Quantity):
        unit, data = data.unit, data.value
    return data, mask, unit


def _unwrap(image, hdu):
    """Take pixels, mask, uncertainty, unit, wcs and meta out of what was given."""
    found = {"mask": None, "uncertainty": None, "unit": None, "wcs": None, "meta": {}}
    if isinstance(image, (str, os.PathLike)):
        return _read(image, hdu)
    if isinstance(image, fits.HDUList):
        return _with_own_header(_unwrap_list(image, hdu, "image", found))
    if (
        hasattr(image, "header")
        and hasattr(image, "data")
        and not isinstance(image, CCDData)
    ):
        return _with_own_header(_unwrap_hdu(image, found))
    if isinstance(image, (NDData, Cutout2D)):
        for name in found:
            found[name] = getattr(image, name, None)
        found["meta"] = dict(found["meta"] or {})
        return {**found, "data": image.data}
    if hasattr(image, "colnames"):
        raise ImageError("image: expected an image, found a table; give the pixels")
    if isinstance(image, np.ndarray) or hasattr(image, "__array__"):
        return {**found, "data": image}
    if isinstance(image, (list, tuple)):
        try:
            return {**found, "data": np.array(image)}
        except ValueError as error:
            raise ImageError(f"image: not an array of numbers: {error}") from error
    raise ImageError(
        f"image: expected an array, NDData, Cutout2D, HDU, or the path of a FITS"
        f" file; found {type(image).__name__}"
    )


def _read(path, hdu):
    path = os.fspath(path)
    remote = "://" in path
    if not remote and not Path(path).is_file():
        what = "is a folder" if Path(path).is_dir() else "does not exist"
        raise ImageError(f"image: the file {path} {what}")
    try:
        with fits.open(path, memmap=False, cache=remote) as hdus:
            found = {
                "mask": None,
                "uncertainty": None,
                "unit": None,
                "wcs": None,
                "meta": {},
            }
            return _unwrap_list(hdus, hdu, path, found)
    except ImageError:
        raise
    except Exception as error:  # what can go wrong depends on the file
        if isinstance(error, HTTPError):
            error.close()
        raise ImageError(f"image: {path} cannot be read as FITS: {error}") from error


def _unwrap_list(hdus, hdu, name, found):
    """An image, with the mask and the uncertainty that CCDData writes beside it."""
    chosen = choose_hdu(hdus, hdu, name)
    found = _unwrap_hdu(chosen, found)
    mask, uncertainty = companions(hdus, chosen)
    if mask is not None:
        found["mask"] = mask.data != 0
    if uncertainty is not None:
        extension, kind = uncertainty
        found["uncertainty"] = kind(extension.data)
    return found


def _unwrap_hdu(hdu, found):
    if not getattr(hdu, "is_image", False):
        raise ImageError(
            f"image: expected an image, found a {type(hdu).__name__}; choose another"
            " extension with hdu"
        )
    if hdu.data is None:
        raise ImageError("image: this extension has no pixels; choose another with hdu")
    header = hdu.header
    found = {**found, "data": hdu.data, "wcs": header_wcs(header)}
    found["unit"] = header_unit(header)
    found["meta"] = {"header": header}
    return found


def _with_own_header(found):
    header = found["meta"]["header"].copy()
    return {**found, "meta": {"header": header}}


def _pixels(data, band_axis):
    """Native floats of shape (ny, nx[, bands]), and how to turn likewise arrays."""
    if data.dtype.kind not in "buif":
        raise ImageError(f"image: expected real numbers, found {data.dtype}")
    expected = 2 if band_axis is None else 3
    if data.ndim != expected:
        hint = (
            "; give band_axis where one axis holds bands, or a list of images"
            if data.ndim == 3
            else ""
        )
        raise ImageError(
            f"image: expected {expected} axes, found shape {data.shape}{hint}"
        )
    if 0 in data.shape:
        raise ImageError(f"image: it has no pixels, its shape is {data.shape}")

    def bands_last(array):
        array = np.asarray(array)
        if band_axis is None or array.ndim == 2:
            return array
        return np.moveaxis(array, band_axis, -1)

    small = np.can_cast(data.dtype, np.float32)
    return bands_last(data).astype(np.float32 if small else np.float64), bands_last


def _joined_mask(data, masks, bands_last):
    bad = ~np.isfinite(data)
    bad = bad.any(axis=-1) if bad.ndim == 3 else bad
    for mask in masks:
        if mask is None:
            continue
        mask = bands_last(np.asarray(mask, dtype=bool))
        mask = mask.any(axis=-1) if mask.ndim == 3 else mask
        if mask.ndim and mask.shape != bad.shape:
            raise ImageError(
                f"mask: its shape {mask.shape} is not that of the image, {bad.shape}"
            )
        bad |= mask
    return bad


def _deviation(uncertainty, data, bands_last, unit):
    if uncertainty is None:
        return None
    own_unit = None
    if hasattr(uncertainty, "represent_as"):
        own_unit = uncertainty.unit
        if uncertainty.uncertainty_type in ("var", "ivar"):
            own_unit = (
                None
                if own_unit is None
                else own_unit
                ** (0.5 if uncertainty.uncertainty_type == "var" else -0.5)
            )
        uncertainty = _to_deviation(uncertainty)
    elif isinstance(uncertainty, u.Quantity):
        own_unit, uncertainty = uncertainty.unit, uncertainty.value
    array = bands_last(uncertainty).astype(data.dtype)
    if array.shape not in (data.shape, data.shape[:2]):
        raise ImageError(
            f"uncertainty: its shape {array.shape} is not that of the image,"
            f" {data.shape}"
        )
    if own_unit is not None and unit is not None and own_unit != unit:
        try:
            array = array * own_unit.to(unit)
        except u.UnitConversionError:
            raise ImageError(
                f"uncertainty: its unit {own_unit} does not fit the image's, {unit}"
            ) from None
    return StdDevUncertainty(array)


def _to_deviation(uncertainty):
    kind, array = uncertainty.uncertainty_type, np.asarray(uncertainty.array, float)
    with np.errstate(divide="ignore", invalid="ignore"):
        if kind == "std":
            return array
        if kind == "var":
            return np.sqrt(array)
        if kind == "ivar":
            return 1 / np.sqrt(array)
    raise ImageError(
        f"uncertainty: expected a standard deviation, variance or inverse variance;"
        f" found {kind!r}"
    )
