# Licensed under a 3-clause BSD style license - see licenses/LICENSE.rst
"""
Made stars, compact sources and galaxies of every camera.

A saturated star loses its core in one of the ways that cameras know: a flat top,
pixels without a value, pixels of zero, or charge that bleeds along the columns.
Half of the stars of NIRCam have the six spikes of a hexagonal mirror.
"""

from functools import lru_cache

import galsim
import numpy as np
from astropy.table import Table

from galmorph.simulation import INSTRUMENTS, simulate_galaxies
from galmorph.simulation.population import draw_neighbour
from galmorph.simulation.rendering import add_object
from galmorph.simulation.scenes import add_noise

__all__ = ["LOSSES", "drawn", "hexagonal", "noisy", "point_sources"]

LOSSES = ("flat", "missing", "zero", "bleeding")
"""What becomes of a saturated core."""

# of each camera
_NUMBERS = {"star, faint": 20, "star, bright": 20, "star, saturated": 28, "compact": 20}
_GALAXIES = 60


@lru_cache(maxsize=4)
def hexagonal(camera):
    """The camera with the PSF of a hexagonal mirror held by three struts."""
    scale = camera.pixel_scale / 2  # arcsec
    n, psf = 1024, 0.0
    for wavelength in camera.wavelengths:
        # metres of the pupil to a pixel, so that all wavelengths share one scale
        step = wavelength * 1e-9 / (n * np.radians(scale / 3600))
        y, x = (np.mgrid[:n, :n] - n / 2) * step
        across = [abs(x * np.cos(a) + y * np.sin(a)) for a in np.radians([0, 60, 120])]
        pupil = np.max(across, axis=0) < 3.1
        pupil &= np.max(across, axis=0) > 0.7
        pupil &= ~((abs(x) < 0.08) & (y > 0))
        for angle in np.radians([240, 300]):
            along = x * np.cos(angle) + y * np.sin(angle)
            beside = x * np.sin(angle) - y * np.cos(angle)
            pupil &= ~((abs(beside) < 0.08) & (along > 0))
        field = np.fft.fftshift(np.fft.fft2(np.fft.ifftshift(pupil.astype(float))))
        psf = psf + abs(field) ** 2
    psf = psf[320:-319, 320:-319]
    # the detector's pixel
    psf = (psf + np.roll(psf, 1, 0)) / 2
    psf = (psf + np.roll(psf, 1, 1)) / 2
    return camera.with_psf(image=psf / psf.sum(), scale=scale)


def _lose_core(image, x, y, loss, random):
    """The image of a star whose core the detector could not hold."""
    ny, nx = image.shape
    radius = np.hypot(np.arange(ny)[:, None] - y, np.arange(nx) - x)
    reach = np.exp(random.uniform(np.log(1.0), np.log(5.0)))
    edge = image[(radius > reach - 0.5) & (radius < reach + 1.0)]
    level = np.median(edge)
    full = image > level
    full &= radius < 3 * reach + 3
    if loss == "flat":
        return np.where(full, level, image)
    if loss == "missing":
        return np.where(full, np.nan, image)
    if loss == "zero":
        return np.where(full, 0.0, image)
    excess = np.where(full, image - level, 0).sum(axis=0)
    bled = np.where(full, level, image)
    middle = round(y)
    for column in np.flatnonzero(excess > 0):
        length = int(min(excess[column] / level / 2, 20 * reach, ny))
        low, high = max(middle - length, 0), min(middle + length + 1, ny)
        bled[low:high, column] = np.maximum(bled[low:high, column], level)
    return bled


def noisy(image, camera, random):
    """The image with the noise of sky and photons in one of the camera's surveys."""
    _, times, shares = zip(*camera.depths, strict=True)
    time = random.choice(times, p=shares) * random.lognormal(0, 0.4)
    rms = camera.sky_rms(time)
    return add_noise(image, camera, rms, random), rms


