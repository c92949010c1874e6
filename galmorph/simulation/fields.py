# Licensed under a 3-clause BSD style license - see licenses/LICENSE.rst
"""
Whole mosaics of simulated galaxies, with everything that is true of them.
"""

import os
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from astropy import units as u
from astropy.coordinates import SkyCoord
from astropy.io import fits
from astropy.nddata import NDData, StdDevUncertainty
from astropy.table import QTable
from astropy.wcs import WCS

from galmorph.core import ConfigurationError
from galmorph.images import as_nddata
from galmorph.simulation.galaxies import check_instrument
from galmorph.simulation.population import draw_galaxy
from galmorph.simulation.rendering import draw_object, overlap
from galmorph.simulation.scenes import add_noise
from galmorph.simulation.truths import as_truth_table, random_of, seen_columns
from galmorph.simulation.visibility import see
from galmorph.simulation.votes import vote_fractions
from galmorph.tables import write_table

__all__ = ["SimulatedField", "simulate_field"]


@dataclass
class SimulatedField:
    """
    A simulated mosaic and its truth.

    Parameters
    ----------
    image : `~astropy.nddata.NDData`
        The mosaic in electrons per second, with world coordinates and the
        standard deviation of the sky's noise; as in the surveys' maps, the
        photons of the objects are not counted.
    segmentation : `~numpy.ndarray`
        Which galaxy's light dominates each pixel where it stands out of the
        noise: its ``label`` in the catalogue, 0 for sky; int32.
    catalog : `~astropy.table.QTable`
        Positions, vote fractions and truths, one row for each galaxy.

    Examples
    --------
    >>> from galmorph.simulation import simulate_field
    >>> field = simulate_field((150, 200), seed=3, n_sources=4)
    >>> field.image.data.shape, len(field.catalog)
    ((150, 200), 4)
    """

    image: NDData
    segmentation: np.ndarray
    catalog: QTable

    def write(self, path, *, overwrite=False):
        """
        Write the mosaic as FITS and the catalogue as ECSV beside it.

        Parameters
        ----------
        path : str or path
            The FITS file, with extensions ``SCI``, ``RMS`` and ``SEG``; the
            catalogue has the same name and ends in ``.ecsv``.
        overwrite : bool, optional
            Whether files that exist may be replaced.

        Returns
        -------
        paths : tuple of `~pathlib.Path`
            The FITS file and the catalogue.

        Raises
        ------
        ConfigurationError
            If one of the files is there already.
        """
        path = Path(path)
        catalog = path.with_name(path.name.removesuffix(".gz")).with_suffix(".ecsv")
        for file in (path, catalog):
            if file.exists() and not overwrite:
                raise ConfigurationError(
                    f"path: {file} is there already; give overwrite=True to replace it"
                )
        header = self.image.wcs.to_header()
        hdus = fits.HDUList(
            [
                fits.PrimaryHDU(),
                fits.ImageHDU(self.image.data, header, name="SCI"),
                fits.ImageHDU(self.image.uncertainty.array, header, name="RMS"),
                fits.ImageHDU(self.segmentation, header, name="SEG"),
            ]
        )
        for name in ("SCI", "RMS"):
            hdus[name].header["BUNIT"] = "electron/s"
        # under its name only when it is complete
        part = path.with_name(f".part-{path.name}")
        try:
            hdus.writeto(part, overwrite=True)
            os.replace(part, path)
        finally:
            part.unlink(missing_ok=True)
        write_table(self.catalog, catalog, overwrite=overwrite)
        return path, catalog


