# Licensed under a 3-clause BSD style license - see licenses/LICENSE.rst
"""
From measured targets to the pixels of their stamps.
"""

import functools
import zlib

import numpy as np
from scipy import ndimage

from galmorph.core import MorphFlag
from galmorph.images.resampling import Squares, resample_many
from galmorph.images.segmentation import grown
from galmorph.images.sky import (
    clipped_sky,
    counts,
    fill_from_nearest,
    in_sigmas,
    nearest_good,
    noise_unit,
)

__all__ = ["matched_noise", "quality_flags", "render_stamps"]

_LOW_SNR = 10
_FEW_PIXELS = 9
_MOST_MASKED = 0.1  # share of a stamp that may be masked and still be whole
_SIDE = 512  # of the fields from which noise is taken
_STEP = 0.02  # of the correlation of neighbouring pixels


def matched_noise(plane, sky, shape, seed):
    """
    Noise with the correlation between neighbouring pixels that an image has.

    Drizzled images have correlated noise; white noise of the same standard
    deviation would look smoother than the sky around once pixels are joined.

    Parameters
    ----------
    plane : `~numpy.ndarray`
        Image of shape (ny, nx) in standard deviations of the sky.
    sky : `~numpy.ndarray` of bool
        The pixels of sky in it.
    shape : tuple of int
        Shape of the noise.
    seed : int
        The same seed gives the same noise.

    Returns
    -------
    noise : `~numpy.ndarray`
        Normal noise of standard deviation one, float32.

    Examples
    --------
    >>> import numpy as np
    >>> from galmorph.images.rendering import matched_noise
    >>> white = np.random.default_rng(1).normal(size=(90, 90))
    >>> noise = matched_noise(white, white < 9, (300, 300), seed=2)
    >>> bool(abs(noise.std() - 1) < 0.02)
    True
    """
    clipped = np.clip(plane, -3, 3)
    clipped *= sky
    clipped = clipped.astype(float)
    pairs, total = 0, 0.0
    for one, other in ((np.s_[:, 1:], np.s_[:, :-1]), (np.s_[1:], np.s_[:-1])):
        total += (clipped[one] * clipped[other]).sum()
        pairs += np.count_nonzero(sky[one] & sky[other])
    correlation = min(total / max(pairs, 1), 0.9)
    field = _noise_field(max(round(correlation / _STEP), 0))
    # another place of the field for another seed; beyond its edge it goes on
    place = zlib.crc32(seed.to_bytes(8, "little"))
    top, left = place % _SIDE, place // _SIDE % _SIDE
    if top + shape[0] <= _SIDE and left + shape[1] <= _SIDE:
        return field[top : top + shape[0], left : left + shape[1]].copy()
    rows, columns = (np.arange(n) + k for n, k in zip(shape, (top, left), strict=True))
    return field[rows[:, None] % _SIDE, columns % _SIDE]


@functools.lru_cache(maxsize=64)
def _noise_field(steps):
    """Noise of standard deviation one and so many steps of correlation."""
    noise = np.random.default_rng(steps).standard_normal((_SIDE, _SIDE), np.float32)
    if steps * _STEP < 0.1:
        return noise
    # white noise smoothed by a Gaussian s has the correlation exp(-1 / 4 s^2)
    sigma = np.sqrt(-0.25 / np.log(steps * _STEP))
    noise = ndimage.gaussian_filter(noise, sigma, mode="wrap")
    return noise / noise.std()