def drawn(camera, magnitude, radius, side, x, y):
    """
    A point, or a compact galaxy of some radius, without noise.

    Sampled by GalSim in real space: cameras that undersample their PSF alias it.
    """
    profile = camera.psf()
    if radius:
        galaxy = galsim.Sersic(n=3, half_light_radius=radius)
        profile = galsim.Convolve([profile, galaxy])
    image = profile.drawImage(
        nx=side,
        ny=side,
        scale=camera.pixel_scale,
        offset=(x - (side - 1) / 2, y - (side - 1) / 2),
        method="no_pixel",
    )
    return 10 ** (-0.4 * (magnitude - camera.zero_point)) * image.array.astype(float)


def _point_source(kind, camera, random):
    """One image of a point source, and what is known of it."""
    bright, faint = camera.magnitudes
    low, high = {
        "star, faint": (bright + 2.0, faint - 1.5),
        "compact": (bright + 2.0, faint - 1.5),
        "star, bright": (bright - 2.0, bright + 1.5),
        "star, saturated": (bright - 2.5, bright + 1.0),
    }[kind]
    magnitude = random.uniform(low, high)
    # unresolved: no more than a third of the PSF's width
    radius = camera.psf_fwhm * random.uniform(0.05, 0.33) if kind == "compact" else 0
    side = 96 if kind in ("star, faint", "compact") else 176
    six = camera.name.startswith("NIRCam") and random.random() < 0.5
    x, y = (side - 1) / 2 + random.normal(scale=0.7, size=2)
    own = drawn(hexagonal(camera) if six else camera, magnitude, radius, side, x, y)
    image = own.copy()
    # about the galaxies around those that are simulated
    density = 0.06 * 10 ** (0.26 * (faint - 25))
    for _ in range(random.poisson(density * (side * camera.pixel_scale) ** 2)):
        x2, y2 = random.uniform(0, side, 2)
        if np.hypot(x2 - x, y2 - y) * camera.pixel_scale > 4 * camera.psf_fwhm:
            add_object(
                image, draw_neighbour(random, camera.magnitudes), camera, x2, y2, random
            )
    image, rms = noisy(image, camera, random)
    loss = ""
    if kind == "star, saturated":
        loss = str(random.choice(LOSSES))
        image = _lose_core(image, x, y, loss, random)
    row = {"kind": kind, "loss": loss, "magnitude": magnitude}
    row["snr"] = float(own.sum() / (rms * np.sqrt((own > rms).sum() + 9)))
    return image.astype(np.float32), row


def point_sources(seed):
    """
    Stars, compact sources and resolved galaxies; every second one as a picture.

    Parameters
    ----------
    seed : int

    Returns
    -------
    name : str
    images : list of `~numpy.ndarray`
    table : `~astropy.table.Table`
        ``kind``, ``camera``, ``loss`` of the core, and ``stretched``.
    scales : list of float
        Arcseconds per pixel, NaN of pictures.
    """
    from sets import display

    images, rows, scales = [], [], []
    for number, (name, camera) in enumerate(INSTRUMENTS.items()):
        random = np.random.default_rng(seed + number)
        found = []
        for kind, n in _NUMBERS.items():
            found += [_point_source(kind, camera, random) for _ in range(n)]
        found += _galaxies(camera, seed + 50 + number)
        for i, (image, row) in enumerate(found):
            stretched = i % 2 == 1
            images.append(display(image, random) if stretched else image)
            rows.append({**row, "camera": name, "stretched": stretched})
            scales.append(np.nan if stretched else camera.pixel_scale)
    return "point_sources", images, Table(rows), scales


def _galaxies(camera, seed):
    """Galaxies that the camera resolves."""
    made = simulate_galaxies(5 * _GALAXIES // 2, seed=seed, instrument=camera)
    table = made.table
    radius = table["half_light_radius"].to_value("arcsec")
    radius = radius * np.sqrt(np.asarray(table["axis_ratio"]))
    resolved = radius > 0.5 * camera.psf_fwhm
    kinds = np.asarray(table["kind"])
    resolved &= np.isin(kinds, ("spheroid", "disk", "irregular", "merger"))
    resolved &= np.asarray(table["seen_signal"]) > 0.3
    return [
        (
            np.asarray(made.cutouts[i].data),
            {
                "kind": f"galaxy, {kinds[i]}",
                "loss": "",
                "magnitude": float(table["magnitude"][i].value),
                "snr": np.nan,
            },
        )
        for i in np.flatnonzero(resolved)[:_GALAXIES]
    ]
