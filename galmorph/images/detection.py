# Licensed under a 3-clause BSD style license - see licenses/LICENSE.rst
"""
Sources in an image: background, threshold, segmentation, deblending, catalogue.
"""

from dataclasses import asdict, dataclass, fields

import numpy as np
from astropy import units as u
from astropy.nddata import NDData
from astropy.stats import gaussian_fwhm_to_sigma, sigma_clipped_stats
from astropy.table import QTable
from scipy.ndimage import binary_dilation, gaussian_filter

from galmorph.core import ConfigurationError
from galmorph.images import _photutils
from galmorph.images.deblending import deblend_segments
from galmorph.images.nddata import as_nddata

__all__ = ["Detection", "DetectionConfig", "detect_sources"]

# the most pixels that the noise of the smoothed image is measured on
_NOISE_SAMPLE = 1_000_000

# name: (unit, or 'flux' for that of the image; description)
_COLUMNS = {
    "label": (None, "Label in the segmentation"),
    "x_centroid": (None, "Centroid in x, 0-based pixels"),
    "y_centroid": (None, "Centroid in y, 0-based pixels"),
    "area": (u.pix**2, "Area of the segment"),
    "semimajor_axis": (u.pix, "1-sigma length of the semimajor axis"),
    "semiminor_axis": (u.pix, "1-sigma length of the semiminor axis"),
    "orientation": (u.deg, "Angle of the major axis, from x towards y"),
    "ellipticity": (None, "1 - semiminor_axis / semimajor_axis"),
    "half_light_radius": (u.pix, "Radius of the circle with half of the Kron flux"),
    "kron_radius": (None, "Kron radius in units of the semimajor axis"),
    "kron_flux": ("flux", "Flux within 2.5 Kron radii"),
    "kron_flux_err": ("flux", "Error of kron_flux"),
    "segment_flux": ("flux", "Flux within the segment"),
    "segment_flux_err": ("flux", "Error of segment_flux"),
    "snr": (None, "segment_flux / segment_flux_err"),
    "bbox_xmin": (None, "First column of the segment"),
    "bbox_xmax": (None, "Last column of the segment"),
    "bbox_ymin": (None, "First row of the segment"),
    "bbox_ymax": (None, "Last row of the segment"),
    "touches_edge": (None, "Whether the segment reaches the edge of the image"),
}
_INTEGERS = ("label", "bbox_xmin", "bbox_xmax", "bbox_ymin", "bbox_ymax")


@dataclass(frozen=True)
class DetectionConfig:
    """
    Parameters of the detection of sources.

    The defaults were chosen on deep HST WFC3/IR F160W images with pixels of
    0.06 arcsec (FWHM of the PSF about 3 pixels), so that every galaxy that is
    bright enough to be classified is found, also beside a bright star, and the
    negative of the image has no detections.

    Parameters
    ----------
    n_sigma : float, optional
        Threshold in units of the noise of the *smoothed* image. That noise is
        measured, so it holds for drizzled images too, whose pixels are
        correlated.
    n_pixels : int, optional
        The least number of connected pixels of a source.
    smoothing_fwhm : float, optional
        FWHM, in pixels, of the Gaussian that the image is smoothed with for
        the detection; best about that of the PSF. 0 does not smooth.
    box_size : int, optional
        Side, in pixels, of the boxes in which the background is measured. The
        nearest size that divides the image evenly is used, the whole image
        where it is smaller.
    filter_size : int, optional
        Side, in boxes, of the median filter over the background; odd.
    deblend : bool, optional
        Separate sources that touch.
    n_levels : int, optional
        Number of thresholds of the deblending.
    contrast : float, optional
        The least fraction of the flux of a segment that a peak must have to
        become a source of its own; 0 to 1. Larger values leave faint galaxies
        with the bright star or galaxy that they touch, smaller ones cut the
        outskirts of very large galaxies into pieces.

    Raises
    ------
    ConfigurationError
        If a value is out of its range.

    Examples
    --------
    >>> from galmorph.images import DetectionConfig
    >>> DetectionConfig(n_sigma=5).n_sigma
    5
    """

    n_sigma: float = 4.0
    n_pixels: int = 8
    smoothing_fwhm: float = 3.0
    box_size: int = 128
    filter_size: int = 3
    deblend: bool = True
    n_levels: int = 32
    contrast: float = 0.001

    def __post_init__(self):
        checks = {
            "n_sigma": (self.n_sigma > 0, "greater than 0"),
            "n_pixels": (self.n_pixels >= 1, "at least 1"),
            "smoothing_fwhm": (self.smoothing_fwhm >= 0, "at least 0"),
            "box_size": (self.box_size >= 1, "at least 1"),
            "filter_size": (self.filter_size % 2 == 1, "an odd number"),
            "n_levels": (self.n_levels >= 1, "at least 1"),
            "contrast": (0 <= self.contrast <= 1, "between 0 and 1"),
        }
        for name, (good, expected) in checks.items():
            if not good:
                raise ConfigurationError(
                    f"{name}: found {getattr(self, name)!r}; it must be {expected}"
                )

    def to_dict(self):
        """
        The parameters as plain data for JSON.

        Returns
        -------
        config : dict
        """
        return asdict(self)

    @classmethod
    def from_dict(cls, config):
        """
        Make the parameters from what `to_dict` returned.

        Parameters
        ----------
        config : dict
            Parameters by name; those that are left out take their defaults.

        Returns
        -------
        config : `DetectionConfig`

        Raises
        ------
        ConfigurationError
            If there is a name that is no parameter, or a value out of range.

        Examples
        --------
        >>> from galmorph.images import DetectionConfig
        >>> DetectionConfig.from_dict({"deblend": False}).deblend
        False
        """
        known = [field.name for field in fields(cls)]
        unknown = sorted(set(config) - set(known))
        if unknown:
            raise ConfigurationError(
                f"detection: there is no parameter {unknown}; known are {known}"
            )
        return cls(**config)


