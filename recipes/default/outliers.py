# Licensed under a 3-clause BSD style license - see licenses/LICENSE.rst
"""
Images that are no galaxies, so that the network's features tell them apart.

This is outlier exposure (Hendrycks, Mazeika & Dietterich 2019, ICLR). The images are
drawn by rules other than those of the images that the alarms are judged on.
"""

import math

import numpy as np
from scipy import fft, ndimage, special

from galmorph.simulation import simulate_galaxies
from galmorph.simulation.domains import draw_camera

__all__ = ["outlier"]

_SIDE = 96


def _noise(random):
    image = ndimage.gaussian_filter(
        random.normal(size=(_SIDE, _SIDE)), random.choice([0, 0.5, 1, 2])
    )
    slope = random.normal(size=2) * random.choice([0, 0, 0.02]) * image.std()
    return image + slope[0] * np.arange(_SIDE) + slope[1] * np.arange(_SIDE)[:, None]


def _texture(random):
    """Noise whose power falls with the frequency, as of clouds and surfaces."""
    frequency = np.hypot(fft.fftfreq(_SIDE)[:, None], fft.rfftfreq(_SIDE))
    frequency[0, 0] = 1
    spectrum = fft.rfft2(random.normal(size=(_SIDE, _SIDE)))
    return fft.irfft2(spectrum / frequency ** random.uniform(0.7, 2), (_SIDE, _SIDE))


def _leaves(random):
    """Shapes that cover each other, with the statistics of edges of photographs."""
    y, x = np.mgrid[:_SIDE, :_SIDE]
    image = np.zeros((_SIDE, _SIDE))
    for size in 60 * random.uniform(0.05, 1, 80) ** 2 + 2:
        x0, y0 = random.uniform(0, _SIDE, 2)
        angle = random.uniform(0, math.pi)
        dx = (x - x0) * math.cos(angle) + (y - y0) * math.sin(angle)
        dy = (y - y0) * math.cos(angle) - (x - x0) * math.sin(angle)
        dy = dy * random.uniform(1, 4)
        inside = np.hypot(dx, dy) < size
        if random.random() < 0.5:
            inside = np.maximum(abs(dx), abs(dy)) < size
        level = random.random() + random.normal() * 0.01 * dx
        image = np.where(inside, level, image)
    return image + random.uniform(0, 0.05) * random.normal(size=image.shape)


def _strokes(random):
    """Short strokes in lines, as of writing."""
    image = np.zeros((_SIDE, _SIDE))
    height = random.uniform(6, 30)
    t = np.linspace(0, 1, 60)
    for y0 in np.arange(height / 2, _SIDE, 1.5 * height):
        for x0 in np.arange(height / 2, _SIDE, 0.7 * height):
            for _ in range(random.integers(1, 4)):
                ends = random.uniform(-0.5, 0.5, (3, 2)) * (0.6 * height, height)
                bend = (1 - t)[:, None] ** 2 * ends[0] + t[:, None] ** 2 * ends[1]
                bend = bend + (2 * t * (1 - t))[:, None] * ends[2]
                points = np.rint(bend + (x0, y0)).astype(int) % _SIDE
                image[points[:, 1], points[:, 0]] = 1
    image = ndimage.gaussian_filter(image, random.uniform(0.4, 0.12 * height))
    image = image * random.choice([-1, 1])
    return image / np.ptp(image) + random.uniform(0, 0.1) * random.normal(
        size=image.shape
    )


