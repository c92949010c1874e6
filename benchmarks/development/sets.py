# Licensed under a 3-clause BSD style license - see licenses/LICENSE.rst
"""
The images that a model is judged on, and what is known of them.

Real ones are read from the folder that GALMORPH_TEST_DATA names; made ones are
drawn once, with fixed seeds that no training may use, and kept in a folder, so
that all models see the same pixels whatever becomes of the simulation.
"""

import os
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from astropy.table import Table, vstack

from galmorph.core import ImageError
from galmorph.images import as_nddata
from galmorph.tables import read_table, write_table

__all__ = ["SETS", "Images", "data_folder", "display", "load"]

SEED = 90_210_000
"""First of the seeds of made images; the next hundred thousand are kept for them."""

# Sources of two fields of the XDF, chosen by eye in a display of each: field, x, y
# (0-based), whether it is a star. The star has an Airy ring and spikes, H = 17.9 and
# a FWHM of 3.3 pixels. There is no other: the narrowest of the rest that is brighter
# than H = 26 has 4.1 x 5.2. The galaxies are those with H < 25.6 away from the edges.
FIELD_SOURCES = (
    ("hst_deep_500", 115.4, 379.9, True),
    ("hst_deep_500", 225.7, 403.2, False),
    ("hst_deep_500", 301.5, 404.9, False),
    ("hst_deep_500", 484.5, 351.5, False),
    ("hst_deep_500", 357.0, 457.7, False),
    ("hst_deep_500", 406.3, 490.9, False),
    ("hst_deep_500", 436.9, 78.1, False),
    ("hst_deep_500", 386.0, 85.6, False),
    ("hst_deep_500", 361.7, 9.8, False),
    ("hst_deep_500", 299.6, 224.9, False),
    ("hst_deep_500", 15.9, 201.7, False),
    ("hst_deep_500", 257.1, 340.1, False),
    ("hst_deep_500", 110.6, 151.0, False),
    ("hst_deep_500", 139.8, 82.0, False),
    ("hst_deep_500", 46.6, 362.5, False),
    ("xdf", 186.9, 119.4, False),
    ("xdf", 159.1, 62.3, False),
)
_WINDOW = 161


@dataclass
class Images:
    """
    Images of one object each.

    Parameters
    ----------
    name : str
    images : list of `~numpy.ndarray`
        Two-dimensional; bad pixels are NaN.
    scales : `~numpy.ndarray`
        Arcseconds per pixel, NaN where a user would not know.
    positions : `~numpy.ndarray`
        Of the objects, (x, y) in 0-based pixels, shape (n, 2).
    table : `~astropy.table.Table`
        What is known; with ``fold`` where a model may be trained on the others.
    """

    name: str
    images: list
    scales: np.ndarray
    positions: np.ndarray
    table: Table

    def __len__(self):
        return len(self.images)

    def take(self, rows):
        """Some of them."""
        rows = np.arange(len(self))[rows]
        return Images(
            self.name,
            [self.images[i] for i in rows],
            self.scales[rows],
            self.positions[rows],
            self.table[rows],
        )

    def as_input(self):
        """The images as `~galmorph.MorphologyClassifier` takes them, one by one."""
        for image, scale in zip(self.images, self.scales, strict=True):
            if np.isnan(scale):
                yield image
            else:
                yield as_nddata(image, pixel_scale=scale)

    def save(self, folder):
        """Keep them in a folder."""
        folder.mkdir(parents=True, exist_ok=True)
        write_table(self.table, folder / f"{self.name}.ecsv", overwrite=True)
        part = folder / f"{self.name}.part"
        with open(part, "wb") as file:
            np.savez(
                file,
                pixels=np.concatenate([np.ravel(i).astype("f4") for i in self.images]),
                whole=np.array([i.dtype.kind == "u" for i in self.images]),
                shapes=np.array([i.shape for i in self.images]),
                scales=self.scales,
                positions=self.positions,
            )
        os.replace(part, folder / f"{self.name}.npz")

    @classmethod
    def read(cls, name, folder):
        """Read what `save` kept."""
        with np.load(folder / f"{name}.npz") as saved:
            shapes, whole = saved["shapes"], saved["whole"]
            parts = np.split(saved["pixels"], np.cumsum(shapes.prod(axis=1))[:-1])
            scales, positions = saved["scales"], saved["positions"]
        images = [
            part.reshape(shape).astype(np.uint8 if is_whole else np.float32)
            for part, shape, is_whole in zip(parts, shapes, whole, strict=True)
        ]
        table = read_table(folder / f"{name}.ecsv")
        return cls(name, images, scales, positions, table)


