# Licensed under a 3-clause BSD style license - see licenses/LICENSE.rst
import numpy as np
import pytest
from astropy.io import fits
from astropy.nddata import NDData, StdDevUncertainty
from astropy.table import QTable

from galmorph import MorphologyClassifier
from galmorph.tests.tiny import galaxy_image, save_tiny_bundle, tan_wcs

SHAPE = (620, 900)


@pytest.fixture(scope="session")
def bundle(tmp_path_factory):
    return save_tiny_bundle(tmp_path_factory.mktemp("model") / "tiny.zip")


@pytest.fixture(scope="session")
def classifier(bundle):
    return MorphologyClassifier.from_file(bundle)


@pytest.fixture(scope="session")
def mosaic():
    """Eighty galaxies, one of them large, bad pixels, noise of 1, with a WCS."""
    rng = np.random.default_rng(5)
    places = rng.uniform((5, 5), (SHAPE[1] - 5, SHAPE[0] - 5), (80, 2))
    pixels = galaxy_image(SHAPE, places)
    y, x = np.indices(SHAPE)
    pixels += 300 * np.exp(-np.hypot(x - 450, y - 300) / 9)
    mask = rng.random(SHAPE) < 0.001
    mask[:40, 700:] = True
    rms = rng.uniform(0.9, 1.1, SHAPE).astype(np.float32)
    return NDData(
        pixels.astype(np.float32),
        mask=mask,
        uncertainty=StdDevUncertainty(rms),
        wcs=tan_wcs(centre=(450, 310)),
    ), places


@pytest.fixture(scope="session")
def catalog(mosaic):
    """The galaxies, in no order, and places where there is nothing to see."""
    image, places = mosaic
    rng = np.random.default_rng(6)
    places = np.concatenate([places, [(450, 300), (800, 15), (-30, 50), (5000, 0)]])
    places = places[rng.permutation(len(places))]
    catalog = QTable({"name": [f"galaxy {i}" for i in range(len(places))]})
    sky = image.wcs.pixel_to_world(*places.T)
    catalog["ra"], catalog["dec"] = sky.ra, sky.dec
    catalog["mag"] = rng.uniform(20, 25, len(places))
    catalog.meta["survey"] = "made"
    catalog["ra"][17] = np.nan
    return catalog


@pytest.fixture(scope="session")
def files(mosaic, tmp_path_factory):
    """Folder with the mosaic, and the same in tiles that overlap."""
    image, _ = mosaic
    folder = tmp_path_factory.mktemp("tiles")
    whole = (np.s_[:, :], "mosaic")
    tiles = [
        (np.s_[y : y + 420, x : x + 500], f"tile_{y}_{x}")
        for y in (0, 200)
        for x in (0, 400)
    ]
    for box, name in [whole, *tiles]:
        header = image.wcs.slice(box).to_header()
        for kind, values in (
            ("sci", image.data),
            ("rms", image.uncertainty.array),
            ("mask", image.mask.astype(np.uint8)),
        ):
            fits.PrimaryHDU(values[box], header).writeto(folder / f"{name}_{kind}.fits")
    return folder