def render_stamps(stack, targets, rows, side, config):
    """
    Resample and stretch targets to their stamps.

    Parameters
    ----------
    stack : `~galmorph.images.measurement.Stack`
        The cutouts.
    targets : `~galmorph.images.measurement.Targets`
        What was measured on them.
    rows : `~numpy.ndarray` of int
        The targets to render.
    side : `~numpy.ndarray`
        Sides of their stamps without margin, in pixels of the cutouts.
    config : `~galmorph.images.Preprocessor`

    Returns
    -------
    stamps : `~numpy.ndarray`
        Array of shape (n, shape, shape, bands), float32.
    """
    shape = config.shape + config.margin
    side = side * shape / config.shape
    own, bad = targets.own[rows], targets.bad[rows]
    sky = targets.segments[rows] == 0
    kept = targets.joined[rows] if config.neighbours == "apart" else own
    replaced = bad & ~kept
    if config.neighbours != "keep":
        # the wings of a neighbour reach beyond its segment
        replaced |= grown(~sky & ~kept) & ~kept
    x, y = targets.x[rows], targets.y[rows]
    squares = Squares(own.shape[1:], x, y, side, shape)
    inside = squares.of(own.astype(np.float32)) > 0.5
    # the same noise for an object whatever its unit, row or batch
    seeds = [zlib.crc32(np.packbits(~image).tobytes()) for image in sky]
    sky &= ~bad
    pad = np.zeros(len(rows), int)
    noisy = np.zeros(len(rows), bool)
    if config.neighbours in ("noise", "apart"):
        pad = _beyond(own.shape[1:], x, y, side)
        noisy = (pad > 0) | _reached(replaced, x, y, side, shape)
    layers = []
    for number, planes in enumerate(_bands(stack, targets, rows)):
        clean = planes * ~replaced
        padded = {}
        for i in np.flatnonzero(noisy):
            whole = tuple(n + 2 * pad[i] for n in planes.shape[1:])
            noise = matched_noise(planes[i], sky[i], whole, seeds[i] + number)
            if not pad[i]:
                np.copyto(clean[i], noise, where=replaced[i])
                continue
            window = tuple(slice(pad[i], pad[i] + n) for n in planes.shape[1:])
            noise[window] = np.where(replaced[i], noise[window], planes[i])
            one = slice(i, i + 1)
            places = x[one] + pad[i], y[one] + pad[i], side[one]
            padded[i] = resample_many(noise[None], *places, shape)[0]
        stamps = squares.of(clean)
        for i, stamp in padded.items():
            stamps[i] = stamp
        layers.append(_stretched(stamps, inside, config))
    return np.stack(layers, axis=-1)


def _beyond(window, x, y, side):
    """Pixels by which the stamps reach beyond the window, at its worst edge."""
    ny, nx = window
    # two more: the kernel is wider than a pixel of the stamp
    reach = side / 2 + 2 * np.maximum(1.0, side / 45)
    beyond = np.max([reach - x, reach - y, reach + x - nx, reach + y - ny], axis=0)
    return np.maximum(0, np.ceil(beyond)).astype(int)


def _reached(pixels, x, y, side, shape):
    """Whether any of the pixels are where the stamps see them."""
    reach = side / 2 + np.maximum(1.0, side / shape)
    _, ny, nx = pixels.shape
    top, left = (np.floor(np.maximum(c - reach, 0)).astype(int) for c in (y, x))
    bottom, right = (np.ceil(c + reach).astype(int) + 1 for c in (y, x))
    boxes = zip(top, bottom, left, right, strict=True)
    return np.array(
        [pixels[i, a:b, c:d].any() for i, (a, b, c, d) in enumerate(boxes)], bool
    )


def _bands(stack, targets, rows):
    if stack.data.ndim == 3 or stack.data.shape[3] == 1:
        yield (
            targets.planes if len(rows) == len(targets.planes) else targets.planes[rows]
        )
        return
    bad = targets.bad[rows]
    off = ~bad & (targets.segments[rows] == 0)
    few = counts(off) < 32
    off[few] = ~bad[few]
    flawed = np.flatnonzero(bad.any(axis=(1, 2)))
    nearest = nearest_good(bad[flawed])
    for band in np.moveaxis(stack.data, -1, 0):
        data = np.where(bad, 0, band[rows])
        sky, rms = clipped_sky(data, off)
        planes = in_sigmas(data, ~bad, sky, noise_unit(data, ~bad, sky, rms))
        if flawed.size:
            planes[flawed] = fill_from_nearest(planes[flawed], bad[flawed], nearest)
        yield planes


