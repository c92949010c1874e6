# Licensed under a 3-clause BSD style license - see licenses/LICENSE.rst
"""
Separate the sources of many segments at once.

photutils' deblending takes about ten milliseconds for each segment, most of it
the overhead of calls. Here the segments are laid side by side on one sheet, so
that each step is one call for all of them; the results are those of photutils.
"""

import numpy as np
from scipy import ndimage

__all__ = ["deblend_many", "deblend_segments"]

_TOUCHING = np.ones((3, 3), bool)
_ON_A_SHEET = 1 << 17  # pixels; few enough for the processor's cache
_REPACK = 0.5  # share of the pixels on a sheet with which they get a smaller one
_MOST_MARKERS = 200  # with more, photutils takes levels of equal distance


def deblend_segments(data, segmentation, *, n_pixels, n_levels, contrast):
    """
    Separate sources that touch, as photutils' ``deblend_sources`` does.

    Parameters
    ----------
    data : `~numpy.ndarray`
        The image that the segments were found on, shape (ny, nx).
    segmentation : `~numpy.ndarray` of int
        Labels of the segments from 1 up, 0 for sky. Pixels that touch at their
        corners are connected.
    n_pixels : int
        The least number of connected pixels of a source.
    n_levels : int
        Number of thresholds between the lowest and the highest value.
    contrast : float
        The least fraction of a segment's flux that a source must have.

    Returns
    -------
    segmentation : `~numpy.ndarray` of int32
        Labels from 1 up: first those that stay whole, then the parts of others.

    Examples
    --------
    >>> import numpy as np
    >>> from galmorph.images.deblending import deblend_segments
    >>> y, x = np.mgrid[:20, :40]
    >>> image = sum(np.exp(-np.hypot(x - i, y - 10) / 3) for i in (10, 30))
    >>> segmentation = np.ones(image.shape, int)
    >>> settings = {"n_pixels": 5, "n_levels": 16, "contrast": 0.05}
    >>> deblend_segments(image, segmentation, **settings).max()
    np.int32(2)
    """
    found = segmentation.astype(np.int32)
    boxes = ndimage.find_objects(found)
    numbers = [i for i, box in enumerate(boxes, start=1) if box is not None]
    boxes = [boxes[i - 1] for i in numbers]
    masks = [found[box] == i for i, box in zip(numbers, boxes, strict=True)]
    images = [data[box] for box in boxes]
    settings = {"n_pixels": n_pixels, "n_levels": n_levels, "contrast": contrast}
    parts = deblend_many(images, masks, **settings)
    last = found.max(initial=0)
    for box, mask, part in zip(boxes, masks, parts, strict=True):
        names, order = np.unique(part[mask], return_inverse=True)
        if names.size > 1:
            found[box][mask] = last + 1 + order
            last += names.size
    # without gaps
    number = np.zeros(last + 1, np.int32)
    number[found] = 1
    number[0] = 0
    return np.cumsum(number, dtype=np.int32)[found]


def deblend_many(images, masks, *, n_pixels, n_levels, contrast):
    """
    Cut segments into their sources, as photutils' ``deblend_sources`` does.

    Parameters
    ----------
    images : list of `~numpy.ndarray`
        The smoothed pixels in the box of each segment, shape (ny, nx) each.
    masks : list of `~numpy.ndarray` of bool
        The pixels of the segment, of the same shapes.
    n_pixels : int
        The least number of connected pixels of a source.
    n_levels : int
        Number of thresholds between the lowest and the highest value.
    contrast : float
        The least fraction of a segment's flux that a source must have.

    Returns
    -------
    parts : list of `~numpy.ndarray` of int
        Labels of the sources in each box, rising with the place of their
        first bright pixel; 0 outside of the segment. A segment that was not cut
        has one label.

    Examples
    --------
    >>> import numpy as np
    >>> from galmorph.images.deblending import deblend_many
    >>> y, x = np.mgrid[:20, :40]
    >>> image = sum(np.exp(-np.hypot(x - i, y - 10) / 3) for i in (10, 30))
    >>> mask = np.ones(image.shape, bool)
    >>> parts, = deblend_many([image], [mask], n_pixels=5, n_levels=16, contrast=0.05)
    >>> np.unique(parts).size
    2
    """
    parts, start, pixels = [], 0, 0
    for number, mask in enumerate(masks, start=1):
        pixels += mask.size
        if pixels > _ON_A_SHEET or number == len(masks):
            some = slice(start, number)
            sheet = _deblend_sheet(
                images[some], masks[some], n_pixels, n_levels, contrast
            )
            parts += sheet
            start, pixels = number, 0
    return parts


def _deblend_sheet(images, masks, n_pixels, n_levels, contrast):
    heights, widths = np.array([mask.shape for mask in masks]).T
    top, left, shape = _places(heights, widths)
    sheet, owners = np.zeros(shape, images[0].dtype), np.full(shape, -1, np.int32)
    boxes = _boxes(top, left, heights, widths)
    for number, box in enumerate(boxes):
        sheet[box] = images[number]
        owners[box][masks[number]] = number
    pixels = np.flatnonzero(owners >= 0)
    segments = _Segments(sheet, pixels, owners.ravel()[pixels], len(images))
    labels = segments.flooded(segments.markers(n_pixels, n_levels))
    segments.join_faint(labels, contrast)
    return [labels[box] for box in boxes]