def _detector(random):
    """Columns, rows, steps and hits of a detector."""
    image = random.normal(size=(_SIDE, _SIDE))
    strength = math.exp(random.uniform(2, 7)) * random.choice([-1, 1, 1])
    kind = random.integers(4)
    middle = _SIDE // 2 + random.integers(-5, 6)
    if kind == 0:
        image[:, middle : middle + random.integers(1, 5)] += strength
    elif kind == 1:
        image[middle:, : _SIDE // random.integers(1, 3)] += strength
    elif kind == 2:
        hit = random.random(image.shape) < 0.003
        image[hit] += abs(strength) * random.exponential(size=hit.sum())
    else:
        image[middle :: random.integers(2, 20)] += 0.2 * strength
    return image if random.random() < 0.5 else image.T


def _sharp_camera(random):
    """A camera with so many pixels that what it draws does not ring."""
    camera = draw_camera(random)
    while camera.psf_fwhm < 3 * camera.pixel_scale:
        camera = draw_camera(random)
    return camera


def _spike(random):
    """On a spike of a star that is outside of the image."""
    camera = _sharp_camera(random)
    while camera.optics.pupil == "round":
        camera = _sharp_camera(random)
    n, side = 512, np.arange(512) - 256
    star = fft.irfft2(camera.psf_transform(n, camera.pixel_scale), (n, n))
    star = fft.fftshift(star)
    radius = np.hypot(side, side[:, None])
    distance = random.uniform(0.73, 1.4) * _SIDE
    ring = np.abs(radius - distance) < 1
    # one of the bright places of the ring
    limit = np.quantile(star[ring], 0.98)
    y, x = random.permutation(np.argwhere(ring & (star >= limit)))[0]
    y, x = (int(v) + random.integers(-3, 4) - _SIDE // 2 for v in (y, x))
    image = star[y : y + _SIDE, x : x + _SIDE]
    image = math.exp(random.uniform(2, 6)) * image / limit
    return image + camera.noise(image.shape, 1.0, random)


def _inside(random):
    """Inside of a galaxy, with neither its edge nor the sky."""
    radius = 0
    while radius < 12:
        made = simulate_galaxies(
            1,
            seed=int(random.integers(2**31)),
            instrument="nearby",
            kinds={"spheroid": 0.3, "disk": 0.6, "irregular": 0.1},
        )
        row = made.table[0]
        radius = (row["half_light_radius"] / row["pixel_scale"]).value
    image = np.asarray(made.cutouts[0].data)
    side = max(int(random.uniform(0.5, 1.0) * radius), 10)
    x, y = (len(image) // 2 + random.integers(-side, side + 1, 2) // 4) - side // 2
    return image[y : y + side, x : x + side]


def _dot(random):
    """Light that is within a pixel or two, which no telescope gives."""
    edges = np.arange(_SIDE + 1) - _SIDE / 2
    image = np.zeros((_SIDE, _SIDE))
    for _ in range(random.integers(1, 4)):
        width = random.uniform(0.1, 0.4)
        x, y = random.normal(0, 0.7, 2)
        along, across = (np.diff(special.ndtr((edges - v) / width)) for v in (x, y))
        image += random.random() * along * across[:, None]
    strength = math.exp(random.uniform(2, 7))
    return strength * image / image.max() + random.normal(size=image.shape)


def _stars(random):
    """Many stars of one sharpness, half of the time as a camera draws them."""
    image = np.zeros((_SIDE, _SIDE))
    n = random.integers(15, 150)
    x, y = random.integers(0, _SIDE, (2, n))
    image[y, x] = (1 - random.random(n)) ** -random.uniform(0.3, 1.2)
    if random.random() < 0.5:
        image = ndimage.gaussian_filter(image, random.uniform(0.7, 2.5))
    else:
        camera = _sharp_camera(random)
        transform = camera.psf_transform(_SIDE, camera.pixel_scale)
        image = fft.irfft2(fft.rfft2(image) * transform, image.shape)
    return image / image.max() * math.exp(random.uniform(3, 7)) + random.normal(
        size=image.shape
    )


_KINDS = (
    _noise,
    _texture,
    _leaves,
    _strokes,
    _detector,
    _spike,
    _inside,
    _dot,
    _stars,
)


def outlier(random):
    """
    Draw an image that is no galaxy.

    Parameters
    ----------
    random : `numpy.random.Generator`

    Returns
    -------
    image : `~numpy.ndarray`
        Of 96 by 96 pixels, or what is inside of a galaxy; half of them as pictures
        of 8 bits.
    """
    image = _KINDS[random.integers(len(_KINDS))](random)
    if random.random() < 0.5:
        low, high = np.percentile(image, [random.uniform(0, 20), 100])
        image = np.clip((image - low) / (high - low), 0, 1) ** random.uniform(0.4, 1)
        return (255 * image).astype(np.uint8)
    return (image * math.exp(random.uniform(-3, 3))).astype(np.float32)
