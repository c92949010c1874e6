# Licensed under a 3-clause BSD style license - see licenses/LICENSE.rst
"""
Segments in stacks of images: finding, growing, and telling which is the target.
"""

from dataclasses import dataclass

import numpy as np
from scipy import ndimage

from galmorph.images.deblending import deblend_many

__all__ = [
    "FWHM_TO_SIGMA",
    "Blend",
    "Members",
    "blended_targets",
    "deblend",
    "fill_holes",
    "find_segments",
    "grown",
    "labels_at",
    "narrow_gaps",
    "near_segments",
    "one_piece",
    "pixels_of",
    "spread",
    "touching",
]

FWHM_TO_SIGMA = 1 / np.sqrt(8 * np.log(2))
_N_PIXELS = 5
_N_LEVELS = 16
_WIDEST_GAP = 6  # pixels; a wider gap of bad pixels may hide anything
_SUBPEAK = 3  # pixels around a peak that are no brighter
# planes of a stack do not touch
_IN_PLANE = np.zeros((3, 3, 3), bool)
_IN_PLANE[1] = True


class Members:
    """
    The pixels that belong to each target of a stack.

    Parameters
    ----------
    own : `~numpy.ndarray` of bool
        Pixels of the targets, shape (n, ny, nx).

    Attributes
    ----------
    pixels, owner, row, column : `~numpy.ndarray` of int
        Place in the flattened stack, number of the target, place in the image.
    count : `~numpy.ndarray` of int
        Number of pixels of each target.

    Examples
    --------
    >>> import numpy as np
    >>> from galmorph.images.segmentation import Members
    >>> members = Members(np.eye(3)[None] > 0)
    >>> members.count, members.sums(np.ones((1, 3, 3)))
    (array([3]), array([3.]))
    """

    def __init__(self, own):
        n, ny, nx = own.shape
        self.n = n
        self.pixels = np.flatnonzero(own)
        self.owner, place = np.divmod(self.pixels, ny * nx)
        self.row, self.column = np.divmod(place, nx)
        self.count = np.bincount(self.owner, minlength=n)

    def of(self, stack):
        """Values of a stack at the pixels."""
        return stack.reshape(-1)[self.pixels]

    def sums(self, stack):
        """Sum of a stack over the pixels of each target."""
        return np.bincount(self.owner, self.of(stack), self.n)

    def largest(self, values, default):
        """Largest of one value for each pixel, of each target that has pixels."""
        out = np.full(self.n, default)
        filled = np.flatnonzero(self.count)
        if filled.size:
            starts = np.cumsum(self.count) - self.count
            out[filled] = np.maximum.reduceat(values, starts[filled])
        return out

    def boxes(self):
        """First and last row and column of each target; -1 without pixels."""
        row, column = self.row, self.column
        far = 1 << 30
        first_row, first_column = (
            far - self.largest(far - v, far + 1) for v in (row, column)
        )
        return (
            first_row,
            self.largest(row, -1),
            first_column,
            self.largest(column, -1),
        )


def find_segments(above):
    """
    Number connected pixels, and drop what is smaller than five of them.

    Parameters
    ----------
    above : `~numpy.ndarray` of bool
        Pixels above the threshold, shape (n, ny, nx).

    Returns
    -------
    segments : `~numpy.ndarray` of int32
        A number for each segment of the stack, 0 for sky. Pixels that touch at
        their corners are connected.

    Examples
    --------
    >>> import numpy as np
    >>> from galmorph.images.segmentation import find_segments
    >>> above = np.zeros((2, 4, 9), bool)
    >>> above[1, 1:3, 2:5] = above[0, 0, 0] = True
    >>> np.unique(find_segments(above)).tolist()
    [0, 2]
    """
    segments, number = ndimage.label(above, _IN_PLANE)
    pixels = np.flatnonzero(above)
    flat = segments.reshape(-1)
    found = flat[pixels]
    small = np.bincount(found, minlength=number + 1) < _N_PIXELS
    flat[pixels[small[found]]] = 0
    return segments


def near_segments(segments):
    """
    Pixels within three pixels of a segment on both axes.

    Parameters
    ----------
    segments : `~numpy.ndarray` of int
        Segmentations, shape (n, ny, nx).

    Returns
    -------
    near : `~numpy.ndarray` of bool
    """
    reach = 3
    n, ny, nx = segments.shape
    # with a rim, so that rows and images do not touch and all steps are in one line
    near = np.zeros((n, ny + reach, nx + reach), bool)
    inside = np.s_[:, :ny, :nx]
    np.not_equal(segments, 0, out=near[inside])
    line = near.reshape(-1)
    for pixel in (1, nx + reach):
        for step in (1, 2):  # together three
            line = _spread_line(line, step * pixel)
    return line.reshape(near.shape)[inside]


def _spread_line(line, step):
    out = line.copy()
    out[step:] |= line[:-step]
    out[:-step] |= line[step:]
    return out


def grown(mask):
    """
    Pixels within two steps from pixel to pixel of a mask.

    Parameters
    ----------
    mask : `~numpy.ndarray` of bool
        Shape (n, ny, nx).

    Returns
    -------
    grown : `~numpy.ndarray` of bool

    Examples
    --------
    >>> import numpy as np
    >>> from galmorph.images.segmentation import grown
    >>> mask = np.zeros((1, 7, 7), bool)
    >>> mask[0, 3, 3] = True
    >>> int(grown(mask).sum())
    13
    """
    for _ in range(2):
        mask = spread(mask, (1, 2), 1)
    return mask