@dataclass
class Detection:
    """
    The sources of an image.

    Parameters
    ----------
    catalog : `~astropy.table.QTable`
        One row per source, in the order of the labels.
    segmentation : `~numpy.ndarray` of int32
        Map of shape (ny, nx) with the label of each pixel's source, 0 for sky.
    background : `~numpy.ndarray`
        Background of shape (ny, nx), in the image's unit.
    rms : `~numpy.ndarray`
        Standard deviation of each pixel's noise: the image's uncertainty, or
        where it has none the measured noise of the background.
    image : `~astropy.nddata.NDData`
        The image.
    """

    catalog: QTable
    segmentation: np.ndarray
    background: np.ndarray
    rms: np.ndarray
    image: NDData


def detect_sources(image, config=None, *, progress=False):
    """
    Find, separate and measure the sources of an image.

    The background is measured twice, the second time without the sources
    found after the first. Pixels of the smoothed image belong to a source if
    they exceed ``config.n_sigma`` times its noise; its noise is that of the
    single pixels (the image's uncertainty, or the noise of the background)
    times one factor, which is measured on the sky.

    Parameters
    ----------
    image : `~astropy.nddata.NDData`, `~numpy.ndarray`, HDU, path, ...
        Anything that `~galmorph.images.as_nddata` takes, of shape (ny, nx), or
        `~astropy.nddata.NDData` with several bands, of shape (ny, nx, bands):
        the mean of the bands is used. Its mask is respected, its uncertainty is
        the error map.
    config : `DetectionConfig`, optional
        Parameters.
    progress : bool, optional
        Show progress bars while measuring, where tqdm is
        installed.

    Returns
    -------
    detection : `Detection`
        The catalogue has ``label``, the centroid in 0-based pixels,
        ``sky_centroid`` where the image has a WCS, sizes and shape in pixels,
        fluxes and their errors in the image's unit, ``snr``, the bounding box
        (inclusive) and ``touches_edge``. An image without sources, or without
        a single good pixel, has a catalogue with the same columns and no row.

    Raises
    ------
    ImageError
        If the image cannot be used.

    Notes
    -----
    Errors of the fluxes are the sum over pixels in quadrature. Where the
    uncertainty does not allow for the correlated noise of a drizzled image, or
    where there is no uncertainty, ``snr`` is too high (about twice in F160W
    mosaics with pixels of 0.06 arcsec).

    Examples
    --------
    >>> import numpy as np
    >>> from galmorph.images import detect_sources
    >>> y, x = np.mgrid[:60, :80]
    >>> sky = np.random.default_rng(1).normal(size=(60, 80))
    >>> galaxy = 100 * np.exp(-((x - 50) ** 2 + (y - 30) ** 2) / 18)
    >>> catalog = detect_sources(sky + galaxy).catalog
    >>> len(catalog), round(catalog["x_centroid"][0]), round(catalog["y_centroid"][0])
    (1, 50, 30)
    """
    config = DetectionConfig() if config is None else config
    if isinstance(image, NDData) and np.ndim(image.data) == 3:
        image = as_nddata(image, band_axis=-1)
    else:
        image = as_nddata(image)
    data, error, bad, scale = _plane(image)
    background, rms, segmentation = _segment(data, error, bad, config)
    measured = _photutils.measure_segments(
        data - background, segmentation, error=rms, mask=bad, progress=progress
    )
    catalog = _catalog(measured, scale, image)
    catalog.meta["galmorph"] = {"detection": config.to_dict()}
    return Detection(catalog, segmentation, background * scale, rms * scale, image)


def _plane(image):
    """Give data, error or None, bad pixels and flux scale of the mean of the bands."""
    data, bad = image.data, image.mask
    error = None if image.uncertainty is None else image.uncertainty.array
    if data.ndim == 3:
        n_bands = data.shape[-1]
        if error is not None and error.ndim == 3:
            error = (
                np.sqrt(np.sum(np.square(error, dtype=np.float64), axis=-1)) / n_bands
            )
        data = data.mean(axis=-1)
    bad = bad | ~np.isfinite(data)
    if error is not None:
        bad |= ~(np.isfinite(error) & (error > 0))
    # squares of 1e-20 are below the range of float32; powers of two are exact
    spread = np.std(data[~bad], dtype=np.float64) if not bad.all() else 0.0
    scale = data.dtype.type(2.0 ** np.floor(np.log2(spread)) if spread > 0 else 1)
    if error is not None:
        error = np.where(bad, 0, error).astype(data.dtype, copy=False) / scale
    data = np.where(bad, 0, data).astype(data.dtype, copy=False) / scale
    return data, error, bad, scale


