# Licensed under a 3-clause BSD style license - see licenses/LICENSE.rst
"""
Point spread functions of many telescopes, as the product of their transforms.

A telescope's mirror, the seeing, the motion of the image and the pixels each
multiply the transform of the image, so that a new point spread function for
every galaxy costs no more than the galaxy.
"""

import math
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from scipy import fft, special

__all__ = ["PUPILS", "Optics"]

PUPILS = ("round", "vanes3", "vanes4", "hexagons")
"""
Mirrors: a ring; a ring behind 3 or 4 vanes, which give 6 or 4 spikes; and the 18
hexagons of JWST behind three struts, which give six bright spikes and two faint.
"""

_ACROSS = 192  # pixels across a pupil
_STEP, _FARTHEST = 0.02, 24.0  # of the table of a Moffat profile's transform
_FINE = 64  # side of the image whose width is measured


@dataclass(frozen=True)
class Optics:
    """
    What makes a point spread function.

    Parameters
    ----------
    pupil : str
        One of ``PUPILS``.
    resolution : float
        Wavelength over the mirror's diameter, arcsec.
    bandwidth : float, optional
        Width of the filter in units of its wavelength.
    angle : float, optional
        Position angle of the pupil, degrees.
    seeing : float, optional
        Full width at half maximum of a Moffat profile, arcsec; 0 in space.
    beta : float, optional
        Index of the Moffat profile; its wings fall as the power ``2 beta``.
    blur : float, optional
        Standard deviation of a Gaussian, arcsec: guiding, diffusion of charge.
    shear : float, optional
        Ellipticity of that Gaussian.
    boxes : tuple of float, optional
        Sides of the square pixels of detector and image, arcsec.
    halo : float, optional
        Share of the light that is scattered into a wide halo.
    halo_radius : float, optional
        Scale radius of the halo, arcsec, as of `Instrument`.

    Examples
    --------
    >>> from galmorph.simulation.optics import Optics
    >>> webb = Optics("hexagons", resolution=0.063, boxes=(0.03, 0.03))
    >>> round(webb.fwhm(0.03), 3)
    0.072
    """

    pupil: str
    resolution: float
    bandwidth: float = 0.2
    angle: float = 0.0
    seeing: float = 0.0
    beta: float = 4.765
    blur: float = 0.0
    shear: float = 0.0
    boxes: tuple = ()
    halo: float = 0.0
    halo_radius: float = 0.3

    def transform(self, n, scale):
        """
        Transform of the point spread function in the layout of `numpy.fft.rfft2`.

        Parameters
        ----------
        n : int
            Side of the image in pixels.
        scale : float
            Arcseconds per pixel.

        Returns
        -------
        transform : `~numpy.ndarray`
            Shape (n, n // 2 + 1), real, float32; 1 at the origin.
        """
        fx = (np.arange(n // 2 + 1) / (n * scale)).astype(np.float32)
        fy = (np.fft.fftfreq(n) / scale).astype(np.float32)[:, None]
        # a mirror passes nothing beyond
        limit = (1 + 0.4 * self.bandwidth) / self.resolution
        passed = int(np.searchsorted(fx, limit))
        if 2 * passed >= n:
            return self.at(fx, fy)
        made = np.zeros((n, len(fx)), np.float32)
        rows = np.r_[:passed, n - passed + 1 : n]
        made[rows, :passed] = self.at(fx[:passed], fy[rows])
        return made

    def at(self, fx, fy):
        """
        Transform at any frequencies.

        Parameters
        ----------
        fx, fy : `~numpy.ndarray`
            Frequencies in cycles per arcsecond, which broadcast.

        Returns
        -------
        transform : `~numpy.ndarray`
            Real.
        """
        radius = np.sqrt(fx * fx + fy * fy)
        made = self._diffraction(fx, fy)
        if self.seeing:
            core = self.seeing / (2 * math.sqrt(2 ** (1 / self.beta) - 1))
            made = made * _moffat(radius * np.float32(core), self.beta)
        if self.blur:
            a = np.float32(2 * (math.pi * self.blur) ** 2)
            wide, narrow = np.float32(1 + self.shear), np.float32(1 - self.shear)
            made = made * np.exp(-a * ((wide * fx) ** 2 + (narrow * fy) ** 2))
        for side in self.boxes:
            made = made * np.sinc(fx * np.float32(side))
            made = made * np.sinc(fy * np.float32(side))
        if self.halo:
            share, reach = np.float32(self.halo), np.float32(self.halo_radius)
            # of a Moffat profile of index 1.5
            wide = np.exp(-2 * np.float32(np.pi) * reach * radius)
            made = made * (1 - share + share * wide)
        return made

    def _diffraction(self, fx, fy):
        # few bandwidths, so that few tables are made
        table = _otf(self.pupil, round(8 * self.bandwidth) / 8)
        angle, stretch = math.radians(self.angle), self.resolution * _ACROSS
        cosine = np.float32(stretch * math.cos(angle))
        sine = np.float32(stretch * math.sin(angle))
        half = np.float32(len(table) // 2)
        return _bilinear(table, half + fx * cosine + fy * sine, fy * cosine - fx * sine)

    def fwhm(self, scale):
        """
        Full width at half maximum.

        Parameters
        ----------
        scale : float
            Arcseconds per pixel of the image; it should be less than the width.

        Returns
        -------
        fwhm : float
            Arcseconds.
        """
        return _fwhm(self, scale)


@lru_cache(maxsize=16)
def _fwhm(optics, scale):
    step = scale / 2.5
    image = fft.fftshift(fft.irfft2(optics.transform(_FINE, step), (_FINE, _FINE)))
    middle = _FINE // 2
    side = np.arange(-20, 20)
    image = image[middle - 20 : middle + 20, middle - 20 : middle + 20]
    radius = np.hypot(side, side[:, None]).ravel()
    # the mean of the profile, and of the radius, in rings
    ring = np.rint(radius).astype(int)
    count = np.bincount(ring)
    flux = np.bincount(ring, image.ravel()) / count / image.max()
    radius = np.bincount(ring, radius) / count
    outer = int(np.argmax(flux < 0.5))
    inner = outer - 1
    share = (flux[inner] - 0.5) / (flux[inner] - flux[outer])
    return float(2 * step * (radius[inner] + share * (radius[outer] - radius[inner])))


def _bilinear(table, x, y):
    """Values of a table that holds the half of y >= 0 of an even function."""
    negative = y < 0
    x = np.where(negative, 2 * np.float32(len(table) // 2) - x, x)
    y = np.abs(y)
    x = np.clip(x, 0, np.float32(len(table) - 1.001))
    y = np.minimum(y, np.float32(table.shape[1] - 1.001))
    left, low = x.astype(np.int32), y.astype(np.int32)
    in_x, in_y = x - left, y - low
    flat, width = table.ravel(), table.shape[1]
    place = left * width + low
    first = flat[place] + in_y * (flat[place + 1] - flat[place])
    place += width
    second = flat[place] + in_y * (flat[place + 1] - flat[place])
    return first + in_x * (second - first)


@lru_cache(maxsize=32)
def _otf(pupil, bandwidth):
    """Autocorrelation of a pupil: columns for y >= 0, rows for all x."""
    otf = _autocorrelation(pupil)
    n = len(otf)
    x = (np.arange(n) - n // 2).astype(np.float32)[:, None]
    y = np.arange(n - n // 2, dtype=np.float32)
    parts = 1 + bandwidth * np.linspace(-0.4, 0.4, 5)
    made = [_bilinear(otf, n // 2 + x * p, y * p) for p in parts.astype(np.float32)]
    return np.mean(made, axis=0)


@lru_cache(maxsize=len(PUPILS))
def _autocorrelation(pupil):
    n = 2 * _ACROSS + 8
    spectrum = fft.rfft2(_pupil(pupil, n))
    otf = fft.fftshift(fft.irfft2(np.abs(spectrum) ** 2, (n, n)))
    return np.ascontiguousarray(otf[:, n // 2 :] / otf.max(), dtype=np.float32)


def _pupil(name, n):
    """Transmission of a mirror of `_ACROSS` pixels in an array of side n."""
    fine = 2  # edges are worth half a pixel
    side = (np.arange(n * fine) - (n * fine - 1) / 2) / (_ACROSS * fine / 2)
    x, y = side[None, :], side[:, None]
    if name == "hexagons":
        open_ = _hexagons(x, y) & ~_struts(x, y, (90, 210 + 30, 330 - 30), 0.03)
    else:
        radius = np.hypot(x, y)
        open_ = (radius < 1) & (radius > 0.33)
        if name != "round":
            count = int(name[-1])
            open_ &= ~_struts(x, y, 45 + 360 / count * np.arange(count), 0.024)
    return open_.reshape(n, fine, n, fine).mean(axis=(1, 3))


def _struts(x, y, angles, width):
    """Vanes from the middle outwards, of a width in radii of the mirror."""
    found = np.zeros(np.broadcast_shapes(x.shape, y.shape), bool)
    for angle in np.radians(angles):
        along = x * math.cos(angle) + y * math.sin(angle)
        across = y * math.cos(angle) - x * math.sin(angle)
        found |= (along > 0) & (np.abs(across) < width / 2)
    return found


def _hexagons(x, y):
    """The 18 mirrors of JWST, 1.32 m across flats each, 6.6 m across in all."""
    pitch = 1.32 / 3.3
    found = np.zeros(np.broadcast_shapes(x.shape, y.shape), bool)
    for i in range(-2, 3):
        for j in range(-2, 3):
            if abs(i + j) > 2 or (i == 0 and j == 0):
                continue
            dx, dy = x - pitch * math.sqrt(0.75) * i, y - pitch * (j + i / 2)
            inside = np.abs(dy) < 0.49 * pitch
            for sign in (-1, 1):
                flat = np.abs(math.sqrt(0.75) * dx + sign * 0.5 * dy)
                inside = inside & (flat < 0.49 * pitch)
            found |= inside
    return found


def _moffat(place, beta):
    """Transform of a Moffat profile; place in cycles per scale radius."""
    # few indices, so that few tables are made
    table = _moffat_table(round(4 * beta) / 4)
    place = np.minimum(
        place * np.float32(2 * math.pi / _STEP), np.float32(len(table) - 1.01)
    )
    below = place.astype(np.int32)
    low = table[below]
    return low + (place - below) * (table[below + 1] - low)


@lru_cache(maxsize=32)
def _moffat_table(beta):
    k = np.arange(1, round(_FARTHEST / _STEP)) * _STEP
    # Matern's function, the transform of (1 + r^2)^-beta
    values = k ** (beta - 1) * special.kv(beta - 1, k)
    values *= 2 ** (2 - beta) / special.gamma(beta - 1)
    return np.append(1.0, values).astype(np.float32)
