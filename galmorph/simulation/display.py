# Licensed under a 3-clause BSD style license - see licenses/LICENSE.rst
"""
Images as somebody saves them to be looked at: framed, stretched, in 8 bits.

Many galaxies are at hand only so: pixels are no longer proportional to flux,
cores are cut off, faint light may be below zero, pixels were interpolated or
averaged, and compression has left its blocks.
"""

from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from scipy import fft, ndimage

from galmorph.core import ConfigurationError

__all__ = ["DISPLAYS", "STRETCHES", "Display", "draw_display"]

STRETCHES = ("asinh", "linear", "log", "sqrt")
"""Functions that turn flux into brightness."""

_BLOCK = 8
# luminance of the JPEG standard (ITU-T T.81, table K.1)
_QUANTA = np.array(
    [
        [16, 11, 10, 16, 24, 40, 51, 61],
        [12, 12, 14, 19, 26, 58, 60, 55],
        [14, 13, 16, 24, 40, 57, 69, 56],
        [14, 17, 22, 29, 51, 87, 80, 62],
        [18, 22, 37, 56, 68, 109, 103, 77],
        [24, 35, 55, 64, 81, 104, 113, 92],
        [49, 64, 78, 87, 103, 121, 120, 101],
        [72, 92, 95, 98, 112, 100, 103, 99],
    ]
)


@dataclass(frozen=True)
class Display:
    """
    How an image is saved to be looked at.

    Parameters
    ----------
    stretch : str, optional
        One of ``STRETCHES``.
    softening : float, optional
        Level, in standard deviations of the noise, at which ``'asinh'`` and
        ``'log'`` turn from linear to logarithmic.
    low, high : float, optional
        Percentiles of the pixels that become black and white.
    levels : tuple of float, optional
        In place of ``low`` and ``high`` the same brightness for every image: what
        a standard deviation above the sky becomes, and the sky itself, of 255.
    ceiling : float, optional
        Brightness that the luminance of a coloured core does not pass, of 255;
        one colour is saturated there. 0 where there is none.
    frame : float, optional
        Side of the image in half-light radii; 0 for the whole.
    side : int, optional
        Side in pixels to which the frame is resampled; 0 to leave it.
    order : int, optional
        Order of the spline of that: 1 or 3.
    blur : float, optional
        Standard deviation in pixels of a Gaussian, for what pictures of pictures
        lose.
    block : int, optional
        Pixels on a side that are averaged into one.
    quality : int, optional
        Quality of a JPEG file, 1 to 100; 0 for none.

    Examples
    --------
    >>> import numpy as np
    >>> from galmorph.simulation import Display
    >>> y, x = np.mgrid[:60, :60] - 30.0
    >>> galaxy = 1000 * np.exp(-np.hypot(x, y) / 3)
    >>> picture, zoom = Display(side=106).save(galaxy, rms=1.0)
    >>> picture.shape, picture.dtype, int(picture.max()), round(zoom, 2)
    ((106, 106), dtype('uint8'), 255, 1.77)
    """

    stretch: str = "asinh"
    softening: float = 10.0
    low: float = 0.0
    high: float = 100.0
    levels: tuple = ()
    ceiling: float = 0.0
    frame: float = 0.0
    side: int = 0
    order: int = 3
    blur: float = 0.0
    block: int = 1
    quality: int = 0

    def __post_init__(self):
        if self.stretch not in STRETCHES:
            raise ConfigurationError(
                f"stretch: found {self.stretch!r}; choose one of {STRETCHES}"
            )
        if not 0 <= self.low < self.high <= 100:
            raise ConfigurationError(
                f"low, high: found {self.low!r}, {self.high!r}; they are percentiles"
            )

    def save(self, image, rms, radius=None):
        """
        Turn an image into brightness.

        Parameters
        ----------
        image : `~numpy.ndarray`
            Square image with the galaxy in the middle, without its sky.
        rms : float
            Standard deviation of the noise of a pixel.
        radius : float, optional
            Half-light radius in pixels, which ``frame`` needs.

        Returns
        -------
        picture : `~numpy.ndarray`
            Square array, uint8.
        zoom : float
            Pixels of the picture across one of the image.
        """
        image = np.asarray(image, np.float32)
        if self.frame and radius:
            # few people save a picture of few pixels, unless they enlarge it
            least = 32 if self.side else 64
            image = _middle(image, max(self.frame * radius, least))
        found = len(image)
        if self.block > 1 and found >= 16 * self.block:
            n = found // self.block
            image = image[: n * self.block, : n * self.block]
            image = image.reshape(n, self.block, n, self.block).mean(axis=(1, 3))
            found = n * self.block
        if self.side:
            if len(image) > self.side:
                # finer pixels are averaged, not left out
                image = ndimage.gaussian_filter(image, 0.4 * len(image) / self.side)
            weights = _weights(len(image), self.side, self.order)
            image = weights @ image @ weights.T
        if self.blur:
            image = ndimage.gaussian_filter(image, self.blur)
        zoom = len(image) / found
        # pixels that were averaged have less noise
        rms = min(rms, _spread(image)) or rms
        bright = self._bright(image / np.float32(rms))
        if self.quality:
            bright = _compress(bright, self.quality)
        return np.clip(np.rint(bright), 0, 255).astype(np.uint8), zoom

    def _bright(self, image):
        """Brightness from 0 to 255 of an image in units of its noise."""
        if self.levels:
            slope, sky = self.levels
            bright = sky + slope * self.softening * self._stretched(image)
        else:
            bright = self._stretched(image)
            low, high = np.percentile(bright, [self.low, self.high])
            bright = 255 * (bright - low) / max(high - low, 1e-12)
        bright = np.clip(bright, 0, None)
        if self.ceiling:
            bright = bright / np.sqrt(1 + (bright / np.float32(self.ceiling)) ** 2)
        return bright

    def _stretched(self, image):
        """Monotonic function of the image, with a slope of 1 over the softening."""
        places = image / np.float32(self.softening)
        if self.stretch == "asinh":
            return np.arcsinh(places)
        if self.stretch == "log":
            return np.log1p(np.maximum(places, 0))
        if self.stretch == "sqrt":
            return 2 * np.sqrt(np.maximum(places, 0) + 1) - 2
        return places


