# Licensed under a 3-clause BSD style license - see licenses/LICENSE.rst
"""
Raw cutouts: windows of an image around positions.
"""

import math
from dataclasses import dataclass

import numpy as np

from galmorph.core import ImageError, MorphFlag
from galmorph.images.nddata import pixel_scale_of

__all__ = [
    "RawCutout",
    "Windows",
    "cutout_from_image",
    "extract_cutouts",
    "failed_cutout",
    "plain_rms",
]

_ROUNDING = 1e-6  # pixels


@dataclass
class RawCutout:
    """
    A window of an image around one position.

    Parameters
    ----------
    data : `~numpy.ndarray`
        Pixels, shape (ny, nx) or (ny, nx, bands), float32.
    mask : `~numpy.ndarray`
        Pixels not to be used (True), shape (ny, nx).
    rms : `~numpy.ndarray` or None
        Standard deviation of each pixel, in the unit of the data.
    segmentation : `~numpy.ndarray` or None
        The image's segmentation within the window, 0 for sky.
    label : int
        Label of the target in the segmentation; 0 where it is not known.
    x, y : float
        The position within the window, in 0-based pixels.
    origin : tuple of int
        Pixel (y, x) of the image at the window's first pixel.
    flags : int
        Bits of `~galmorph.core.MorphFlag` that are known already.
    pixel_scale : float
        Arcseconds per pixel; NaN where it is not known.
    parent : ``Windows``, optional
        The image that the window was cut from.

    Examples
    --------
    >>> import numpy as np
    >>> from galmorph.images import as_nddata, cutout_from_image
    >>> cutout = cutout_from_image(as_nddata(np.zeros((30, 20))))
    >>> cutout.x, cutout.y
    (9.5, 14.5)
    """

    data: np.ndarray
    mask: np.ndarray
    rms: np.ndarray | None
    segmentation: np.ndarray | None
    label: int
    x: float
    y: float
    origin: tuple
    flags: int
    pixel_scale: float
    parent: object = None

    @property
    def is_whole(self):
        """Whether the window holds all of the image that it was cut from."""
        return bool(self.at_edges.all())

    @property
    def at_edges(self):
        """Which edges are the image's own, in the order bottom, left, top, right."""
        ny, nx = self.data.shape[:2]
        y0, x0 = self.origin
        if self.parent is None:
            return np.ones(4, bool)
        height, width = self.parent.shape[:2]
        return np.array([y0 <= 0, x0 <= 0, y0 + ny >= height, x0 + nx >= width])

    def enlarged(self):
        """
        The window of twice the size around the same position.

        Returns
        -------
        cutout : `RawCutout`
        """
        size = 2 * max(self.data.shape[:2])
        x, y = self.x + self.origin[1], self.y + self.origin[0]
        return _cut(self.parent, x, y, size, self.label)


class Windows:
    """
    An image of which windows are cut.

    What has the same attributes and the same method can stand in its place, such
    as a mosaic of which windows are read from disk.

    Parameters
    ----------
    image : `~astropy.nddata.NDData`
        As `~galmorph.images.as_nddata` returns it.
    segmentation : array_like of int, optional
        Segmentation of the image, 0 for sky.

    Attributes
    ----------
    shape : tuple of int
        Shape of the image.
    pixel_scale : float
        Arcseconds per pixel; NaN where it is not known.

    Raises
    ------
    ImageError
        If the segmentation has another shape than the image.
    """

    def __init__(self, image, segmentation=None):
        self.shape = image.data.shape
        scale = pixel_scale_of(image)
        self.pixel_scale = np.nan if scale is None else float(scale.value)
        if segmentation is not None:
            segmentation = np.asarray(segmentation)
            if segmentation.shape != self.shape[:2]:
                raise ImageError(
                    f"segmentation: its shape {segmentation.shape} is not that of the"
                    f" image, {self.shape[:2]}"
                )
        self._image, self._segmentation = image, segmentation

    def window(self, box):
        """
        Pixels of a window.

        Parameters
        ----------
        box : tuple of slice
            Rows and columns.

        Returns
        -------
        data, mask, rms, segmentation : `~numpy.ndarray`
            The last two are `None` where the image has none.
        """
        image, rms, segments = self._image, None, None
        if image.uncertainty is not None:
            rms = plain_rms(image.uncertainty.array[box])
        if self._segmentation is not None:
            segments = _signed(self._segmentation[box])
        return np.asarray(image.data[box]), np.asarray(image.mask[box]), rms, segments


def plain_rms(array):
    """
    Noise of each pixel as cutouts have it.

    Parameters
    ----------
    array : array_like
        Shape (ny, nx) or (ny, nx, bands).

    Returns
    -------
    rms : `~numpy.ndarray`
        Shape (ny, nx), float32.
    """
    rms = np.asarray(array, np.float32)
    return rms.mean(axis=-1) if rms.ndim == 3 else rms