def _segment(data, error, bad, config):
    """Give the background, the noise of a pixel and the segmentation."""
    background = np.zeros_like(data)
    segmentation = np.zeros(data.shape, dtype=np.int32)
    if bad.all():
        return background, background if error is None else error, segmentation
    # differences below the rounding of the numbers are no signal
    rounding = 4 * np.finfo(np.float32).eps * np.abs(data)
    if error is not None:
        # smoothing carries the noise of shallow parts into deep ones beside them
        blended = np.sqrt(_smooth(error**2, bad, config.smoothing_fwhm))
    skip = bad
    for _ in range(2):
        background, rms = _background(data, skip, config)
        noise = rms if error is None else blended
        smoothed = _smooth(data - background, bad, config.smoothing_fwhm)
        noise = noise * _noise_factor(smoothed, noise, ~skip)
        threshold = np.maximum(config.n_sigma * noise, rounding)
        segmentation = _photutils.find_segments(
            smoothed, threshold, config.n_pixels, mask=bad
        )
        # the wings of sources lie beyond the threshold
        grow = 1 + round(config.smoothing_fwhm)
        sources = binary_dilation(segmentation > 0, iterations=grow)
        if (bad | sources).all():
            break
        skip = bad | sources
    if config.deblend:
        segmentation = deblend_segments(
            smoothed,
            segmentation,
            n_pixels=config.n_pixels,
            n_levels=config.n_levels,
            contrast=config.contrast,
        )
    return background, rms if error is None else error, segmentation


def _background(data, skip, config):
    # boxes that divide the image evenly leave no thin ones at its edges
    boxes = tuple(-(-n // max(1, round(n / config.box_size))) for n in data.shape)
    try:
        return _photutils.background_2d(
            data, boxes, filter_size=config.filter_size, mask=skip
        )
    except ValueError:  # too few good pixels in each of the boxes
        _, level, rms = sigma_clipped_stats(data[~skip], maxiters=10)
        return np.full_like(data, level), np.full_like(data, rms)


def _smooth(data, bad, fwhm):
    """Smooth with a Gaussian, leaving bad pixels and the outside out."""
    if fwhm == 0:
        return data
    sigma = fwhm * gaussian_fwhm_to_sigma
    good = (~bad).astype(data.dtype)
    weight = gaussian_filter(good, sigma, mode="constant")
    total = gaussian_filter(data * good, sigma, mode="constant")
    return total / np.maximum(weight, np.finfo(data.dtype).tiny)


def _noise_factor(smoothed, noise, sky):
    """Measure the noise of the smoothed image in units of a pixel's noise."""
    usable = sky & (noise > 0)
    ratio = smoothed[usable] / noise[usable]
    if ratio.size == 0:
        return 1.0
    step = -(-ratio.size // _NOISE_SAMPLE)
    # a stamp that a galaxy fills has no sky: smoothing never adds noise
    return min(1.0, float(sigma_clipped_stats(ratio[::step], maxiters=10)[2]))


def _catalog(measured, scale, image):
    measured = dict(measured)
    xmin, xmax = measured["bbox_xmin"], measured["bbox_xmax"]
    ymin, ymax = measured["bbox_ymin"], measured["bbox_ymax"]
    ny, nx = image.data.shape[:2]
    measured["touches_edge"] = (
        (xmin == 0) | (ymin == 0) | (xmax == nx - 1) | (ymax == ny - 1)
    )
    with np.errstate(divide="ignore", invalid="ignore"):
        measured["snr"] = measured["segment_flux"] / measured["segment_flux_err"]
    # a segment without positive flux has no centroid
    for axis, middle in (("x", (xmin + xmax) / 2), ("y", (ymin + ymax) / 2)):
        centroid = measured[f"{axis}_centroid"]
        measured[f"{axis}_centroid"] = np.where(np.isfinite(centroid), centroid, middle)

    catalog = QTable()
    for name, (unit, description) in _COLUMNS.items():
        if name in _INTEGERS:
            column = measured[name].astype(np.int32)
        elif name == "touches_edge":
            column = measured[name]
        else:
            column = measured[name].astype(np.float64)
        if unit == "flux":
            column, unit = column * float(scale), image.unit
        catalog[name] = column if unit is None else column * unit
        catalog[name].info.description = description
        if name == "y_centroid" and image.wcs is not None:
            catalog["sky_centroid"] = _sky(catalog, image.wcs)
            catalog["sky_centroid"].info.description = "Centroid on the sky"
    return catalog


def _sky(catalog, wcs):
    # one position more, for an empty catalogue gives no coordinates
    x = np.append(catalog["x_centroid"], 0.0)
    y = np.append(catalog["y_centroid"], 0.0)
    return wcs.pixel_to_world(x, y)[:-1]
