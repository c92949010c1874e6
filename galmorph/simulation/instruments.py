# Licensed under a 3-clause BSD style license - see licenses/LICENSE.rst
"""
What a camera does to a galaxy: pixels, point spread function and noise.
"""

from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from scipy import ndimage

from galmorph.core import import_optional

__all__ = ["WFC3_F160W", "Instrument"]


@dataclass(frozen=True)
class Instrument:
    """
    A camera and filter, as the simulation knows them.

    Parameters
    ----------
    name : str
        Name for the tables.
    pixel_scale : float
        Arcseconds per pixel of the image.
    zero_point : float
        AB magnitude of one electron per second.
    diameter : float
        Diameter of the telescope's mirror in metres.
    obscuration : float
        Diameter of the secondary mirror in units of the primary's.
    wavelengths : tuple of float
        Wavelengths in nanometres whose PSFs are averaged over the filter.
    detector_scale : float
        Arcseconds per pixel of the detector, whose pixels widen the PSF.
    jitter : float
        Standard deviation in arcseconds of a Gaussian for what else widens
        the PSF: guiding, diffusion of charge, resampling.
    rms_range : tuple of float
        Least and greatest standard deviation of the noise per pixel, in
        electrons per second; the depth of an image lies between them.
    neighbour_weight : float
        Weight of the pixels beside a pixel in the kernel (w, 1, w) that
        correlates the noise, on both axes.

    Examples
    --------
    >>> from galmorph.simulation import WFC3_F160W
    >>> WFC3_F160W.pixel_scale
    0.06
    """

    name: str
    pixel_scale: float
    zero_point: float
    diameter: float
    obscuration: float
    wavelengths: tuple
    detector_scale: float
    jitter: float
    rms_range: tuple
    neighbour_weight: float

    @property
    def psf_fwhm(self):
        """Full width at half maximum of the PSF in arcseconds."""
        return _psf_fwhm(self)

    def psf(self):
        """
        The point spread function, the image's pixel included.

        Returns
        -------
        psf : `galsim.InterpolatedImage`
            With a flux of one.
        """
        return _psf(self)[0]

    def psf_kernel(self, oversampling):
        """
        The point spread function on a fine grid.

        Parameters
        ----------
        oversampling : int
            Number of fine pixels across a pixel of the image.

        Returns
        -------
        kernel : `~numpy.ndarray`
            Square array with an odd side and a sum of one.
        """
        return _psf_kernel(self, oversampling)

    def noise(self, shape, rms, random):
        """
        Normal noise, correlated as in a drizzled image.

        Parameters
        ----------
        shape : tuple of int
            Shape of the image.
        rms : float
            Standard deviation of a pixel.
        random : `numpy.random.Generator`

        Returns
        -------
        noise : `~numpy.ndarray`
            Array of ``shape``, float64.

        Examples
        --------
        >>> import numpy as np
        >>> from galmorph.simulation import WFC3_F160W
        >>> noise = WFC3_F160W.noise((200, 200), 0.01, np.random.default_rng(1))
        >>> round(float(noise.std()), 3)
        0.01
        """
        kernel = np.array([self.neighbour_weight, 1, self.neighbour_weight])
        kernel /= np.sqrt(np.sum(kernel**2))
        noise = random.normal(scale=rms, size=shape)
        for axis in (0, 1):
            noise = ndimage.correlate1d(noise, kernel, axis=axis, mode="wrap")
        return noise


@lru_cache(maxsize=8)
def _psf(instrument):
    galsim = import_optional("galsim", "sim")
    optics = galsim.Sum(
        [
            galsim.OpticalPSF(
                lam=wavelength,
                diam=instrument.diameter,
                obscuration=instrument.obscuration,
                nstruts=4,
                strut_thick=0.03,
                strut_angle=45 * galsim.degrees,
                flux=1 / len(instrument.wavelengths),
            )
            for wavelength in instrument.wavelengths
        ]
    )
    profile = galsim.Convolve(
        optics,
        galsim.Gaussian(sigma=instrument.jitter),
        galsim.Pixel(instrument.detector_scale),
        galsim.Pixel(instrument.pixel_scale),
    )
    image = profile.drawImage(
        nx=257, ny=257, scale=instrument.pixel_scale / 2, method="no_pixel"
    )
    return galsim.InterpolatedImage(image, flux=1.0), image.calculateFWHM()


def _psf_fwhm(instrument):
    return float(_psf(instrument)[1])


@lru_cache(maxsize=8)
def _psf_kernel(instrument, oversampling):
    side = 32 * oversampling + 1
    kernel = (
        _psf(instrument)[0]
        .drawImage(
            nx=side,
            ny=side,
            scale=instrument.pixel_scale / oversampling,
            method="no_pixel",
        )
        .array.astype(float)
    )
    return kernel / kernel.sum()


WFC3_F160W = Instrument(
    name="WFC3/IR F160W",
    pixel_scale=0.06,
    zero_point=25.946,
    diameter=2.4,
    obscuration=0.33,
    wavelengths=(1430.0, 1530.0, 1650.0),
    detector_scale=0.128,
    # with it the FWHM is 0.19 arcsec; stars of CANDELS have 0.18 to 0.20
    jitter=0.035,
    # empty sky of CANDELS GOODS-S has 0.004 to 0.009, of the XDF 0.0004 to 0.002
    rms_range=(0.0008, 0.009),
    # gives 0.54, 0.29 and 0.09 for neighbours, diagonal and second neighbours;
    # the empty sky of XDF and CANDELS mosaics has 0.55, 0.28 and 0.10
    neighbour_weight=0.33,
)
"""HST WFC3/IR F160W drizzled to 60 mas, as in CANDELS."""