def data_folder():
    """The folder of the real images."""
    return Path(os.environ["GALMORPH_TEST_DATA"])


def of_images(name, images, table, scales=np.nan, positions=None):
    """Images with their objects in the middle, unless positions say otherwise."""
    if positions is None:
        positions = [[(i.shape[1] - 1) / 2, (i.shape[0] - 1) / 2] for i in images]
    scales = np.broadcast_to(np.asarray(scales, float), len(images)).copy()
    return Images(name, list(images), scales, np.array(positions, float), table)


def display(image, random):
    """
    An 8-bit picture of an image, as a colour or grey display makes it.

    Bad pixels are black. The range is that of the image's own extremes, or cut at
    the top by at most half a per cent of the pixels; the stretch is the inverse
    hyperbolic sine with a softening from the noise, so that faint light shows, to
    the brightest pixel, which is nearly linear.
    """
    image = np.nan_to_num(image)
    sky = np.median(image)
    rms = 1.4826 * np.median(np.abs(image - sky)) or 1e-6
    top = np.percentile(image, 100 - random.uniform(0, 0.5)) - sky
    bottom = random.choice([image.min() - sky, -rms, 0.0])
    top = max(top, 3 * rms)
    low, high = np.log(rms), np.log(top)
    softening = np.exp(random.uniform(low, high))
    low, high = np.arcsinh(bottom / softening), np.arcsinh(top / softening)
    shown = (np.arcsinh((image - sky) / softening) - low) / (high - low)
    return (255 * np.clip(shown, 0, 1)).round().astype(np.uint8)


def _sdss(folder):
    folder = data_folder() / "sdss_gz1"
    with np.load(folder / "images.npz") as saved:
        images = saved["images"]
    return of_images("sdss", images, Table(read_table(folder / "labels.ecsv")))


def _ceers(folder):
    folder = data_folder() / "gz_ceers_f200w"
    with np.load(folder / "images.npz") as saved:
        images = saved["images"]
    return of_images("ceers", images, Table(read_table(folder / "votes.ecsv")))