def simulate_field(
    shape, *, seed, n_sources=None, density=0.03, rms=0.003, instrument=None
):
    """
    Simulate a mosaic of galaxies with known truth.

    Parameters
    ----------
    shape : tuple of int
        Height and width of the mosaic in pixels.
    seed : int
        The same seed gives the same mosaic.
    n_sources : int, optional
        Number of galaxies; by ``density`` where it is not given.
    density : float, optional
        Galaxies per square arcsecond.
    rms : float, optional
        Standard deviation of the noise per pixel in electrons per second.
    instrument : `Instrument` or str, optional
        A camera or its name in `INSTRUMENTS`; `WFC3_F160W` where it is not
        given.

    Returns
    -------
    field : `SimulatedField`

    Raises
    ------
    ConfigurationError
        If an argument is out of its range.
    MissingDependencyError
        If GalSim is not installed.

    Examples
    --------
    >>> from galmorph.simulation import simulate_field
    >>> field = simulate_field((100, 100), seed=3, n_sources=2)
    >>> field.catalog["sky_centroid"].shape
    (2,)
    """
    instrument = check_instrument(instrument)
    ny, nx = shape
    if min(ny, nx) < 32:
        raise ConfigurationError(
            f"shape: found {shape}; a field needs 32 pixels on each side"
        )
    if not rms > 0:
        raise ConfigurationError(f"rms: found {rms!r}; it must be positive")
    scale = instrument.pixel_scale
    if n_sources is None:
        n_sources = round(density * ny * nx * scale**2)
    if n_sources < 0:
        raise ConfigurationError(
            f"n_sources: found {n_sources!r}; it must be 0 or more"
        )
    image, objects = np.zeros((ny, nx)), []
    brightest, segmentation = np.full((ny, nx), rms), np.zeros((ny, nx), np.int32)
    for label in range(1, n_sources + 1):
        random = random_of(seed, label)
        truth = draw_galaxy(random, magnitudes=instrument.magnitudes)
        if truth["defect"]:
            # artifacts belong to images of one object
            truth.update(kind="disk", artifact=0.0, defect="")
        x, y = random.uniform(-0.5, nx - 0.5), random.uniform(-0.5, ny - 0.5)
        drawn, x0, y0 = draw_object(truth, instrument, x, y, random)
        window, part = overlap(image.shape, len(drawn), x0, y0)
        image[window] += drawn[part]
        ahead = drawn[part] > brightest[window]
        brightest[window][ahead] = drawn[part][ahead]
        segmentation[window][ahead] = label
        objects.append((truth, drawn, x, y, x0, y0, random))
    rows = [
        _row(label, instrument, rms, image, *each)
        for label, each in enumerate(objects, start=1)
    ]
    positions = [(x, y) for _, _, x, y, *_ in objects]
    image = add_noise(image, instrument, rms, random_of(seed, 0))

    wcs = _wcs(ny, nx, scale)
    catalog = as_truth_table(rows)
    catalog.rename_column("index", "label")
    x, y = np.array(positions, float).reshape(-1, 2).T
    catalog.add_columns([x, y], names=["x_centroid", "y_centroid"], indexes=[1, 1])
    sky = wcs.pixel_to_world(x, y) if len(x) else SkyCoord([], [], unit="deg")
    catalog.add_column(sky, name="sky_centroid", index=3)
    data = NDData(
        image.astype(np.float32),
        uncertainty=StdDevUncertainty(np.full(image.shape, rms, np.float32)),
        unit=u.electron / u.s,
        wcs=wcs,
    )
    return SimulatedField(as_nddata(data), segmentation, catalog)


def _row(label, instrument, rms, image, truth, drawn, x, y, x0, y0, random):
    """Truths and votes of one object, once all others are drawn."""
    window, part = overlap(image.shape, len(drawn), x0, y0)
    others = np.zeros_like(drawn)
    others[part] = image[window] - drawn[part]
    position = (x - x0, y - y0)
    visible = see(truth, instrument, rms, random, drawn, position, others)
    fractions = vote_fractions(truth, instrument, rms, random, visible=visible)
    row = {"index": label, **fractions, **truth, "sky_rms": rms}
    return row | seen_columns(visible)


def _wcs(ny, nx, scale):
    wcs = WCS(naxis=2)
    # the middle of CANDELS GOODS-S
    wcs.wcs.crval = [53.1228, -27.8050]
    wcs.wcs.crpix = [(nx + 1) / 2, (ny + 1) / 2]
    wcs.wcs.cdelt = [-scale / 3600, scale / 3600]
    wcs.wcs.ctype = ["RA---TAN", "DEC--TAN"]
    wcs.wcs.cunit = ["deg", "deg"]
    wcs.wcs.radesys = "ICRS"
    return wcs
