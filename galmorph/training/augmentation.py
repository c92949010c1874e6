# Licensed under a 3-clause BSD style license - see licenses/LICENSE.rst
"""
Random views of the training stamps.
"""

from dataclasses import dataclass

import numpy as np
from scipy.ndimage import gaussian_filter

from galmorph.core import ConfigurationError

__all__ = ["Augmentation", "augment"]


@dataclass(frozen=True)
class Augmentation:
    """
    What may happen to a stamp in training; each part can be switched off.

    The ranges of zoom and shift are those of Dieleman et al. (2015, MNRAS
    450, 1441).

    Parameters
    ----------
    rotation : bool, optional
        Turn by any angle.
    flip : bool, optional
        Mirror half of the stamps.
    shift : float, optional
        Largest shift on each axis, in pixels of the stamp.
    zoom : float, optional
        Largest factor of zoom, log-uniform from its inverse; 1 for none.
    noise : float, optional
        Largest standard deviation of added normal noise, in the units of the
        stamps, whose target has the peak that the preprocessor gives it: the
        stamp as it were in a shallower image.
    brightness : float, optional
        Largest relative change of the stamp's level.
    contrast : float, optional
        Largest relative change of the differences from the stamp's mean.
    blur : float, optional
        Largest standard deviation, in pixels, of a Gaussian that half of the
        stamps are convolved with: the same galaxies under a wider PSF.
    neighbours : float, optional
        Share of the stamps that get a neighbour: the target of another stamp of
        the batch, fainter and away from the middle. The brighter of the two
        counts at each pixel, as stretched values do not add.

    Raises
    ------
    ConfigurationError
        If a value is out of its range.

    Examples
    --------
    >>> from galmorph.training import Augmentation
    >>> Augmentation(brightness=0).zoom
    1.3
    """

    rotation: bool = True
    flip: bool = True
    shift: float = 2.0
    zoom: float = 1.3
    noise: float = 0.1
    brightness: float = 0.1
    contrast: float = 0.0
    blur: float = 0.0
    neighbours: float = 0.0

    def __post_init__(self):
        if self.zoom < 1:
            raise ConfigurationError(f"zoom: found {self.zoom}; it must be 1 or more")
        for name in ("shift", "noise", "brightness", "contrast", "blur"):
            if not getattr(self, name) >= 0:
                raise ConfigurationError(
                    f"{name}: found {getattr(self, name)}; it must be 0 or more"
                )
        if not 0 <= self.neighbours <= 1:
            raise ConfigurationError(
                f"neighbours: found {self.neighbours}; it must lie between 0 and 1"
            )