def _redshifted(folder, least=20.0):
    """SDSS galaxies as CANDELS would see them, where they stand out of the noise."""
    from galmorph.simulation import draw_redshifted

    near = _sdss(folder)
    random = np.random.default_rng(SEED + 400)
    images, rows = [], []
    for row, image in enumerate(near.images):
        try:
            far = draw_redshifted(image, random, instrument="wfc3_f160w", levels=50.0)
        except ImageError:
            continue
        sky, rms = np.median(far.data), np.median(far.uncertainty.array)
        y, x = (side // 2 for side in far.data.shape)
        if far.data[y - 5 : y + 6, x - 5 : x + 6].max() - sky > least * rms:
            images.append(np.asarray(far.data))
            rows.append(row)
    return of_images("redshifted", images, near.table[rows], 0.06)


def _candels(folder):
    folder = data_folder() / "candels_f160w"
    table = Table(read_table(folder / "labels.ecsv"))
    images = [np.asarray(as_nddata(folder / name).data) for name in table["file"]]
    return of_images("candels", images, table, 0.06)


def _fields(folder):
    """Sources of two deep fields, each in a window of its own."""
    paths = {
        "hst_deep_500": "hst_deep_500/f160w_sci.fits.gz",
        "xdf": "xdf_f160w/xdf_hst_wfc3ir_60mas_f160w_sci.fits",
    }
    fields = {
        name: np.asarray(as_nddata(data_folder() / path).data)
        for name, path in paths.items()
    }
    images, positions = [], []
    for name, x, y, _ in FIELD_SOURCES:
        x0, y0 = (max(int(v) - _WINDOW // 2, 0) for v in (x, y))
        images.append(fields[name][y0 : y0 + _WINDOW, x0 : x0 + _WINDOW].copy())
        positions.append((x - x0, y - y0))
    table = Table(rows=FIELD_SOURCES, names=["field", "x", "y", "star"])
    return of_images("fields", images, table, 0.06, positions)


def _simulated(folder, n=2000):
    """Galaxies as CANDELS F160W sees them, of the same kind as in training."""
    from galmorph.simulation import simulate_galaxies

    made = simulate_galaxies(n, seed=SEED)
    images = [np.asarray(image.data) for image in made.cutouts]
    return of_images("simulated", images, Table(made.table), 0.06)


def _stretched(folder):
    """The same galaxies as 8-bit pictures."""
    linear = load("simulated", folder)
    random = np.random.default_rng(SEED)
    images = [display(image, random) for image in linear.images]
    return of_images("stretched", images, linear.table)


def _cameras(folder, n=150):
    """Galaxies as the other cameras see them."""
    from galmorph.simulation import INSTRUMENTS, simulate_galaxies

    images, scales, tables = [], [], []
    for number, (name, camera) in enumerate(INSTRUMENTS.items()):
        if name == "wfc3_f160w":
            continue
        made = simulate_galaxies(n, seed=SEED + 1 + number, instrument=camera)
        images += [np.asarray(image.data) for image in made.cutouts]
        scales += [camera.pixel_scale] * n
        made.table["camera"] = name
        tables.append(Table(made.table))
    return of_images("cameras", images, vstack(tables), scales)


def _point_sources(folder):
    from stars import point_sources

    return of_images(*point_sources(SEED + 100))


def _outside(folder):
    from outside import outside_images

    images, table = outside_images(SEED + 200)
    return of_images("outside", images, table)


def _baseline_training(folder):
    """What the baseline learns from: half of it as F160W, half of it as pictures."""
    from galmorph.simulation import INSTRUMENTS, simulate_galaxies

    random = np.random.default_rng(SEED + 300)
    images, scales, tables = [], [], []
    others = [name for name in INSTRUMENTS if name != "wfc3_f160w"]
    parts = [("wfc3_f160w", 1500, False), ("wfc3_f160w", 800, True)]
    parts += [(name, 50, stretched) for name in others for stretched in (False, True)]
    for number, (name, n, stretched) in enumerate(parts):
        camera = INSTRUMENTS[name]
        made = simulate_galaxies(n, seed=SEED + 301 + number, instrument=camera)
        for image in made.cutouts:
            pixels = np.asarray(image.data)
            images.append(display(pixels, random) if stretched else pixels)
        scales += [np.nan if stretched else camera.pixel_scale] * n
        made.table["camera"] = name
        tables.append(Table(made.table))
    return of_images("baseline_training", images, vstack(tables), scales)


SETS = {
    "sdss": _sdss,
    "redshifted": _redshifted,
    "ceers": _ceers,
    "candels": _candels,
    "fields": _fields,
    "simulated": _simulated,
    "stretched": _stretched,
    "cameras": _cameras,
    "point_sources": _point_sources,
    "outside": _outside,
    "baseline_training": _baseline_training,
}
"""How each set of images is read or made."""

_MADE = (
    "redshifted",
    "simulated",
    "stretched",
    "cameras",
    "point_sources",
    "outside",
    "baseline_training",
)


def load(name, folder, only_table=False):
    """
    One of the sets.

    Parameters
    ----------
    name : str
        One of `SETS`.
    folder : `~pathlib.Path`
        Where made images are kept; they are drawn where they are not there.
    only_table : bool, optional
        Whether what is known of the images is wanted, not their pixels.

    Returns
    -------
    images : `Images` or `~astropy.table.Table`
    """
    if name not in _MADE:
        images = SETS[name](folder)
        return images.table if only_table else images
    if not (folder / f"{name}.npz").exists():
        SETS[name](folder).save(folder)
    if only_table:
        return Table(read_table(folder / f"{name}.ecsv"))
    return Images.read(name, folder)
