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

__all__ = ["measure_segments"]

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


def measure_segments(
    data,
    segmentation,
    *,
    error=None,
    mask=None,
    n_sources=None,
    wanted=None,
    progress=False,
):
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
    n_sources : int, optional
        Measure the sources with labels up to this; by default all.
    wanted : callable, optional
        Given arrays of x and y, the centroids, it tells which of these sources
        to measure.
    progress : bool, optional
        Show a progress bar where tqdm is installed.

    Returns
    -------
    measurements : dict of `~numpy.ndarray`
        One array per quantity, in the order of the labels: ``label``,
        centroids (of segments without positive flux the middle of the box),
        bounding box, area, axes, orientation (0 to 180 degrees), ellipticity, Kron
        and segment fluxes with errors, Kron radius and
        ``half_light_radius`` (pixels). Empty arrays where there is no source.
    """
    nothing = {name: np.zeros(0) for name in ("label", *_ATTRIBUTES, _HALF_LIGHT)}
    if n_sources == 0 or not segmentation.any():
        return nothing
    with _quiet():
        catalog = _segmentation.SourceCatalog(
            data,
            _segmentation.SegmentationImage(segmentation),
            error=error,
            mask=mask,
            progress_bar=progress,
        )
        if n_sources is not None:
            catalog = catalog[:n_sources]
        if wanted is not None:
            chosen = wanted(*_centroids(catalog))
            if not chosen.any():
                return nothing
            catalog = catalog[chosen]
        measured = {"label": catalog.labels}
        for name, old_name in _ATTRIBUTES.items():
            measured[name] = _values(catalog, name, old_name)
        # between -90 and 90 degrees in photutils 2, up to 360 in 3.0
        measured["orientation"] = measured["orientation"] % 180
        radius = _attribute(catalog, "flux_radius", "fluxfrac_radius")(0.5)
        measured[_HALF_LIGHT] = radius.value
        measured["x_centroid"], measured["y_centroid"] = _centroids(catalog)
    return {name: np.atleast_1d(value) for name, value in measured.items()}


def _values(catalog, name, old_name=None):
    value = _attribute(catalog, name, old_name)
    return np.atleast_1d(getattr(value, "value", value))


def _centroids(catalog):
    """Centroids; of segments without positive flux the middle of the box."""
    for axis in "xy":
        centroid = _values(catalog, f"{axis}_centroid", f"{axis}centroid")
        ends = [_values(catalog, f"bbox_{axis}{end}") for end in ("min", "max")]
        yield np.where(np.isfinite(centroid), centroid, sum(ends) / 2)