def _stretched(stamps, inside, config):
    inside = inside.copy()
    n, shape, _ = stamps.shape
    quarter = shape // 4
    nothing = ~inside.reshape(n, -1).any(axis=1)
    inside[nothing, quarter:-quarter, quarter:-quarter] = True
    softening = np.full(n, float(config.softening))
    if config.softening_unit == "brightness":
        softening *= _mean_brightness(stamps, config)
    # noise alone is not to be blown up to the brightness of a galaxy
    brightest = (stamps * inside).reshape(n, -1).max(axis=1).astype(float)
    brightest = np.maximum(brightest, softening)
    if config.stretch == "asinh":
        stamps = _arcsinh(stamps / softening.astype(np.float32)[:, None, None])
        brightest = np.arcsinh(brightest / softening)
    return stamps * (config.peak / brightest).astype(np.float32)[:, None, None]


def _arcsinh(values):
    """As numpy's, which takes six times as long, but for 1e-7 near zero."""
    size = np.abs(values)
    # nothing overflows: pixels are less than 1e12 sigma
    return np.copysign(np.log(size + np.sqrt(size * size + 1)), values)


def _mean_brightness(stamps, config):
    """Mean within a Petrosian radius; that of the noise where it is less."""
    axis = np.arange(stamps.shape[1]) - (stamps.shape[1] - 1) / 2
    near = np.hypot(axis, axis[:, None]) <= config.shape / config.size_factor
    light = (stamps * near).reshape(len(stamps), -1).sum(axis=1, dtype=float)
    return np.maximum(light / np.count_nonzero(near), 1.0)


def quality_flags(targets, side):
    """
    Judge how far the stamps of targets can be trusted.

    Parameters
    ----------
    targets : `~galmorph.images.measurement.Targets`
    side : `~numpy.ndarray`
        Sides of the stamps without margin, in pixels of the cutouts.

    Returns
    -------
    flags : `~numpy.ndarray` of int
        Bits of `~galmorph.core.MorphFlag` for each.
    """
    n, ny, nx = targets.planes.shape
    half = side[:, None] / 2
    near_y = abs(np.arange(ny) - targets.y[:, None]) <= half
    near_x = abs(np.arange(nx) - targets.x[:, None]) <= half
    size = near_y.sum(axis=1) * near_x.sum(axis=1)
    masked = np.zeros(n, int)
    for i in np.flatnonzero(targets.bad.any(axis=(1, 2))):
        masked[i] = np.count_nonzero(targets.bad[i][np.ix_(near_y[i], near_x[i])])
    flags = np.zeros(n, int)

    low = np.minimum(targets.x, targets.y) - side / 2
    high = np.maximum(targets.x - nx, targets.y - ny) + side / 2
    partial = (low < -0.5) | (high > -0.5) | (masked > _MOST_MASKED * size)
    flags[partial] |= int(MorphFlag.PARTIAL_STAMP)
    flags[targets.snr < _LOW_SNR] |= int(MorphFlag.LOW_SNR)
    few = (targets.area > 0) & (targets.area < _FEW_PIXELS)
    flags[few | (min(ny, nx) < _FEW_PIXELS)] |= int(MorphFlag.UNRESOLVED)
    flags[_brighter_neighbour(targets, near_y, near_x)] |= int(MorphFlag.NEIGHBOUR)
    flags[masked >= size] = int(MorphFlag.NO_DATA)
    return flags


def _brighter_neighbour(targets, near_y, near_x):
    """Whether a segment within the stamp is brighter than the target."""
    n, ny, nx = targets.planes.shape
    others = (targets.segments != 0) & ~targets.own
    pixels = np.flatnonzero(others)
    owner, place = np.divmod(pixels, ny * nx)
    row, column = np.divmod(place, nx)
    near = near_y[owner, row] & near_x[owner, column] & (targets.label != 0)[owner]
    pixels, owner = pixels[near], owner[near]
    labels = targets.segments.reshape(-1)[pixels]
    # the same label may be in several images
    order = np.lexsort((labels, owner))
    labels, owner, pixels = labels[order], owner[order], pixels[order]
    new = np.append(True, (labels[1:] != labels[:-1]) | (owner[1:] != owner[:-1]))
    which = np.cumsum(new[: len(labels)]) - 1
    flux = np.bincount(which, targets.planes.reshape(-1)[pixels])
    owner = owner[new[: len(labels)]]
    brighter = np.zeros(n, bool)
    brighter[owner[flux > targets.flux[owner]]] = True
    return brighter
