# Licensed under a 3-clause BSD style license - see licenses/LICENSE.rst
"""
What the headers of FITS files say: which image, its WCS, unit and companions.
"""

import re
import warnings
from numbers import Real

import numpy as np
from astropy import units as u
from astropy.io import fits
from astropy.nddata import InverseVariance, StdDevUncertainty, VarianceUncertainty
from astropy.wcs import WCS, FITSFixedWarning
from astropy.wcs.utils import proj_plane_pixel_scales
from astropy.wcs.wcsapi import HighLevelWCSWrapper

from galmorph.core import ImageError

__all__ = [
    "celestial_wcs",
    "choose_hdu",
    "companions",
    "header_unit",
    "header_wcs",
    "scale_of_pixels",
]

_PER_PIXEL = u.arcsec / u.pix
# Greisen & Calabretta 2002, A&A 395, 1061; PV and PS hold the terms of projections
_WCS_NAMES = (
    r"NAXIS\d*|WCSAXES|WCSNAME|(CTYPE|CUNIT|CRVAL|CRPIX|CDELT|CROTA)\d+"
    r"|(CD|PC|PV|PS)\d+_\d+|LONPOLE|LATPOLE|RADE(SYS|CSYS)|EQUINOX|EPOCH|MJD-OBS"
)
_WCS_CARD = re.compile(f"({_WCS_NAMES})$")
_WCS_OR_SIP_CARD = re.compile(rf"({_WCS_NAMES}|[AB]P?_(ORDER|DMAX|\d+_\d+))$")
# by the card UTYPE that CCDData writes
_KINDS = {
    kind.__name__: kind
    for kind in (StdDevUncertainty, VarianceUncertainty, InverseVariance)
}


def choose_hdu(hdus, hdu, name):
    """
    The image that is meant in a FITS file.

    Parameters
    ----------
    hdus : `~astropy.io.fits.HDUList`
    hdu : int or str or None
        Number or name of the extension; the first image where it is not given.
    name : str
        The file, for the messages.

    Returns
    -------
    hdu : HDU

    Raises
    ------
    ImageError
        If there is no such extension, or no image at all.
    """
    if hdu is not None:
        try:
            return hdus[hdu]
        except (KeyError, IndexError):
            raise ImageError(
                f"hdu: {name} has no extension {hdu!r}; it has"
                f" {[entry.name for entry in hdus]}"
            ) from None
    for entry in hdus:
        if entry.is_image and entry.header.get("NAXIS", 0) >= 2:
            return entry
    kinds = [type(entry).__name__ for entry in hdus]
    raise ImageError(f"image: {name} holds no image; found {kinds}")


def companions(hdus, chosen):
    """
    The mask and the uncertainty that CCDData writes beside a first extension.

    Parameters
    ----------
    hdus : `~astropy.io.fits.HDUList`
    chosen : HDU
        The image.

    Returns
    -------
    mask : HDU or None
    uncertainty : tuple of HDU and type, or None
        The type is a kind of `~astropy.nddata.NDUncertainty`.
    """
    mask = uncertainty = None
    if chosen is not hdus[0]:
        return mask, uncertainty
    for extension in hdus[1:]:
        if not extension.is_image or extension.shape != chosen.shape:
            continue
        if extension.name == "MASK":
            mask = extension
        elif extension.name == "UNCERT":
            kind = _KINDS.get(extension.header.get("UTYPE"), StdDevUncertainty)
            uncertainty = extension, kind
    return mask, uncertainty


def header_wcs(header):
    """
    World coordinates of an image.

    Parameters
    ----------
    header : `~astropy.io.fits.Header`

    Returns
    -------
    wcs : `~astropy.wcs.WCS` or None
        `None` where the header's is broken.
    """
    # thousands of other cards, as drizzling writes them, take long to parse
    wanted = _WCS_CARD
    if str(header.get("CTYPE1", "")).endswith("-SIP"):
        # without it, SIP terms are left over by drizzling: the pixels are on a
        # plain projection already
        wanted = _WCS_OR_SIP_CARD
    header = fits.Header([card for card in header.cards if wanted.match(card.keyword)])
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", FITSFixedWarning)
        try:
            return WCS(header)
        except Exception:  # a broken WCS leaves an image without one
            return None


def header_unit(header):
    """
    Unit of the pixels of an image.

    Parameters
    ----------
    header : `~astropy.io.fits.Header`

    Returns
    -------
    unit : `~astropy.units.Unit` or None
    """
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", u.UnitsWarning)
        try:
            return u.Unit(header["BUNIT"]) if header.get("BUNIT") else None
        except ValueError:
            return None  # a unit of no known meaning is no obstacle


def celestial_wcs(wcs):
    """
    The two celestial axes of world coordinates.

    Parameters
    ----------
    wcs : WCS or None
        astropy's, or one that speaks astropy's common interface only.

    Returns
    -------
    wcs : WCS or None
        `None` where it has no such axes.
    """
    if wcs is None or getattr(wcs, "has_celestial", False):
        return wcs and wcs.celestial
    # slices, and the WCS of JWST, speak astropy's common interface only
    low = getattr(wcs, "low_level_wcs", wcs)
    axes = getattr(low, "world_axis_physical_types", ())
    if len(axes) == getattr(low, "pixel_n_dim", 0) == 2 and all(
        "pos." in str(a) for a in axes
    ):
        return HighLevelWCSWrapper(low)
    return None


def scale_of_pixels(given, wcs, shape):
    """
    Size of the pixels of an image on the sky.

    Parameters
    ----------
    given : `~astropy.units.Quantity` or float or None
        What the user says; a number counts as arcseconds.
    wcs : WCS or None
        Celestial world coordinates.
    shape : tuple of int
        Shape of the image.

    Returns
    -------
    scale : `~astropy.units.Quantity` or None
        In arcsec / pix; `None` where it is not known.

    Raises
    ------
    ImageError
        If what is given is no angle above 0.

    Examples
    --------
    >>> from galmorph.images.headers import scale_of_pixels
    >>> scale_of_pixels(0.06, None, (100, 100))
    <Quantity 0.06 arcsec / pix>
    """
    if given is None:
        if wcs is None:
            return None
        if isinstance(wcs, WCS):
            sides = proj_plane_pixel_scales(wcs)[:2] * u.deg
        else:
            y, x = shape[0] / 2, shape[1] / 2
            corner, right, up = wcs.pixel_to_world([x, x + 1, x], [y, y, y + 1])
            sides = corner.separation(right), corner.separation(up)
        return np.sqrt(sides[0] * sides[1]).to(u.arcsec) / u.pix
    if isinstance(given, Real) and 0 < given < np.inf:
        return u.Quantity(float(given), _PER_PIXEL)  # units cost time
    try:
        scale = u.Quantity(given)
        if scale.unit == u.dimensionless_unscaled:
            scale = scale * u.arcsec
        per_pixel = scale.unit.is_equivalent(_PER_PIXEL)
        scale = scale.to(_PER_PIXEL if per_pixel else u.arcsec)
    except (u.UnitConversionError, TypeError, ValueError):
        raise ImageError(
            f"pixel_scale: expected an angle or an angle per pixel, found {given!r}"
        ) from None
    if not (scale.isscalar and np.isfinite(scale.value) and scale.value > 0):
        raise ImageError(f"pixel_scale: expected one number above 0, found {scale}")
    return u.Quantity(scale.value, _PER_PIXEL)
