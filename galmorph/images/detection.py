# Licensed under a 3-clause BSD style license - see licenses/LICENSE.rst
"""
Sources in an image: background, threshold, segmentation, deblending, catalogue.
"""

from dataclasses import asdict, dataclass, fields

import numpy as np
from astropy import units as u
from astropy.nddata import NDData
from astropy.table import QTable

from galmorph.core import ConfigurationError
from galmorph.images import _photutils
from galmorph.images.background import Grid
from galmorph.images.deblending import deblend_segments
from galmorph.images.finding import (
    Sample,
    Sky,
    View,
    find_segments,
    near_sources,
    pixels_of,
)
from galmorph.images.nddata import as_nddata

__all__ = [
    "NOISE_SAMPLE",
    "Detection",
    "DetectionConfig",
    "as_catalog",
    "as_image",
    "deblended",
    "detect_sources",
    "measure_sources",
]

NOISE_SAMPLE = 1_000_000
"""About how many pixels the noise of the smoothed image is measured on."""

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
_FLUXES = [name for name, (unit, _) in _COLUMNS.items() if unit == "flux"]


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
    image = as_image(image)
    pixels = pixels_of(image)
    view = View.of(pixels, _whole(pixels.data), config.smoothing_fwhm)
    sky, segments, residual = _segment(view, config)
    segmentation = deblended(residual, segments, config)
    kind = pixels.data.dtype
    background = sky.level.window(view.box, kind)
    rms = sky.rms.window(view.box, kind) if pixels.error is None else pixels.error
    measured = measure_sources(
        pixels, background, rms, segmentation, sky.scale, progress=progress
    )
    catalog = as_catalog(measured, image.data.shape, unit=image.unit, wcs=image.wcs)
    catalog.meta["galmorph"] = {"detection": config.to_dict()}
    return Detection(catalog, segmentation, background, rms, image)


def as_image(image):
    """
    An image as the detection takes it.

    Parameters
    ----------
    image
        As for `detect_sources`.

    Returns
    -------
    image : `~astropy.nddata.NDData`
    """
    if isinstance(image, NDData) and np.ndim(image.data) == 3:
        return as_nddata(image, band_axis=-1)
    return as_nddata(image)


def _whole(data):
    return tuple(slice(0, n) for n in data.shape)


def _segment(view, config):
    """Give the sky, the segments and the smoothed image without background."""
    pixels = view.pixels
    grid = Grid(pixels.data.shape, config.box_size)
    rows, columns = (slice(0, n) for n in grid.n_boxes)
    used, sky = ~pixels.bad, None
    for _ in range(2):
        statistics = grid.measure(pixels.data, used, rows, columns)
        if sky is None:
            boxes = grid.sampled(statistics, NOISE_SAMPLE)
        elif not statistics.number.any():
            break
        samples = [Sample.of(view, box, used) for box in boxes]
        sky = Sky.of(statistics, samples, grid, config)
        segments, residual = find_segments(view, sky, config)
        used &= ~near_sources(segments, config)
    return sky, segments, residual


def deblended(residual, segments, config):
    """
    Separate the sources of segments.

    Parameters
    ----------
    residual : `~numpy.ndarray`
        The smoothed image without its background.
    segments : `~numpy.ndarray` of int
        Labels from 1 up, 0 for sky.
    config : `DetectionConfig`

    Returns
    -------
    segmentation : `~numpy.ndarray` of int32
    """
    if not config.deblend:
        return segments
    return deblend_segments(
        residual,
        segments,
        n_pixels=config.n_pixels,
        n_levels=config.n_levels,
        contrast=config.contrast,
    )


def measure_sources(pixels, background, rms, segmentation, scale, **options):
    """
    Measure the sources of a segmentation.

    Parameters
    ----------
    pixels : `~galmorph.images.finding.Pixels`
    background, rms : `~numpy.ndarray`
        Background, and standard deviation of each pixel.
    segmentation : `~numpy.ndarray` of int
    scale : float
        A power of two of the order of the pixels' values.
    **options
        Of `galmorph.images._photutils.measure_segments`.

    Returns
    -------
    measured : dict of `~numpy.ndarray`
    """
    scale = pixels.data.dtype.type(scale)
    measured = _photutils.measure_segments(
        (pixels.data - background) / scale,
        segmentation,
        error=rms / scale,
        mask=pixels.bad,
        **options,
    )
    for name in _FLUXES:
        measured[name] = measured[name].astype(np.float64) * float(scale)
    return measured


def as_catalog(measured, shape, *, unit=None, wcs=None):
    """
    Put measurements into a catalogue.

    Parameters
    ----------
    measured : dict of `~numpy.ndarray`
        What `measure_sources` returned, in pixels of the image.
    shape : tuple of int
        Shape of the image.
    unit : `~astropy.units.Unit`, optional
        Of the pixels.
    wcs : `~astropy.wcs.WCS`, optional
        Of the image.

    Returns
    -------
    catalog : `~astropy.table.QTable`
    """
    measured = dict(measured)
    ny, nx = shape[:2]
    measured["touches_edge"] = (
        (measured["bbox_xmin"] == 0)
        | (measured["bbox_ymin"] == 0)
        | (measured["bbox_xmax"] == nx - 1)
        | (measured["bbox_ymax"] == ny - 1)
    )
    with np.errstate(divide="ignore", invalid="ignore"):
        measured["snr"] = measured["segment_flux"] / measured["segment_flux_err"]
    catalog = QTable()
    for name, (column_unit, description) in _COLUMNS.items():
        if name in _INTEGERS:
            column = measured[name].astype(np.int32)
        elif name == "touches_edge":
            column = measured[name]
        else:
            column = measured[name].astype(np.float64)
        column_unit = unit if column_unit == "flux" else column_unit
        catalog[name] = column if column_unit is None else column * column_unit
        catalog[name].info.description = description
        if name == "y_centroid" and wcs is not None:
            catalog["sky_centroid"] = _sky(catalog, wcs)
            catalog["sky_centroid"].info.description = "Centroid on the sky"
    return catalog


def _sky(catalog, wcs):
    # one position more, for an empty catalogue gives no coordinates
    x = np.append(catalog["x_centroid"], 0.0)
    y = np.append(catalog["y_centroid"], 0.0)
    return wcs.pixel_to_world(x, y)[:-1]