def cutout_from_image(image, position=None, segmentation=None):
    """
    Take a whole image as the cutout of one object.

    Parameters
    ----------
    image : `~astropy.nddata.NDData`
        As `~galmorph.images.as_nddata` returns it.
    position : tuple of float, optional
        Position (x, y) of the object in 0-based pixels; the middle of the
        image where it is not given.
    segmentation : `~numpy.ndarray`, optional
        Segmentation of the image, 0 for sky.

    Returns
    -------
    cutout : `RawCutout`

    Examples
    --------
    >>> import numpy as np
    >>> from galmorph.images import as_nddata, cutout_from_image
    >>> cutout_from_image(as_nddata(np.ones((3, 3)))).data.shape
    (3, 3)
    """
    ny, nx = image.data.shape[:2]
    x, y = ((nx - 1) / 2, (ny - 1) / 2) if position is None else position
    cutout = next(
        extract_cutouts(image, [x], [y], size=max(ny, nx), segmentation=segmentation)
    )
    while not cutout.is_whole:
        cutout = cutout.enlarged()
    return cutout


def extract_cutouts(image, x, y, *, size, segmentation=None, labels=None):
    """
    Cut windows around positions out of an image.

    Parameters
    ----------
    image : `~astropy.nddata.NDData` or ``Windows``
        As `~galmorph.images.as_nddata` returns it.
    x, y : array_like of float
        Positions in 0-based pixels. Positions that are not finite, or outside
        of the image, give a wholly masked cutout with a flag.
    size : int or array_like of int
        Side of the windows in pixels. What would lie beyond the edge of the
        image is not part of the window.
    segmentation : `~numpy.ndarray`, optional
        Segmentation of the image, 0 for sky; whole numbers of any type.
    labels : array_like of int, optional
        Labels of the targets in the segmentation; found at the positions
        where they are not given.

    Yields
    ------
    cutout : `RawCutout`
        One for each position, in the same order.

    Raises
    ------
    ImageError
        If the segmentation has another shape than the image.
    ValueError
        If the numbers of positions, sizes and labels differ.

    Examples
    --------
    >>> import numpy as np
    >>> from galmorph.images import as_nddata, extract_cutouts
    >>> image = as_nddata(np.zeros((50, 50)))
    >>> [c.data.shape for c in extract_cutouts(image, [20, 2], [20, 2], size=10)]
    [(10, 10), (8, 8)]
    """
    x, y = np.atleast_1d(np.asarray(x, float)), np.atleast_1d(np.asarray(y, float))
    if x.shape != y.shape or x.ndim != 1:
        raise ValueError(
            f"x, y: expected two lists of one length, found shapes"
            f" {x.shape} and {y.shape}"
        )
    windows = image if hasattr(image, "window") else Windows(image, segmentation)
    sizes = np.broadcast_to(np.asarray(size, int), x.shape)
    labels = np.broadcast_to(np.asarray(0 if labels is None else labels, int), x.shape)
    for xi, yi, side, label in zip(
        x.tolist(), y.tolist(), sizes.tolist(), labels.tolist(), strict=True
    ):
        yield _cut(windows, xi, yi, side, label)


def _cut(windows, x, y, size, label):
    ny, nx = windows.shape[:2]
    scale = windows.pixel_scale
    flags = 0
    if not (np.isfinite(x) and np.isfinite(y)):
        flags = MorphFlag.BAD_POSITION
    elif not (-0.5 <= x < nx - 0.5 and -0.5 <= y < ny - 0.5):
        flags = MorphFlag.OUTSIDE_IMAGE
    if flags:
        empty = np.zeros((1, 1, *windows.shape[2:]), np.float32)
        mask = np.ones((1, 1), bool)
        return RawCutout(empty, mask, None, None, 0, x, y, (0, 0), int(flags), scale)

    # positions from sky coordinates have rounding errors: whole pixels stay whole
    y0, x0 = (math.floor(v - size / 2 + 1 + _ROUNDING) for v in (y, x))
    y0, y1 = max(y0, 0), min(y0 + size, ny)
    x0, x1 = max(x0, 0), min(x0 + size, nx)
    data, mask, rms, segments = windows.window((slice(y0, y1), slice(x0, x1)))
    if segments is not None and not label:
        label = int(segments[int(round(y)) - y0, int(round(x)) - x0])
    return RawCutout(
        data=data,
        mask=mask,
        rms=rms,
        segmentation=segments,
        label=label,
        x=x - x0,
        y=y - y0,
        origin=(y0, x0),
        flags=0,
        pixel_scale=scale,
        parent=windows,
    )


def _signed(segmentation):
    """Labels of a type that can be compared and counted."""
    if segmentation.dtype in (np.int32, np.int64) and segmentation.dtype.isnative:
        return segmentation
    return segmentation.astype(np.int64)


def failed_cutout(bands):
    """
    What stands for an image that could not be read.

    Parameters
    ----------
    bands : int
        Number of bands that the others have.

    Returns
    -------
    cutout : `RawCutout`
        One bad pixel, with the flag ``FAILED``.

    Examples
    --------
    >>> from galmorph.images.cutouts import failed_cutout
    >>> failed_cutout(3).data.shape
    (1, 1, 3)
    """
    return RawCutout(
        data=np.zeros((1, 1) if bands == 1 else (1, 1, bands), np.float32),
        mask=np.ones((1, 1), bool),
        rms=None,
        segmentation=None,
        label=0,
        x=np.nan,
        y=np.nan,
        origin=(0, 0),
        flags=int(MorphFlag.FAILED),
        pixel_scale=np.nan,
    )