def _spread(image):
    """Noise of the pixels at the edges, as far as they show sky."""
    edge = max(len(image) // 16, 1)
    sides = (image[:edge], image[-edge:], image[:, :edge].T, image[:, -edge:].T)
    sky = np.concatenate(sides)
    return 1.4826 * float(np.median(np.abs(sky - np.median(sky))))


def _middle(image, side):
    """The middle of an image."""
    side = int(min(side, len(image)))
    start = (len(image) - side) // 2
    return image[start : start + side, start : start + side]


@lru_cache(maxsize=256)
def _weights(found, side, order):
    """Matrix that resamples an axis by a spline."""
    places = (np.arange(side) + 0.5) * found / side - 0.5
    unit = np.eye(found)
    across = np.arange(found)
    where = np.meshgrid(places, across, indexing="ij")
    return ndimage.map_coordinates(unit, where, order=order, mode="nearest").astype(
        np.float32
    )


def _compress(bright, quality):
    """What JPEG leaves of an image, without its files."""
    ny, nx = bright.shape
    pad = [(0, -ny % _BLOCK), (0, -nx % _BLOCK)]
    blocks = np.pad(np.clip(bright, 0, 255), pad, mode="edge")
    shape = blocks.shape
    blocks = blocks.reshape(shape[0] // _BLOCK, _BLOCK, shape[1] // _BLOCK, _BLOCK)
    # the usual scale of the tables with the quality (Independent JPEG Group)
    scale = 5000 / quality if quality < 50 else 200 - 2 * quality
    quanta = np.clip((_QUANTA * scale + 50) // 100, 1, 255)[:, None, :]
    found = fft.dctn(blocks - 128, axes=(1, 3), norm="ortho")
    found = np.rint(found / quanta) * quanta
    return (fft.idctn(found, axes=(1, 3), norm="ortho") + 128).reshape(shape)[:ny, :nx]


def _log_uniform(random, low, high):
    return low * (high / low) ** random.random()


def _extremes(random):
    """Stamps scaled one by one, as those of Galaxy Zoo: CEERS at hand."""
    return {
        "softening": _log_uniform(random, 3.0, 300.0),
        "high": 100 - _log_uniform(random, 0.004, 0.2),
        "frame": _log_uniform(random, 8.0, 22.0),
        "side": 106,
        "order": 1 if random.random() < 0.5 else 3,
    }


def _composite(random):
    """Luminance of colour composites of one brightness, as those of SDSS."""
    return {
        "softening": _log_uniform(random, 10.0, 40.0),
        "levels": (random.uniform(1.5, 3.5), random.uniform(1.0, 5.0)),
        "ceiling": random.uniform(190, 270),
        "frame": _log_uniform(random, 5.0, 16.0),
        "blur": random.uniform(0.6, 1.2),
        "quality": int(random.integers(80, 99)),
    }


def _any(random):
    """Whatever people choose."""
    kind = random.random()
    if kind < 0.25:
        return _extremes(random)
    if kind < 0.5:
        return _composite(random)
    drawn = {
        "stretch": STRETCHES[random.integers(len(STRETCHES))],
        "softening": _log_uniform(random, 1.0, 300.0),
        "low": random.uniform(0, 30) if random.random() < 0.5 else 0.0,
        "high": 100 - _log_uniform(random, 0.01, 2.0),
        "frame": _log_uniform(random, 6.0, 30.0),
        "order": 1 if random.random() < 0.5 else 3,
    }
    if random.random() < 0.5:
        drawn["side"] = int(random.integers(64, 161))
    if random.random() < 0.15:
        drawn["block"] = 2
    if random.random() < 0.5:
        drawn["quality"] = int(random.integers(50, 99))
    if random.random() < 0.2:
        drawn["ceiling"] = random.uniform(130, 230)
    return drawn


DISPLAYS = {"extremes": _extremes, "composite": _composite, "any": _any}
"""Ways to save images, by name: see `draw_display`."""


def draw_display(random, name="any"):
    """
    Draw how an image is saved to be looked at.

    Parameters
    ----------
    random : `numpy.random.Generator`
    name : {'extremes', 'composite', 'any'}, optional
        ``'extremes'``: scaled to the least and the largest pixel of each image,
        interpolated to 106 pixels, as the JWST stamps of Galaxy Zoo: CEERS that
        circulate. ``'composite'``: luminance of a colour composite of one
        brightness for all, as of SDSS. ``'any'``: either, or another stretch
        between percentiles, compressed or averaged.

    Returns
    -------
    display : `Display`

    Raises
    ------
    ConfigurationError
        If the name is not known.

    Examples
    --------
    >>> import numpy as np
    >>> from galmorph.simulation import draw_display
    >>> draw_display(np.random.default_rng(0), "extremes").side
    106
    """
    if name not in DISPLAYS:
        raise ConfigurationError(
            f"display: found {name!r}; there are {', '.join(DISPLAYS)}"
        )
    return Display(**DISPLAYS[name](random))
