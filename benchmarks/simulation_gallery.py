# Licensed under a 3-clause BSD style license - see licenses/LICENSE.rst
"""
Simulated beside real galaxies of HST WFC3/IR in F160W.

Each real galaxy, of CANDELS and of the XDF, stands above a simulated one of the
same magnitude, size, axis ratio and noise, at the same stretch; a second figure has
them in random order and without names, and the real ones are printed::

    GALMORPH_TEST_DATA=... python benchmarks/simulation_gallery.py gallery.png

The figure of the documentation has simulated galaxies alone, by kind::

    python benchmarks/simulation_gallery.py --kinds docs/_static/simulation.png
"""

import argparse
import os
from io import BytesIO
from pathlib import Path

import numpy as np
from astropy.io import fits
from astropy.stats import sigma_clipped_stats
from astropy.table import Table
from matplotlib.figure import Figure
from PIL import Image

from galmorph.images import detect_sources
from galmorph.simulation import WFC3_F160W, simulate_galaxies
from galmorph.simulation.population import KINDS, draw_galaxy, draw_neighbour
from galmorph.simulation.rendering import add_object
from galmorph.simulation.scenes import add_noise, resample

SIDE = 64
ROWS, COLUMNS = 3, 5
SHOWN = ("spheroid", "disk", "irregular", "merger", "unclassifiable")
OF_EACH = 6


def real_galaxies(folder):
    """Stamps of real galaxies, each with what its simulated twin shares with it."""
    labels = Table.read(folder / "candels_f160w" / "labels.ecsv")
    for path in sorted((folder / "candels_f160w").glob("*_h.fits")):
        (row,) = (row for row in labels if path.name in row.values())
        kind = "spheroid" if row["any_spheroid"] > row["any_disk"] else "disk"
        for found in stamps_of(fits.getdata(path).astype(float), middle=True):
            found[2]["kind"] = kind
            yield found
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
    # of those that nobody has classified, any kind of galaxy as often as there are
    kinds = [kind for kind in KINDS if kind not in ("star", "unclassifiable")]
    shares = np.array([KINDS[kind] for kind in kinds])
    kind = random.choice(kinds, p=shares / shares.sum())
    truth = draw_galaxy(random, shape.get("kind", kind))
    radius = np.sqrt(max(shape["half_light_radius"] ** 2 - 0.09**2, 0.05**2))
    kind = truth["kind"]
    truth.update(shape, half_light_radius=radius / np.sqrt(shape["axis_ratio"]))
    image = np.zeros((SIDE, SIDE))
    detector = WFC3_F160W.before_drizzling()
    add_object(image, truth, detector, *position, random)
    for _ in range(random.poisson(0.06 * (SIDE * 0.06) ** 2)):
        x, y = random.uniform(0, SIDE, 2)
        if np.hypot(x - position[0], y - position[1]) > 12:
            add_object(image, draw_neighbour(random), detector, x, y, random)
    image = resample(image, WFC3_F160W, rms, random)
    return add_noise(image, WFC3_F160W, rms, random), kind


def show(axis, image, rms, top, title=""):
    """One galaxy, of which the noise is as grey as of all others."""
    shown = np.arcsinh(image / (3 * rms))
    axis.imshow(shown, origin="lower", cmap="gray_r", vmin=-0.6, vmax=top)
    axis.set_title(title, fontsize=7, pad=2)


def brightest(stamp, rms):
    """What is black in the stretched image."""
    middle = stamp[20:44, 20:44]
    return max(np.arcsinh(np.percentile(middle, 99.5) / (3 * rms)), 0.6)


def panels(rows, columns, head=0.97):
    """A figure of many stamps."""
    figure = Figure(figsize=(1.35 * columns, 1.43 * rows))
    axes = figure.subplots(rows, columns)
    for axis in axes.flat:
        axis.set_axis_off()
    figure.subplots_adjust(0.01, 0.01, 0.99, head, 0.04, 0.12)
    return figure, axes


def compare(path):
    """Real galaxies and their twins, side by side and in random order."""
    folder = Path(os.environ["GALMORPH_TEST_DATA"])
    random = np.random.default_rng(5)
    galaxies = list(real_galaxies(folder))
    rest = random.permutation(np.arange(6, len(galaxies)))[: ROWS * COLUMNS - 6]
    galaxies = galaxies[:6] + [galaxies[i] for i in sorted(rest)]
    figure, axes = panels(2 * ROWS, COLUMNS)
    every = []
    for i, (stamp, rms, shape, position) in enumerate(galaxies):
        row, column = divmod(i, COLUMNS)
        made, kind = twin(shape, rms, position, random)
        top = brightest(stamp, rms)
        title = f"real, H = {shape['magnitude']:.1f}"
        show(axes[2 * row, column], stamp, rms, top, title)
        show(axes[2 * row + 1, column], made, rms, top, f"simulated {kind}")
        every += [(stamp, rms, top, True), (made, rms, top, False)]
    figure.savefig(path, dpi=110)
    figure, axes = panels(2 * ROWS, COLUMNS)
    order = random.permutation(len(every))
    for number, (axis, i) in enumerate(zip(axes.flat, order, strict=False), 1):
        show(axis, *every[i][:3], str(number))
    blind = path.with_stem(path.stem + "-blind")
    figure.savefig(blind, dpi=110)
    real = [number for number, i in enumerate(order, 1) if every[i][3]]
    print(f"{path}; in random order: {blind}; real are {real}")


def draw_kinds(path):
    """Simulated galaxies alone, a row for each kind."""
    figure, axes = panels(len(SHOWN), OF_EACH)
    for row, kind in zip(axes, SHOWN, strict=True):
        made = simulate_galaxies(40, seed=11, kinds={kind: 1})
        bright = np.flatnonzero(made.table["magnitude"].value < 23.5)[:OF_EACH]
        for axis, i in zip(row, bright, strict=True):
            truth, image = made.table[i], np.asarray(made.cutouts[i].data)
            first = (len(image) - SIDE) // 2
            image = image[first : first + SIDE, first : first + SIDE]
            rms = truth["sky_rms"].value
            show(axis, image, rms, brightest(image, rms), _votes(truth))
        row[0].text(-0.08, 0.5, kind, transform=row[0].transAxes, **_UPRIGHT)
    figure.subplots_adjust(left=0.03)
    drawn = BytesIO()
    figure.savefig(drawn, dpi=90)
    # few greys, as noise makes large files
    grey = Image.open(drawn).convert("L").point(lambda value: 15 * round(value / 15))
    grey.save(path, optimize=True)


_UPRIGHT = {"rotation": 90, "fontsize": 9, "ha": "center", "va": "center"}
_SHORT = {
    "f_spheroid": "sph",
    "f_disk": "disk",
    "f_irregular": "irr",
    "f_point_source": "point",
    "f_unclassifiable": "uncl",
}


def _votes(truth):
    """The two classes that most people would tick, in per cent."""
    most = sorted(_SHORT, key=lambda name: -truth[name])[:2]
    return ", ".join(f"{_SHORT[name]} {100 * truth[name]:.0f}" for name in most)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__.split("\n\n")[0])
    parser.add_argument("path", type=Path, help="PNG file to write")
    parser.add_argument("--kinds", action="store_true", help="simulated ones alone")
    arguments = parser.parse_args()
    (draw_kinds if arguments.kinds else compare)(arguments.path)
