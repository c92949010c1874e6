# Licensed under a 3-clause BSD style license - see licenses/LICENSE.rst
"""
Segments in stacks of images: finding, growing, and telling which is the target.
"""

import numpy as np
from scipy import ndimage

__all__ = [
    "FWHM_TO_SIGMA",
    "N_PIXELS",
    "Members",
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
N_PIXELS = 5
_WIDEST_GAP = 6  # pixels; a wider gap of bad pixels may hide anything
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
    small = np.bincount(found, minlength=number + 1) < N_PIXELS
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