def augment(stamps, shape, config, random):
    """
    Cut randomly turned, shifted and scaled stamps out of larger ones.

    Parameters
    ----------
    stamps : `~numpy.ndarray`
        Array of shape (n, side, side, bands), float16 or float32, with a margin
        around what the network sees.
    shape : int
        Side of the result in pixels of the same size.
    config : `Augmentation` or None
        `None` cuts out the middle as it is.
    random : `numpy.random.Generator`

    Returns
    -------
    views : `~numpy.ndarray`
        Array of shape (n, shape, shape, bands), float32. What would lie
        beyond a stamp is its mirror image.

    Examples
    --------
    >>> import numpy as np
    >>> from galmorph.training import Augmentation, augment
    >>> stamps = np.ones((2, 64, 64, 1), np.float32)
    >>> augment(stamps, 45, Augmentation(), np.random.default_rng(0)).shape
    (2, 45, 45, 1)
    """
    n, side = stamps.shape[:2]
    if config is None:
        first = (side - shape) // 2
        middle = stamps[:, first : first + shape, first : first + shape]
        return middle.astype(np.float32, copy=False)
    stamps = stamps.astype(np.float32, copy=False)
    angle = random.uniform(0, 2 * np.pi, n) * config.rotation
    mirror = np.where(random.random(n) < 0.5 * config.flip, -1, 1)
    factor = np.exp(random.uniform(-1, 1, n) * np.log(config.zoom))
    shift = random.uniform(-config.shift, config.shift, (2, n))
    level = 1 + random.uniform(-1, 1, n) * config.brightness
    strength = random.uniform(0, config.noise, n)
    # single precision from here on: this keeps pace with the network
    across, down, cosine, sine, shift_x, shift_y, level, strength = (
        values.astype(np.float32)[:, None, None]
        for values in (
            factor * mirror,
            factor,
            np.cos(angle),
            np.sin(angle),
            *shift,
            level,
            strength,
        )
    )
    grid = np.arange(shape, dtype=np.float32) - np.float32((shape - 1) / 2)
    x, y = across * grid, down * grid[:, None]
    middle = np.float32((side - 1) / 2)
    views = _sample(
        stamps,
        cosine * x - sine * y + (middle + shift_x),
        sine * x + cosine * y + (middle + shift_y),
    )
    # what is switched off draws no random numbers
    if config.neighbours:
        views = _with_neighbours(views, config.neighbours, random)
    if config.blur:
        _blur(views, random.uniform(-config.blur, config.blur, n))
    views *= level[..., None]
    if config.contrast:
        gain = random.uniform(-config.contrast, config.contrast, n)
        mean = views.mean(axis=(1, 2, 3), keepdims=True)
        views += gain.astype(np.float32)[:, None, None, None] * (views - mean)
    if config.noise:
        noise = random.standard_normal(views.shape, dtype=np.float32)
        views += strength[..., None] * noise
    return views


def _with_neighbours(views, share, random):
    """Views with the targets of others put beside those of some."""
    n, side = views.shape[:2]
    chosen = np.flatnonzero(random.random(n) < share)
    others = (chosen + random.integers(1, max(n, 2), len(chosen))) % n
    angle = random.uniform(0, 2 * np.pi, len(chosen))
    distance = random.uniform(0.25, 0.5, len(chosen)) * side
    faintness = random.uniform(0.2, 0.9, len(chosen)).astype(np.float32)
    crowded = views.copy()
    for row, other, turn, far, faint in zip(
        chosen, others, angle, distance, faintness, strict=True
    ):
        dx, dy = round(far * np.cos(turn)), round(far * np.sin(turn))
        into = np.s_[max(dy, 0) : side + min(dy, 0), max(dx, 0) : side + min(dx, 0)]
        out_of = np.s_[max(-dy, 0) : side - max(dy, 0), max(-dx, 0) : side - max(dx, 0)]
        place = crowded[row][into]
        np.maximum(place, faint * views[other][out_of], out=place)
    return crowded


def _blur(views, sigmas):
    """Convolve those with a sigma above 0, in place."""
    for view, sigma in zip(views, sigmas, strict=True):
        if sigma > 0:
            gaussian_filter(view, (sigma, sigma, 0), output=view, mode="nearest")


def _sample(stamps, x, y):
    """Bilinear interpolation of each stamp at its own positions."""
    n, side = stamps.shape[:2]
    # mirrored at the edge, as continued edges would be streaks in the noise
    x, y = (side - 1 - np.abs(side - 1 - np.abs(v)) for v in (x, y))
    left, low = (np.clip(v.astype(np.int32), 0, side - 2) for v in (x, y))
    fx, fy = ((v - v0.astype(np.float32))[..., None] for v, v0 in ((x, left), (y, low)))
    flat = stamps.reshape(n * side * side, -1)
    corner = (np.arange(n, dtype=np.int32) * side * side)[:, None, None]
    corner = corner + low * side + left
    below = flat[corner] * (1 - fx) + flat[corner + 1] * fx
    above = flat[corner + side] * (1 - fx) + flat[corner + side + 1] * fx
    return below * (1 - fy) + above * fy
