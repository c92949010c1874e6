# Licensed under a 3-clause BSD style license - see licenses/LICENSE.rst
"""
The parts of photutils that galmorph uses, under names that do not change.

photutils renamed arguments and attributes between 2.0 and 3.0. What depends
on the version is here and nowhere else. Plain arrays go in and come out:
units are the business of the caller, masked pixels must hold finite values,
and the warnings that photutils gives for empty input are not passed on.
"""

import warnings
from contextlib import contextmanager

import numpy as np
from astropy.utils.exceptions import AstropyWarning
from photutils import segmentation as _segmentation
from photutils.background import Background2D

__all__ = ["background_2d", "find_segments", "measure_segments"]

# names of photutils 3.0, and what photutils 2 calls them where that differs
_ATTRIBUTES = {
    "x_centroid": "xcentroid",
    "y_centroid": "ycentroid",
    "bbox_xmin": None,
    "bbox_xmax": None,
    "bbox_ymin": None,
    "bbox_ymax": None,
    "area": None,
    "semimajor_axis": "semimajor_sigma",
    "semiminor_axis": "semiminor_sigma",
    "orientation": None,
    "ellipticity": None,
    "kron_radius": None,
    "kron_flux": None,
    "kron_flux_err": "kron_fluxerr",
    "segment_flux": None,
    "segment_flux_err": "segment_fluxerr",
}
_HALF_LIGHT = "half_light_radius"


@contextmanager
def _quiet():
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", AstropyWarning)
        warnings.simplefilter("ignore", RuntimeWarning)
        yield


def _attribute(catalog, name, old_name):
    # the old names still work in photutils 3.0, with a warning: new ones first
    return getattr(catalog, name if hasattr(type(catalog), name) else old_name)


def background_2d(data, box_size, *, filter_size=3, mask=None, exclude_percentile=90.0):
    """
    Estimate the background and its noise on a mesh of boxes.

    Parameters
    ----------
    data : `~numpy.ndarray`
        Image of shape (ny, nx).
    box_size : tuple of int
        Height and width of a box in pixels.
    filter_size : int, optional
        Side, in boxes, of the median filter over the mesh; odd.
    mask : `~numpy.ndarray` of bool, optional
        Pixels to leave out: bad ones and sources.
    exclude_percentile : float, optional
        Percentage of pixels that may be left out or clipped before a box
        takes its values from the boxes around.

    Returns
    -------
    background, rms : `~numpy.ndarray`
        Maps of shape (ny, nx), in the units of ``data``.

    Raises
    ------
    ValueError
        If no box has enough pixels.
    """
    with _quiet():
        result = Background2D(
            data,
            box_size,
            mask=mask,
            filter_size=filter_size,
            exclude_percentile=exclude_percentile,
        )
        return result.background, result.background_rms


def find_segments(data, threshold, n_pixels, *, mask=None):
    """
    Find connected pixels above a threshold.

    Parameters
    ----------
    data : `~numpy.ndarray`
        Image of shape (ny, nx), usually smoothed.
    threshold : float or `~numpy.ndarray`
        Threshold for each pixel.
    n_pixels : int
        The least number of connected pixels of a source.
    mask : `~numpy.ndarray` of bool, optional
        Pixels that belong to no source.

    Returns
    -------
    segmentation : `~numpy.ndarray` of int32
        Labels from 1 up; 0 is sky. All zero where nothing was found.
    """
    with _quiet():
        segments = _segmentation.detect_sources(data, threshold, n_pixels, mask=mask)
    if segments is None:
        return np.zeros(data.shape, dtype=np.int32)
    return segments.data.astype(np.int32, copy=False)


def measure_segments(data, segmentation, *, error=None, mask=None, progress=False):
    """
    Measure the sources of a segmentation.

    Parameters
    ----------
    data : `~numpy.ndarray`
        Background-subtracted image of shape (ny, nx).
    segmentation : `~numpy.ndarray` of int
        Labels of the sources, 0 for sky.
    error : `~numpy.ndarray`, optional
        Standard deviation of each pixel.
    mask : `~numpy.ndarray` of bool, optional
        Pixels to leave out.
    progress : bool, optional
        Show a progress bar where tqdm is installed.

    Returns
    -------
    measurements : dict of `~numpy.ndarray`
        One array per quantity, in the order of the labels: ``label``,
        centroids, bounding box, area, axes, orientation (0 to 180 degrees),
        ellipticity, Kron and segment fluxes with errors, Kron radius and
        ``half_light_radius`` (pixels). Empty arrays where there is no source.
    """
    if not segmentation.any():
        return {name: np.zeros(0) for name in ("label", *_ATTRIBUTES, _HALF_LIGHT)}
    with _quiet():
        catalog = _segmentation.SourceCatalog(
            data,
            _segmentation.SegmentationImage(segmentation),
            error=error,
            mask=mask,
            progress_bar=progress,
        )
        measured = {"label": catalog.labels}
        for name, old_name in _ATTRIBUTES.items():
            value = _attribute(catalog, name, old_name)
            measured[name] = getattr(value, "value", value)
        # between -90 and 90 degrees in photutils 2, up to 360 in 3.0
        measured["orientation"] = measured["orientation"] % 180
        radius = _attribute(catalog, "flux_radius", "fluxfrac_radius")(0.5)
        measured[_HALF_LIGHT] = radius.value
    return {name: np.atleast_1d(value) for name, value in measured.items()}
