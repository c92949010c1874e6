# Licensed under a 3-clause BSD style license - see licenses/LICENSE.rst
"""
Simulated mosaics and their truth.
"""

import time

import numpy as np
import pytest
from astropy import units as u
from astropy.io import fits
from astropy.wcs import WCS

from galmorph.core import CANDELS, ConfigurationError
from galmorph.images import as_nddata, detect_sources
from galmorph.simulation import simulate_field
from galmorph.tables import read_table


@pytest.fixture(scope="module")
def field():
    return simulate_field((300, 400), seed=4, n_sources=20)


def test_positions_on_the_sky_are_those_in_pixels(field):
    x, y = field.image.wcs.world_to_pixel(field.catalog["sky_centroid"])
    assert np.allclose(x, field.catalog["x_centroid"], atol=1e-6)
    assert np.allclose(y, field.catalog["y_centroid"], atol=1e-6)
    scale = field.image.meta["pixel_scale"].to_value(u.arcsec / u.pix)
    assert scale == pytest.approx(0.06, rel=1e-6)


def test_catalogue_has_truth_and_votes_for_every_galaxy(field):
    assert len(field.catalog) == 20
    assert list(field.catalog["label"]) == list(range(1, 21))
    assert {"kind", "magnitude", "bulge_to_total"} < set(field.catalog.colnames)
    labels = CANDELS.labels(field.catalog)
    assert np.all((labels >= 0) & (labels <= 1))
    assert set(field.catalog["defect"]) == {""}


def test_segmentation_marks_each_bright_galaxy_where_it_is(field):
    assert field.segmentation.dtype == np.int32
    assert set(np.unique(field.segmentation)) <= set(range(21))
    for row in field.catalog:
        if row["magnitude"].value < 23:
            y, x = round(row["y_centroid"]), round(row["x_centroid"])
            near = field.segmentation[max(y - 3, 0) : y + 4, max(x - 3, 0) : x + 4]
            assert row["label"] in near


def test_noise_of_the_sky_is_the_stated_one(field):
    sky = field.image.data[field.segmentation == 0]
    spread = 1.4826 * np.median(np.abs(sky - np.median(sky)))
    assert spread == pytest.approx(field.image.uncertainty.array[0, 0], rel=0.1)


def test_same_seed_gives_the_same_mosaic(field):
    again = simulate_field((300, 400), seed=4, n_sources=20)
    assert np.array_equal(again.image.data, field.image.data)
    other = simulate_field((300, 400), seed=5, n_sources=20)
    assert not np.array_equal(other.image.data, field.image.data)


def test_bright_galaxies_are_detected(field):
    found = detect_sources(field.image).catalog
    bright = field.catalog[field.catalog["magnitude"].value < 23.5]
    for row in bright:
        distance = np.hypot(
            found["x_centroid"] - row["x_centroid"],
            found["y_centroid"] - row["y_centroid"],
        )
        assert distance.min() < max(5, row["half_light_radius"].value / 0.06)


def test_written_field_comes_back(field, tmp_path):
    path, catalog = field.write(tmp_path / "field.fits")
    with fits.open(path) as hdus:
        assert [hdu.name for hdu in hdus[1:]] == ["SCI", "RMS", "SEG"]
        assert np.array_equal(hdus["SCI"].data, field.image.data)
        assert np.array_equal(hdus["SEG"].data, field.segmentation)
        assert np.allclose(hdus["RMS"].data, 0.003)
        sky = WCS(hdus["SCI"].header).pixel_to_world(10, 20)
    assert sky.separation(field.image.wcs.pixel_to_world(10, 20)) < 1e-4 * u.arcsec
    image = as_nddata(path)
    assert image.unit == u.electron / u.s
    back = read_table(catalog)
    assert len(back) == 20
    assert back["magnitude"].unit == u.mag
    assert np.all(
        back["sky_centroid"].separation(field.catalog["sky_centroid"]) < 1 * u.mas
    )
    assert sorted(p.name for p in tmp_path.iterdir()) == ["field.ecsv", "field.fits"]


def test_compressed_field_has_its_catalogue_beside_it(field, tmp_path):
    path, catalog = field.write(tmp_path / "field.fits.gz")
    assert path.read_bytes()[:2] == b"\x1f\x8b"
    assert catalog.name == "field.ecsv"


def test_files_are_replaced_only_when_told(field, tmp_path):
    (tmp_path / "field.ecsv").write_text("mine")
    with pytest.raises(ConfigurationError, match=r"field\.ecsv.*overwrite=True"):
        field.write(tmp_path / "field.fits")
    assert not (tmp_path / "field.fits").exists()
    field.write(tmp_path / "field.fits", overwrite=True)
    assert (tmp_path / "field.ecsv").read_text() != "mine"


def test_field_without_sources_is_noise():
    empty = simulate_field((64, 80), seed=1, n_sources=0)
    assert len(empty.catalog) == 0
    assert not empty.segmentation.any()
    assert empty.image.data.std() == pytest.approx(0.003, rel=0.15)


def test_density_tells_the_number_of_sources():
    area = (200 * 0.06) ** 2
    field = simulate_field((200, 200), seed=1, density=0.05)
    assert len(field.catalog) == round(0.05 * area)


def test_large_field_is_made_in_time():
    start = time.process_time()
    field = simulate_field((1200, 1200), seed=1, n_sources=150)
    assert time.process_time() - start < 15
    assert len(field.catalog) == 150


@pytest.mark.parametrize(
    ("arguments", "named"),
    [
        ({"shape": (20, 400)}, "shape:"),
        ({"shape": (64, 64), "rms": 0}, "rms:"),
        ({"shape": (64, 64), "n_sources": -1}, "n_sources:"),
        ({"shape": (64, 64), "instrument": 3}, "instrument:"),
    ],
)
def test_wrong_argument_is_named(arguments, named):
    with pytest.raises(ConfigurationError, match=named):
        simulate_field(**arguments, seed=1)
