# Licensed under a 3-clause BSD style license - see licenses/LICENSE.rst
"""
Simulated beside real galaxies of HST WFC3/IR in F160W.

Each real galaxy, of CANDELS and of the XDF, stands above a simulated one of the
same magnitude, size, axis ratio and noise, at the same stretch::

    GALMORPH_TEST_DATA=... python benchmarks/simulation_gallery.py gallery.png
"""

import os
import sys
from pathlib import Path

import numpy as np
from astropy.io import fits
from astropy.stats import sigma_clipped_stats
from matplotlib.figure import Figure

from galmorph.images import detect_sources
from galmorph.simulation import WFC3_F160W
from galmorph.simulation.population import draw_galaxy, draw_neighbour
from galmorph.simulation.rendering import add_object
from galmorph.simulation.scenes import add_noise

SIDE = 64
ROWS, COLUMNS = 2, 9
KINDS = ("spheroid", "disk", "disk", "disk", "irregular", "merger")


def real_galaxies(folder):
    """Stamps of real galaxies, each with what its simulated twin shares with it."""
    for path in sorted((folder / "candels_f160w").glob("*_h.fits")):
        yield from stamps_of(fits.getdata(path).astype(float), middle=True)
    for path in (
        folder / "hst_deep_500" / "f160w_sci.fits.gz",
        folder / "xdf_f160w" / "xdf_hst_wfc3ir_60mas_f160w_sci.fits",
    ):
        yield from stamps_of(fits.getdata(path).astype(float))


def stamps_of(image, middle=False):
    """Stamps of the brighter sources of an image, or of that in its middle."""
    found = detect_sources(image)
    catalog = found.catalog
    catalog = catalog[np.asarray(catalog["kron_flux"]) > 0]
    x, y = np.array(catalog["x_centroid"]), np.array(catalog["y_centroid"])
    flux = np.array(catalog["kron_flux"])
    magnitude = WFC3_F160W.zero_point - 2.5 * np.log10(flux)
    if middle:
        near = np.hypot(x - (image.shape[1] - 1) / 2, y - (image.shape[0] - 1) / 2)
        chosen = [np.argmin(near)]
    else:
        ny, nx = image.shape
        inside = (np.minimum(x, nx - 1 - x) > 32) & (np.minimum(y, ny - 1 - y) > 32)
        chosen = np.nonzero(inside & (magnitude > 17.95) & (magnitude < 25.5))[0]
    for i in chosen:
        x0, y0 = round(x[i]) - SIDE // 2, round(y[i]) - SIDE // 2
        stamp = image[y0 : y0 + SIDE, x0 : x0 + SIDE]
        rms = found.rms[round(y[i]), round(x[i])]
        sky = sigma_clipped_stats(stamp, sigma=2.5)[1]
        # pieces of the large galaxy's outskirts are no galaxies
        if not middle and abs(sky) > 1.0 * rms:
            continue
        shape = {
            "magnitude": float(magnitude[i]),
            "half_light_radius": 0.06 * _number(catalog["half_light_radius"][i]),
            "axis_ratio": 1 - _number(catalog["ellipticity"][i]),
            "position_angle": _number(catalog["orientation"][i]),
        }
        yield stamp - sky, float(rms), shape, (x[i] - x0, y[i] - y0)


def _number(value):
    return float(getattr(value, "value", value))


def twin(shape, rms, position, random):
    """A simulated galaxy of the same magnitude, size, axis ratio and noise."""
    truth = draw_galaxy(random, KINDS[random.integers(len(KINDS))])
    radius = np.sqrt(max(shape["half_light_radius"] ** 2 - 0.09**2, 0.05**2))
    truth.update(shape, half_light_radius=radius / np.sqrt(shape["axis_ratio"]))
    image = np.zeros((SIDE, SIDE))
    add_object(image, truth, WFC3_F160W, *position, random)
    for _ in range(random.poisson(0.06 * (SIDE * 0.06) ** 2)):
        x, y = random.uniform(0, SIDE, 2)
        if np.hypot(x - position[0], y - position[1]) > 12:
            add_object(image, draw_neighbour(random), WFC3_F160W, x, y, random)
    return add_noise(image, WFC3_F160W, rms, random), truth["kind"]


def main(path):
    """Draw the gallery."""
    folder = Path(os.environ["GALMORPH_TEST_DATA"])
    random = np.random.default_rng(5)
    galaxies = list(real_galaxies(folder))
    rest = random.permutation(np.arange(6, len(galaxies)))[: ROWS * COLUMNS - 6]
    galaxies = galaxies[:6] + [galaxies[i] for i in sorted(rest)]
    figure = Figure(figsize=(1.35 * COLUMNS, 2.85 * ROWS))
    axes = figure.subplots(2 * ROWS, COLUMNS)
    for axis in axes.flat:
        axis.set_axis_off()
    for i, (stamp, rms, shape, position) in enumerate(galaxies):
        row, column = divmod(i, COLUMNS)
        made, kind = twin(shape, rms, position, random)
        top = np.arcsinh(np.percentile(stamp[20:44, 20:44], 99.5) / (3 * rms))
        for axis, image, title in (
            (axes[2 * row, column], stamp, f"real, H = {shape['magnitude']:.1f}"),
            (axes[2 * row + 1, column], made, f"simulated {kind}"),
        ):
            shown = np.arcsinh(image / (3 * rms))
            axis.imshow(shown, origin="lower", cmap="gray_r", vmin=-0.6, vmax=top)
            axis.set_title(title, fontsize=7, pad=2)
    figure.subplots_adjust(0.01, 0.01, 0.99, 0.97, 0.04, 0.12)
    figure.savefig(path, dpi=110)


if __name__ == "__main__":
    main(sys.argv[1] if len(sys.argv) > 1 else "simulation-gallery.png")
