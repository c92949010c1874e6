# Licensed under a 3-clause BSD style license - see licenses/LICENSE.rst
"""
Targets that may be several objects, and what touches them separated.
"""

from dataclasses import dataclass

import numpy as np
from scipy import ndimage

from galmorph.images.deblending import deblend_many
from galmorph.images.segmentation import FWHM_TO_SIGMA, N_PIXELS, Members, pixels_of

__all__ = ["Blend", "blended_targets", "deblend"]

_N_LEVELS = 16
_SUBPEAK = 3  # pixels around a peak that are no brighter


def blended_targets(planes, smooth, segments, labels, untouched, config):
    """
    Find targets with more than one peak.

    Parameters
    ----------
    planes : `~numpy.ndarray`
        Images in standard deviations of the sky, shape (n, ny, nx).
    smooth : `~numpy.ndarray`
        The same, smoothed as for the segmentation; changed in place.
    segments : `~numpy.ndarray` of int
        Segmentations, 0 for sky.
    labels : `~numpy.ndarray` of int
        Label of the target in each; 0 for none.
    untouched : `~numpy.ndarray` of bool
        Of which images ``smooth`` is what smoothing ``planes`` gives.
    config : `~galmorph.images.Preprocessor`
        Gives ``smoothing_fwhm`` and ``n_sigma``.

    Returns
    -------
    blends : list of `Blend`
    """
    sigma = config.smoothing_fwhm * FWHM_TO_SIGMA
    _, ny, nx = segments.shape
    own = pixels_of(segments, labels)
    members = Members(own)
    top, bottom, left, right = members.boxes()
    # beyond the rim of an image the smoothing for segments repeats its last pixel,
    # this one its last pixels
    reach = int(4 * sigma + 0.5)
    rim = (top < reach) | (left < reach)
    rim |= (bottom >= ny - reach) | (right >= nx - reach)
    for i in np.flatnonzero((rim | ~untouched) & (members.count > 0)):
        part = _box(top[i], bottom[i], left[i], right[i], reach, ny, nx)
        inner = np.s_[top[i] : bottom[i] + 1, left[i] : right[i] + 1]
        fresh = ndimage.gaussian_filter(planes[i][part], sigma)
        y0, x0 = part[0].start, part[1].start
        smooth[i][inner] = fresh[
            top[i] - y0 : bottom[i] + 1 - y0, left[i] - x0 : right[i] + 1 - x0
        ]
    # most objects have one peak, and deblending takes longer than this look
    several = _peaks(smooth, members, 2 * config.n_sigma) > 1
    boxes = [
        np.s_[i, top[i] : bottom[i] + 1, left[i] : right[i] + 1]
        for i in np.flatnonzero(several)
    ]
    return [Blend(segments, box, smooth[box].copy(), own[box].copy()) for box in boxes]


@dataclass
class Blend:
    """
    A target that may be several objects.

    Parameters
    ----------
    segments : `~numpy.ndarray` of int
        The segmentations that it is from, shape (n, ny, nx).
    box : tuple
        Number of the image and box around the target.
    image : `~numpy.ndarray`
        Smoothed pixels in the box.
    own : `~numpy.ndarray` of bool
        The target's pixels in the box.
    """

    segments: np.ndarray
    box: tuple
    image: np.ndarray
    own: np.ndarray


def deblend(blends, contrast):
    """
    Separate what touches targets, in their segmentations.

    Parameters
    ----------
    blends : list of `Blend`
        Of any number of segmentations.
    contrast : float
        The least fraction of the flux that a source must have.
    """
    if not blends:
        return
    parts = deblend_many(
        [blend.image for blend in blends],
        [blend.own for blend in blends],
        n_pixels=N_PIXELS,
        n_levels=_N_LEVELS,
        contrast=contrast,
    )
    for blend, part in zip(blends, parts, strict=True):
        free = blend.segments[blend.box[0]].max() + 1
        blend.segments[blend.box][blend.own] = part[blend.own] + free


def _box(top, bottom, left, right, margin, ny, nx):
    return (
        slice(max(top - margin, 0), min(bottom + 1 + margin, ny)),
        slice(max(left - margin, 0), min(right + 1 + margin, nx)),
    )


def _peaks(smooth, members, threshold):
    """Number of pixels of each target that no pixel around, in its box, exceeds."""
    values = members.of(smooth)
    bright = np.flatnonzero(values > threshold)
    owner, row, column, values, pixels = (
        a[bright]
        for a in (members.owner, members.row, members.column, values, members.pixels)
    )
    top, bottom, left, right = (edge[owner] for edge in members.boxes())
    # what lies outside of the box does not count, so that its rim is looked at later
    rim = (row == top) | (row == bottom) | (column == left) | (column == right)
    inner = np.flatnonzero(~rim)
    inner = inner[_are_maxima(smooth, pixels[inner])]
    chosen = np.append(inner, np.flatnonzero(rim))
    owner, row, column = (a[chosen] for a in (owner, row, column))
    step = np.arange(-_SUBPEAK, _SUBPEAK + 1)
    top, bottom, left, right = (a[chosen, None] for a in (top, bottom, left, right))
    rows = np.clip(row[:, None] + step, top, bottom)[:, :, None]
    columns = np.clip(column[:, None] + step, left, right)[:, None, :]
    around = smooth[owner[:, None, None], rows, columns]
    peak = values[chosen] >= around.max(axis=(1, 2))
    return np.bincount(owner[peak], minlength=members.n)


def _are_maxima(stack, pixels):
    """Which of some pixels, not at an edge, none of the eight around exceeds."""
    width = stack.shape[2]
    flat = stack.reshape(-1)
    left = np.arange(len(pixels))
    values = flat[pixels]
    for step in (1, width, width + 1, width - 1):
        for side in (step, -step):
            stay = values >= flat[pixels + side]
            left, pixels, values = left[stay], pixels[stay], values[stay]
    return left