def spread(mask, axes, step):
    """
    Pixels within a distance of a mask along one of some axes.

    Parameters
    ----------
    mask : `~numpy.ndarray` of bool
    axes : sequence of int
    step : int
        Exactly this distance, and none.

    Returns
    -------
    spread : `~numpy.ndarray` of bool

    Examples
    --------
    >>> import numpy as np
    >>> from galmorph.images.segmentation import spread
    >>> spread(np.array([False, True, False, False]), [0], 1).astype(int)
    array([1, 1, 1, 0])
    """
    out = mask.copy()
    for axis in axes:
        ahead = (slice(None),) * axis + (slice(step, None),)
        behind = (slice(None),) * axis + (slice(None, -step),)
        out[ahead] |= mask[behind]
        out[behind] |= mask[ahead]
    return out


def narrow_gaps(bad):
    """
    Bad pixels that have good ones close on opposite sides, as a bad column.

    Parameters
    ----------
    bad : `~numpy.ndarray` of bool
        Shape (n, ny, nx).

    Returns
    -------
    gaps : `~numpy.ndarray` of bool
    """
    cross = ndimage.generate_binary_structure(2, 1)[None]
    return bad & ndimage.binary_closing(~bad, cross, iterations=_WIDEST_GAP // 2)


def fill_holes(own, bad):
    """
    Bad pixels that a target encloses, as a saturated core.

    Parameters
    ----------
    own : `~numpy.ndarray` of bool
        Pixels of a target, shape (ny, nx).
    bad : `~numpy.ndarray` of bool
        Bad pixels.

    Returns
    -------
    holes : `~numpy.ndarray` of bool
    """
    holes = np.zeros_like(own)
    rows, columns = np.flatnonzero(own.any(axis=1)), np.flatnonzero(own.any(axis=0))
    if rows.size:
        box = np.s_[rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1]
        if bad[box].any():
            holes[box] = ndimage.binary_fill_holes(own[box]) & bad[box]
    return holes


def labels_at(segments, x, y):
    """
    Labels of the segments at, or close to, positions.

    Parameters
    ----------
    segments : `~numpy.ndarray` of int
        Segmentations, shape (n, ny, nx).
    x, y : `~numpy.ndarray`
        A position in each.

    Returns
    -------
    labels : `~numpy.ndarray` of int
        Those of the nearest segment within three pixels, else 0.
    """
    reach = 3
    iy, ix = np.rint(y).astype(int), np.rint(x).astype(int)
    labels = segments[np.arange(len(segments)), iy, ix].astype(np.int64)
    for i in np.flatnonzero(labels == 0):
        y0, x0 = max(iy[i] - reach, 0), max(ix[i] - reach, 0)
        near = segments[i, y0 : iy[i] + reach + 1, x0 : ix[i] + reach + 1]
        rows, columns = np.nonzero(near)
        if rows.size:
            nearest = np.argmin(np.hypot(rows + y0 - y[i], columns + x0 - x[i]))
            labels[i] = near[rows[nearest], columns[nearest]]
    return labels


def pixels_of(segments, labels):
    """
    Pixels of the segment of one label in each image.

    Parameters
    ----------
    segments : `~numpy.ndarray` of int
        Segmentations, shape (n, ny, nx), of a signed type.
    labels : `~numpy.ndarray` of int
        One for each; 0 for no pixel.

    Returns
    -------
    own : `~numpy.ndarray` of bool
    """
    # of one type, or all of the segmentation would be converted
    known = labels.astype(segments.dtype)
    own = segments == known[:, None, None]
    own[(known == 0) | (known != labels)] = False
    return own


def touching(segments, own):
    """
    Pixels of the targets and of all segments that are joined to them.

    Parameters
    ----------
    segments : `~numpy.ndarray` of int
        Segmentations, shape (n, ny, nx); 0 for sky.
    own : `~numpy.ndarray` of bool
        Pixels of the targets.

    Returns
    -------
    joined : `~numpy.ndarray` of bool

    Examples
    --------
    >>> import numpy as np
    >>> from galmorph.images.segmentation import touching
    >>> segments = np.array([[[1, 1, 2, 0, 3]]])
    >>> touching(segments, segments == 1).astype(int)
    array([[[1, 1, 1, 0, 0]]])
    """
    islands, number = ndimage.label(segments != 0, _IN_PLANE)
    joined = np.zeros(number + 1, bool)
    joined[islands[own]] = True
    joined[0] = False
    return joined[islands]


def one_piece(segments, labels, x, y):
    """
    Give what is far from the piece of a target at its position another label.

    Parameters
    ----------
    segments : `~numpy.ndarray` of int
        Segmentations, shape (n, ny, nx); changed in place.
    labels : `~numpy.ndarray` of int
        Label of the target in each.
    x, y : `~numpy.ndarray`
        A position in each.
    """
    own = pixels_of(segments, labels)
    # a gap of a few pixels is a rough edge, not the end of the object
    pieces, _ = ndimage.label(grown(own), _IN_PLANE)
    last = np.maximum.accumulate(pieces.reshape(len(pieces), -1).max(axis=1))
    number = np.diff(last, prepend=0)
    for i in np.flatnonzero(number > 1):
        rows, columns = np.nonzero(own[i])
        nearest = np.argmin(np.hypot(rows - y[i], columns - x[i]))
        apart = own[i] & (pieces[i] != pieces[i, rows[nearest], columns[nearest]])
        segments[i][apart] = segments[i].max() + 1


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
        n_pixels=_N_PIXELS,
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