def _places(heights, widths):
    """Where boxes lie on a sheet, in rows; nothing touches a box or the rim."""
    widest = max(int(np.sum((heights + 1) * (widths + 1)) ** 0.5), widths.max()) + 2
    top, left = np.zeros(len(heights), int), np.zeros(len(heights), int)
    row, column, height = 1, 1, 0
    for i in np.argsort(-heights, kind="stable"):
        if column + widths[i] >= widest:
            row, column, height = row + height + 1, 1, 0
        top[i], left[i] = row, column
        column, height = column + widths[i] + 1, max(height, heights[i])
    return top, left, (row + height + 1, widest)


def _packed(pixels, width, owner):
    """Places of pixels on a sheet without what their segments have lost."""
    row, column = np.divmod(pixels, width)
    if not owner.size:
        return pixels, (1, 1)
    present = np.bincount(owner) > 0
    which = (np.cumsum(present) - 1)[owner]
    (low, high), (first, last) = _range(row, which), _range(column, which)
    top, left, shape = _places(high - low + 1, last - first + 1)
    row, column = row + (top - low)[which], column + (left - first)[which]
    return row * shape[1] + column, shape


def _boxes(top, left, heights, widths):
    edges = np.transpose([top, top + heights, left, left + widths])
    return [np.s_[a:b, c:d] for a, b, c, d in edges.tolist()]


