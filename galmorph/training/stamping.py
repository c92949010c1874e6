# Licensed under a 3-clause BSD style license - see licenses/LICENSE.rst
"""
Images of galaxies become stamps with a margin, whatever is wrong with some.
"""

import itertools

import numpy as np
from astropy.nddata import NDData
from astropy.table import vstack

from galmorph.core import ImageError, MorphFlag
from galmorph.core.exceptions import reason
from galmorph.images import RawCutout, Stamps, as_nddata, cutout_from_image
from galmorph.images.cutouts import failed_cutout
from galmorph.images.resampling import resampling_weights
from galmorph.images.stamps import measurement_table

__all__ = ["as_stamps", "frame_stamps", "stamps_of_cutouts"]

_CHUNK = 64


def as_stamps(
    images,
    preprocessor,
    side=None,
    *,
    hdu=None,
    pixel_scale=None,
    band_axis=None,
    progress=None,
):
    """
    Make stamps, with a margin, from images of one galaxy each.

    Parameters
    ----------
    images : iterable
        Images with a galaxy in the middle: all that
        `~galmorph.images.as_nddata` takes, such as NDData or the names of FITS
        files. An exception in place of an image is the reason why there is none.
    preprocessor : `~galmorph.images.Preprocessor`
    side : int, optional
        Side of the stamps, to which the margin of the preprocessor is set.
    hdu : int or str, optional
        Which extension of FITS files.
    pixel_scale : `~astropy.units.Quantity` or float, optional
        Size of a pixel on the sky; a number counts as arcseconds.
    band_axis : int, optional
        The axis of the images along which the bands lie, if they have any; of
        NDData the last.
    progress : callable, optional
        Called with the number of galaxies done so far.

    Returns
    -------
    stamps : `~galmorph.images.Stamps`
        One for each image. What is wrong with one is in its flags and in
        ``failures``; it never ends the others.

    Examples
    --------
    >>> import numpy as np
    >>> from galmorph import Preprocessor
    >>> from galmorph.training import as_stamps
    >>> y, x = np.mgrid[:80, :80] - 39.5
    >>> noise = np.random.default_rng(0).normal(size=(80, 80))
    >>> galaxy = 100 * np.exp(-np.hypot(x, y) / 4) + noise
    >>> stamps = as_stamps([galaxy, "missing.fits"], Preprocessor(), side=64)
    >>> stamps.data.shape, stamps.usable.tolist()
    ((2, 64, 64, 1), [True, False])
    >>> stamps.failures
    {1: 'image: the file missing.fits does not exist'}
    """

    def cutout(image):
        if isinstance(image, Exception):
            return image
        try:
            image = as_nddata(
                image,
                hdu=hdu,
                pixel_scale=pixel_scale,
                band_axis=-1 if _is_cube(image) else band_axis,
            )
            return cutout_from_image(image)
        except Exception as error:  # one bad image never ends the others
            return error

    return stamps_of_cutouts(map(cutout, images), preprocessor, side, progress=progress)


def stamps_of_cutouts(cutouts, preprocessor, side=None, *, progress=None):
    """
    Make stamps from cutouts, of which some may be missing.

    Parameters
    ----------
    cutouts : iterable of `~galmorph.images.RawCutout`
        An exception in place of a cutout is the reason why there is none.
    preprocessor : `~galmorph.images.Preprocessor`
    side : int, optional
        Side of the stamps, to which the margin of the preprocessor is set.
    progress : callable, optional
        Called with the number of galaxies done so far.

    Returns
    -------
    stamps : `~galmorph.images.Stamps`
    """
    if side is not None:
        preprocessor = preprocessor.with_margin(side)
    done, failures, bands = 0, {}, None
    parts = [preprocessor([])]
    cutouts = iter(cutouts)
    # the images themselves are kept in memory so many at a time
    while chunk := list(itertools.islice(cutouts, _CHUNK)):
        if bands is None:
            # the first images tell the bands of all
            bands = next((_bands(c) for c in chunk if isinstance(c, RawCutout)), None)
        for i, cutout in enumerate(chunk):
            if isinstance(cutout, RawCutout) and _bands(cutout) != bands:
                cutout = ImageError(
                    f"image: found {_bands(cutout)} bands; others have {bands}"
                )
            if isinstance(cutout, Exception):
                failures[done + i] = reason(cutout)
                chunk[i] = failed_cutout(bands or 1)
        made = preprocessor(chunk)
        failures |= {done + i: why for i, why in made.failures.items()}
        parts.append(made)
        done += len(chunk)
        if progress is not None:
            progress(done)
    # what was made before the bands were known is empty, and of one band
    data = [_with_bands(part.data, bands or 1) for part in parts]
    return Stamps(
        np.concatenate(data),
        np.concatenate([part.flags for part in parts]),
        vstack([part.measurements for part in parts]),
        failures,
    )


def _is_cube(image):
    return isinstance(image, NDData) and np.ndim(image.data) == 3


def _bands(cutout):
    return 1 if cutout.data.ndim == 2 else cutout.data.shape[2]


def _with_bands(data, bands):
    if data.shape[3] == bands:
        return data
    return np.zeros((*data.shape[:3], bands), data.dtype)


def frame_stamps(images, side, peak):
    """
    Resample images that are framed already, and scale those of whole numbers.

    Parameters
    ----------
    images : `~numpy.ndarray`
        Array of shape (n, side, side, bands).
    side : int
        Side of the stamps in pixels.
    peak : float
        What becomes of the largest of all values, where they are whole numbers.

    Returns
    -------
    stamps : `~galmorph.images.Stamps`
        Images with pixels that are not finite have the flag ``NO_DATA``.

    Examples
    --------
    >>> import numpy as np
    >>> from galmorph.training.stamping import frame_stamps
    >>> pictures = np.full((3, 106, 106, 1), 255, np.uint8)
    >>> stamps = frame_stamps(pictures, side=64, peak=5.0)
    >>> stamps.data.shape, float(stamps.data[0, 32, 32, 0])
    ((3, 64, 64, 1), 5.0)
    """
    n, found, _, bands = images.shape
    factor = 1.0
    if images.dtype.kind in "ui":
        factor = peak / max(int(images.max(initial=0)), 1)
    weights = resampling_weights(found, (found - 1) / 2, found, side)
    # at the edges the kernel reaches beyond the image, which does not darken it
    weights /= weights.sum(axis=1, keepdims=True)
    data = np.empty((n, side, side, bands), np.float32)
    # products of many images at once are faster than many products
    for start in range(0, n, _CHUNK):
        chunk = images[start : start + _CHUNK].astype(np.float32) * np.float32(factor)
        if found != side:
            chunk = np.tensordot(chunk, weights, (1, 1))
            chunk = np.tensordot(chunk, weights, (1, 1)).transpose(0, 2, 3, 1)
        data[start : start + _CHUNK] = chunk
    bad = ~np.isfinite(data).all(axis=(1, 2, 3))
    data[bad] = 0
    flags = np.where(bad, int(MorphFlag.NO_DATA), 0).astype(np.int32)
    return Stamps(data, flags, measurement_table({}, n))
