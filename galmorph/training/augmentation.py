# Licensed under a 3-clause BSD style license - see licenses/LICENSE.rst
"""
Random views of the training stamps.
"""

from dataclasses import dataclass

import numpy as np

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
        stamps, whose target has the peak that the preprocessor gives it.
    brightness : float, optional
        Largest relative change of the stamp's level.

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

    def __post_init__(self):
        if self.zoom < 1:
            raise ConfigurationError(f"zoom: found {self.zoom}; it must be 1 or more")
        for name in ("shift", "noise", "brightness"):
            if not getattr(self, name) >= 0:
                raise ConfigurationError(
                    f"{name}: found {getattr(self, name)}; it must be 0 or more"
                )


def augment(stamps, shape, config, random):
    """
    Cut randomly turned, shifted and scaled stamps out of larger ones.

    Parameters
    ----------
    stamps : `~numpy.ndarray`
        Array of shape (n, side, side, bands), float32, with a margin around
        what the network sees.
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
        return stamps[:, first : first + shape, first : first + shape]
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
    views *= level[..., None]
    if config.noise:
        noise = random.standard_normal(views.shape, dtype=np.float32)
        views += strength[..., None] * noise
    return views


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