class _Segments:
    """
    The pixels of segments on a sheet.

    Parameters
    ----------
    sheet : `~numpy.ndarray`
        The image.
    pixels : `~numpy.ndarray` of int
        Places of the segments' pixels in the flattened sheet.
    owner : `~numpy.ndarray` of int
        The segment of each of these pixels.
    n : int
        Number of segments.
    """

    def __init__(self, sheet, pixels, owner, n):
        self.sheet, self.pixels, self.owner, self.n = sheet, pixels, owner, n
        self.within = np.zeros(sheet.size, bool)
        self.within[pixels] = True
        self.values = sheet.ravel()[pixels]
        self.lowest = np.full(n, np.inf, sheet.dtype)
        self.highest = np.full(n, -np.inf, sheet.dtype)
        np.minimum.at(self.lowest, owner, self.values)
        np.maximum.at(self.highest, owner, self.values)

    def markers(self, n_pixels, n_levels):
        """The source of each pixel above the passes to other sources, 0 below."""
        linear = self.lowest <= 0
        markers = self._markers(n_pixels, self._levels(n_levels, linear))
        many = (self._sources(markers) > _MOST_MARKERS) & ~linear
        if many.any():
            again = self._markers(n_pixels, self._levels(n_levels, linear | many))
            again[again > 0] += markers.max()
            markers = np.where(many[self.owner], again, markers)
        # numbered by their first pixels
        first = np.full(markers.max() + 1, len(markers))
        first[markers[::-1]] = np.arange(len(markers))[::-1]
        first[0] = -1
        rank = np.zeros(len(first), int)
        rank[np.argsort(first)] = np.arange(len(first))
        return rank[markers]

    def _levels(self, n_levels, linear):
        low, high = self.lowest, self.highest
        levels = np.linspace(low, high, n_levels + 2)
        with np.errstate(all="ignore"):
            share = (levels - low) / (high - low)
            curved = low * (high / low) ** share
        return np.where(linear, levels, curved)[1:-1]

    def _sources(self, labels):
        """Number of labels in each segment."""
        owner = np.full(labels.max(initial=0) + 1, -1)
        owner[labels] = self.owner
        return np.bincount(owner[1:][owner[1:] >= 0], minlength=self.n)

    def _markers(self, n_pixels, levels):
        markers = self.owner + 1
        rest, owner, values = np.arange(len(markers)), self.owner, self.values
        places, shape, packed = self.pixels, self.sheet.shape, len(markers)
        parents = []
        for level in levels:
            stay = values > level[owner]
            rest, owner, values, places = (
                a[stay] for a in (rest, owner, values, places)
            )
            if rest.size < _REPACK * packed:
                places, shape = _packed(places, shape[1], owner)
                packed = rest.size
            above = np.zeros(shape, bool)
            above.ravel()[places] = True
            labels, number = ndimage.label(above, _TOUCHING)
            found = labels.ravel()[places]
            size = np.bincount(found, minlength=number + 1)
            # all of a piece lies in one marker of the levels below, or in none
            own = markers[rest]
            parent = np.zeros(number + 1, int)
            parent[found] = own
            parent[size < n_pixels] = 0
            split = np.flatnonzero(np.bincount(parent) > 1)
            split = split[split > 0]
            if split.size:
                first = markers.max() + 1
                known = np.zeros(first, bool)
                known[split] = True
                child = np.where(parent > 0, first + np.arange(number + 1), 0)
                markers[rest] = np.where(known[own], child[found], own)
                parents.append(split)
        ended = np.zeros(markers.max() + 1, bool)
        ended[np.concatenate([[0], *parents])] = True
        markers[ended[markers]] = 0
        return markers

    def flooded(self, markers):
        """Labels on the sheet: all pixels of the segments, flooded from markers."""
        labels = np.zeros(self.sheet.shape, np.int32)
        mask = np.zeros(self.sheet.shape, bool)
        several = (self._sources(markers) > 1)[self.owner]
        # what is one source needs no flood
        markers = np.where(several, markers, markers.max() + 1 + self.owner)
        labels.ravel()[self.pixels] = markers
        mask.ravel()[self.pixels[several]] = True
        # nothing is flooded from within a marker
        mask[1:-1, 1:-1] &= ~_inner(labels > 0)
        if several.any():
            labels[mask] = _flood(self.sheet, labels, mask)[mask]
        return labels

    def join_faint(self, labels, contrast):
        """Give the pixels of sources that are too faint to those around; in place."""
        pixels, owner, values = self.pixels, self.owner, self.values
        flat = labels.ravel()
        total = np.bincount(owner, values, self.n)
        flux = np.bincount(flat[pixels], values)
        segment = np.full(flux.size, self.n)
        segment[flat[pixels]] = owner
        while True:
            dropped, joined = self._too_faint(flux, segment, total, contrast)
            ended = joined[owner] > 0
            flat[pixels[ended]] = joined[owner[ended]]
            if dropped.size == 0:
                return
            # only segments with a source to drop can have another one
            active = np.zeros(self.n + 1, bool)
            active[segment[dropped]] = True
            segment[~active[segment]] = segment[dropped] = self.n
            pixels, owner, values = (a[active[owner]] for a in (pixels, owner, values))
            gone = np.zeros(flux.size, bool)
            gone[dropped] = True
            gone = gone[flat[pixels]]
            self._flood_again(labels, pixels[gone], owner[gone])
            flux += np.bincount(flat[pixels[gone]], values[gone], flux.size)

    def _too_faint(self, flux, segment, total, contrast):
        """
        The faintest label of each segment where it is too faint.

        Besides, for each segment, the brightest label where all others together
        are too faint, else 0.
        """
        labels = np.flatnonzero(segment < self.n)
        labels = labels[np.lexsort((flux[labels], segment[labels]))]
        flux, segment = flux[labels], segment[labels]
        last = np.append(segment[1:] != segment[:-1], True)[: len(labels)]
        first = np.append(True, last[:-1])[: len(labels)]
        least, brightest = contrast * total[segment], np.zeros(self.n)
        brightest[segment[last]] = flux[last]
        others = total - brightest
        swallows = (others < np.minimum(contrast * total, brightest)) & (
            self.lowest >= 0
        )
        joined = np.zeros(self.n, np.int32)
        joined[segment[last]] = labels[last]
        joined[~swallows] = 0
        # one at a time, for several may join to one that is bright enough
        faintest = first & ~last & (flux < least) & ~swallows[segment]
        return labels[faintest], joined

    def _flood_again(self, labels, pixels, owner):
        """Flood some pixels from the labels around them; in place."""
        width = self.sheet.shape[1]
        labels.ravel()[pixels] = 0
        around = np.add.outer((-width, 0, width), (-1, 0, 1)).ravel()
        near = (pixels[:, None] + around).ravel()
        mask = np.zeros(labels.shape, bool)
        mask.ravel()[near[self.within[near]]] = True
        _, which = np.unique(owner, return_inverse=True)
        row, column = np.divmod(pixels, width)
        top, bottom = _range(row, which)
        left, right = _range(column, which)
        old = _boxes(top - 1, left - 1, bottom - top + 3, right - left + 3)
        # on a smaller sheet
        heights, widths = bottom - top + 3, right - left + 3
        top, left, shape = _places(heights, widths)
        new = _boxes(top, left, heights, widths)
        moved = [np.zeros(shape, a.dtype) for a in (self.sheet, labels, mask)]
        for here, there in zip(old, new, strict=True):
            for small, large in zip(moved, (self.sheet, labels, mask), strict=True):
                small[there] = large[here]
        found = _flood(*moved)
        for here, there in zip(old, new, strict=True):
            part = mask[here]
            labels[here][part] = found[there][part]


def _inner(mask):
    """Pixels whose eight neighbours are set as well, without the rim."""
    across = mask[:, :-2] & mask[:, 1:-1] & mask[:, 2:]
    return across[:-2] & across[1:-1] & across[2:]


def _flood(image, labels, mask):
    from skimage.segmentation import watershed

    return watershed(-image, labels, mask=mask, connectivity=_TOUCHING)


def _range(values, which):
    """Least and largest of the values of each number from 0 up."""
    low = np.full(which.max() + 1, values.max())
    high = np.zeros_like(low)
    np.minimum.at(low, which, values)
    np.maximum.at(high, which, values)
    return low, high
