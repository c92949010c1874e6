# Licensed under a 3-clause BSD style license - see licenses/LICENSE.rst
"""
What a camera does to a galaxy: pixels, point spread function and noise.
"""

from dataclasses import dataclass, replace
from functools import lru_cache

import numpy as np
from scipy import fft, ndimage

from galmorph.core import ConfigurationError, import_optional
from galmorph.simulation.optics import Optics

__all__ = ["WFC3_F160W", "Instrument", "PSFImage"]


class PSFImage:
    """
    An image of a point spread function; equal where all pixels are.

    Parameters
    ----------
    data : `~numpy.ndarray`
        Two-dimensional image with the peak in the middle.
    scale : float
        Arcseconds per pixel.

    Examples
    --------
    >>> import numpy as np
    >>> from galmorph.simulation import PSFImage
    >>> PSFImage(np.eye(3), 0.03) == PSFImage(np.eye(3), 0.03)
    True
    """

    def __init__(self, data, scale):
        self.data, self.scale = data, scale
        self._key = (data.tobytes(), data.shape, scale)
        self._hash = hash(self._key)

    def __eq__(self, other):
        return isinstance(other, PSFImage) and self._key == other._key

    def __hash__(self):
        return self._hash


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
    sky : float
        Sky, thermal and dark signal per detector pixel, electrons per second.
    read_noise : float
        Electrons per detector pixel and readout.
    readout : float
        Exposure time of a readout in seconds.
    depths : tuple of (str, float, float)
        Surveys that are simulated: name, typical exposure time in seconds and
        share.
    neighbour_weight : float
        Weight of the pixels beside a pixel in the kernel (w, 1, w) that
        correlates the noise, on both axes.
    magnitudes : tuple of float, optional
        Brightest and faintest magnitude of the galaxies that are simulated.
    halo : float, optional
        Share of the light that is scattered into a wide halo.
    halo_radius : float, optional
        Scale radius of the halo in arcseconds, a Moffat profile whose wings fall
        as the third power.
    fwhm : float, optional
        Full width at half maximum of the PSF in the image, in arcseconds. Where
        it is given it stands for all of optics, detector and jitter, as with
        the seeing on the ground.
    psf_image : `PSFImage`, optional
        The PSF itself; see `with_psf`.
    optics : `~galmorph.simulation.optics.Optics`, optional
        What makes the PSF, in place of ``diameter``, ``jitter`` and the others.
    pixfrac : float, optional
        Where images are drizzled from dithered exposures, the side of the drops in
        pixels of the detector; they widen the PSF too.
    exposure : float, optional
        Exposure time in seconds of one of these.
    on_detector : bool, optional
        Whether the PSF is that which falls on the detector's pixels, without what
        drizzling adds; see `before_drizzling`.

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
    sky: float
    read_noise: float
    readout: float
    depths: tuple
    neighbour_weight: float
    magnitudes: tuple = (18.0, 25.0)
    halo: float = 0.0
    halo_radius: float = 0.36
    fwhm: float = 0.0
    psf_image: "PSFImage | None" = None
    optics: Optics | None = None
    pixfrac: float = 0.0
    exposure: float = 0.0
    on_detector: bool = False

    def with_psf(self, *, fwhm=None, image=None, scale=None):
        """
        The same instrument with another point spread function.

        Parameters
        ----------
        fwhm : float, optional
            Full width at half maximum in arcseconds, in the image.
        image : array_like, optional
            Image of the PSF, two-dimensional, with the peak in the middle.
        scale : float, optional
            Arcseconds per pixel of ``image``; as of the instrument's images
            where it is not given.

        Returns
        -------
        instrument : `Instrument`

        Raises
        ------
        ConfigurationError
            If not exactly one of both is given, or it is no PSF.

        Examples
        --------
        >>> from galmorph.simulation import WFC3_F160W
        >>> round(WFC3_F160W.with_psf(fwhm=0.3).psf_fwhm, 1)
        0.3
        """
        if (fwhm is None) == (image is None):
            raise ConfigurationError("fwhm, image: give one of both for the PSF")
        if fwhm is not None:
            if not fwhm > 0:
                raise ConfigurationError(f"fwhm: found {fwhm!r}; it must be positive")
            return replace(
                self, fwhm=float(fwhm), psf_image=None, optics=None, pixfrac=0.0
            )
        image = np.array(image, dtype=np.float32)
        if image.ndim != 2 or not np.isfinite(image).all() or not image.sum() > 0:
            raise ConfigurationError(
                f"image: found an array of shape {image.shape}; a PSF has two"
                " dimensions, finite values and a positive sum"
            )
        scale = self.pixel_scale if scale is None else float(scale)
        psf_image = PSFImage(image, scale)
        return replace(self, psf_image=psf_image, optics=None, pixfrac=0.0)

    def before_drizzling(self):
        """
        The same instrument with the PSF that its detector samples.

        Returns
        -------
        instrument : `Instrument`
            With the pixels of the images, but without the blurring by them and by
            the drops; the same one where images are not drizzled.

        Examples
        --------
        >>> from galmorph.simulation import WFC3_F160W
        >>> WFC3_F160W.before_drizzling().psf_fwhm < WFC3_F160W.psf_fwhm
        True
        """
        if not self.pixfrac:
            return self
        optics = self.optics
        if optics is not None:
            optics = replace(optics, boxes=optics.boxes[:1])
        return replace(self, optics=optics, pixfrac=0.0, on_detector=True)

    @property
    def detector_step(self):
        """Side of the detector's pixels in those of the image."""
        return self.detector_scale / self.pixel_scale

    @property
    def psf_fwhm(self):
        """Full width at half maximum of the PSF in arcseconds."""
        if self.optics is not None:
            return self.optics.fwhm(self.pixel_scale)
        return _psf_fwhm(self)

    @property
    def undersampled(self):
        """Whether images are drawn on finer pixels, of which some are kept."""
        return self.optics is not None and self.psf_fwhm < 2.2 * self.pixel_scale

    def psf_transform(self, n, scale):
        """
        Transform of the PSF in the layout of `numpy.fft.rfft2`.

        Parameters
        ----------
        n : int
            Side of the image in pixels.
        scale : float
            Arcseconds per pixel of the image.

        Returns
        -------
        transform : `~numpy.ndarray`
            Array of shape (n, n // 2 + 1).
        """
        if self.optics is not None:
            return self.optics.transform(n, scale)
        galsim = import_optional("galsim", "sim")
        half = n // 2
        bounds = galsim.BoundsI(0, half, -half, half - 1)
        image = galsim.ImageCD(bounds, scale=2 * np.pi / (n * scale))
        self.psf().drawKImage(image=image, recenter=False)
        return np.roll(image.array, half, axis=0).astype(np.complex64)

    def psf(self):
        """
        The point spread function, the image's pixel included.

        Returns
        -------
        psf : `galsim.InterpolatedImage`
            With a flux of one.
        """
        return _psf(self)[0]

    @property
    def noise_correlation(self):
        """Noise of large areas over what the noise of pixels would give."""
        weight = self.neighbour_weight
        return (1 + 2 * weight) ** 2 / (1 + 2 * weight**2)

    def sky_rms(self, exposure_time):
        """
        Standard deviation of empty pixels.

        Parameters
        ----------
        exposure_time : float
            Seconds.

        Returns
        -------
        rms : float
            Electrons per second.

        Examples
        --------
        >>> from galmorph.simulation import WFC3_F160W
        >>> round(WFC3_F160W.sky_rms(2000), 4), round(WFC3_F160W.sky_rms(236e3), 5)
        (0.0047, 0.00044)
        """
        return float(np.sqrt(self._variance / exposure_time))

    def exposure_time(self, rms):
        """
        Exposure time of an image, as `sky_rms` inverted.

        Parameters
        ----------
        rms : float
            Standard deviation of empty pixels, electrons per second.

        Returns
        -------
        exposure_time : float
            Seconds.
        """
        return float(self._variance / rms**2)

    @property
    def _variance(self):
        """Variance of a pixel after one second."""
        area = (self.pixel_scale / self.detector_scale) ** 2
        signal = self.sky + self.read_noise**2 / self.readout
        return area * signal / self.noise_correlation**2

    def noise(self, shape, rms, random):
        """
        Normal noise, correlated as in a drizzled image.

        Parameters
        ----------
        shape : tuple of int
            Shape of the image.
        rms : float or `~numpy.ndarray`
            Standard deviation of a pixel; an array of ``shape`` where it varies.
        random : `numpy.random.Generator`

        Returns
        -------
        noise : `~numpy.ndarray`
            Array of ``shape``, float32.

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
        noise = random.standard_normal(shape, dtype=np.float32)
        noise *= np.asarray(rms, np.float32)
        for axis in (0, 1):
            noise = ndimage.correlate1d(noise, kernel, axis=axis, mode="wrap")
        return noise


@lru_cache(maxsize=8)
def _psf(instrument):
    galsim = import_optional("galsim", "sim")
    scale = instrument.pixel_scale
    if instrument.psf_image is not None:
        given = galsim.Image(
            instrument.psf_image.data, scale=instrument.psf_image.scale
        )
        profile = galsim.InterpolatedImage(given, flux=1.0)
    elif instrument.fwhm:
        # a Moffat profile of index 4.765 is what turbulence gives (Trujillo et al.
        # 2001, MNRAS 328, 977)
        profile = galsim.Moffat(beta=4.765, fwhm=instrument.fwhm)
    elif instrument.optics is not None:
        n = 385 + 1
        drawn = fft.irfft2(instrument.psf_transform(n, scale / 2), (n, n))
        given = galsim.Image(fft.fftshift(drawn)[1:, 1:], scale=scale / 2)
        profile = galsim.InterpolatedImage(given, flux=1.0)
    else:
        profile = _optics(instrument)
    image = profile.drawImage(nx=385, ny=385, scale=scale / 2, method="no_pixel")
    return galsim.InterpolatedImage(image, flux=1.0), image.calculateFWHM()


def _optics(instrument):
    """What the telescope and the detector make of a point."""
    galsim = import_optional("galsim", "sim")
    optics = galsim.Sum(
        [
            galsim.OpticalPSF(
                lam=wavelength,
                diam=instrument.diameter,
                obscuration=instrument.obscuration,
                nstruts=4,
                strut_thick=0.012,
                strut_angle=45 * galsim.degrees,
                flux=1 / len(instrument.wavelengths),
            )
            for wavelength in instrument.wavelengths
        ]
    )
    parts = [optics, galsim.Pixel(instrument.detector_scale)]
    if not instrument.on_detector:
        parts.append(galsim.Pixel(instrument.pixel_scale))
    if instrument.pixfrac:
        parts.append(galsim.Pixel(instrument.pixfrac * instrument.detector_scale))
    if instrument.jitter:
        parts.append(galsim.Gaussian(sigma=instrument.jitter))
    profile = galsim.Convolve(parts)
    if instrument.halo:
        halo = galsim.Moffat(beta=1.5, scale_radius=instrument.halo_radius)
        profile = (1 - instrument.halo) * profile + instrument.halo * halo
    return profile


def _psf_fwhm(instrument):
    return float(_psf(instrument)[1])


WFC3_F160W = Instrument(
    name="WFC3/IR F160W",
    pixel_scale=0.06,
    zero_point=25.946,
    diameter=2.4,
    obscuration=0.33,
    wavelengths=(1430.0, 1530.0, 1650.0),
    detector_scale=0.128,
    # with it the core is that of the star beside the XDF, less the 2 % by which
    # stars so bright are wider (Finner et al. 2023)
    jitter=0.035,
    # zodiacal light, glow of the telescope and dark current, and read noise of a
    # fitted ramp (WFC3 Instrument Handbook); with them the empty sky has 0.0047
    # after 2 ks and 0.00044 after the XDF's 236 ks; measured on the mosaics:
    # 0.0042 to 0.0074 in GOODS-S and 0.00042 in the XDF
    sky=0.9,
    read_noise=12.0,
    readout=1000.0,
    # orbits of Grogin et al. 2011 (ApJS 197, 35) and Illingworth et al. 2013
    depths=(
        ("wide", 1600.0, 0.45),
        ("deep", 5000.0, 0.40),
        ("hudf", 1.2e5, 0.15),
    ),
    # gives 0.54, 0.29 and 0.09 for neighbours, diagonal and second neighbours;
    # the empty sky of XDF and CANDELS mosaics has 0.54, 0.28 and 0.10
    neighbour_weight=0.33,
    # with it the wings are those of the star in the XDF, 0.3 to 2.4 arcsec away
    halo=0.12,
    # as the headers of CANDELS mosaics say
    pixfrac=0.8,
    exposure=550.0,
)
"""HST WFC3/IR F160W drizzled to 60 mas, as in CANDELS."""
