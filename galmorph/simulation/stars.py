# Licensed under a 3-clause BSD style license - see licenses/LICENSE.rst
"""
Cores of stars that are brighter than a detector can tell.
"""

import numpy as np
from scipy import ndimage

__all__ = ["CORES", "saturate"]


def _flat(image, level, truth):
    return np.minimum(image, level)


def _bleeding(image, level, truth):
    """Charge that runs along the columns of a CCD."""
    excess = np.maximum(image - level, 0).sum(axis=0)
    image = np.minimum(image, level)
    middle = int(np.argmax(image.sum(axis=1)))
    # each pixel of a column takes what fills it, half of all on either side
    length = np.minimum(0.5 * excess / level, 0.45 * len(image))
    rows = np.abs(np.arange(len(image)) - middle)[:, None]
    return np.where(rows < length, level, image)


def _hollow(image, level, truth):
    """Saturated pixels that were thrown away when the images were combined."""
    return np.where(image > level, truth.get("hollow", 0.0) * level, image)


def _ringing(image, level, truth):
    """The dark ring that an interpolating kernel leaves around a flat core."""
    image = np.minimum(image, level)
    return image - 0.8 * (ndimage.uniform_filter(image, 5) - image) * (image < level)


CORES = {
    "flat": _flat,
    "bleeding": _bleeding,
    "hollow": _hollow,
    "ringing": _ringing,
}
"""What becomes of a saturated core."""


def saturate(image, truth):
    """
    Cut off the core of a star.

    Parameters
    ----------
    image : `~numpy.ndarray`
        Image of the star alone, without noise.
    truth : dict
        With ``saturation``, the part of the peak that is cut off, and maybe
        ``core``, one of ``CORES``; a flat core where it is not given.

    Returns
    -------
    image : `~numpy.ndarray`

    Examples
    --------
    >>> import numpy as np
    >>> from galmorph.simulation.stars import saturate
    >>> saturate(np.array([[1.0, 8.0, 1.0]]), {"saturation": 0.75})
    array([[1., 2., 1.]])
    """
    level = (1 - truth["saturation"]) * image.max()
    return CORES[truth.get("core", "flat")](image, level, truth).astype(image.dtype)
