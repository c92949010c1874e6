# Licensed under a 3-clause BSD style license - see licenses/LICENSE.rst
"""Sources found part by part are those of the whole image."""

import numpy as np
import pytest
from astropy import units as u
from astropy.io import fits
from astropy.nddata import NDData, StdDevUncertainty
from astropy.table import vstack
from scipy.spatial import cKDTree

from galmorph.core import ConfigurationError, ImageError
from galmorph.images import DetectionConfig, detect_sources
from galmorph.scale import Tile, detect_parts, parts
from galmorph.simulation import simulate_field
from galmorph.tests.tiny import tan_wcs

SHAPE = (640, 820)
LARGE, LARGE_RADIUS = (410, 330), 22  # a galaxy that is put into the field


def add_galaxy(image, x0, y0, radius, brightness):
    y, x = np.indices(image.shape)
    distance = np.hypot(x - x0, 1.3 * (y - y0))
    image += (brightness * np.exp(-distance / radius)).astype(image.dtype)


@pytest.fixture(scope="module")
def field():
    """A simulated field with a large galaxy, a hole, and noise that varies."""
    image = simulate_field(SHAPE, seed=4).image
    add_galaxy(image.data, *LARGE, LARGE_RADIUS, 0.5)
    mask = np.zeros(SHAPE, bool)
    mask[200:260, 500:700] = mask[:, 777] = True
    rms = image.uncertainty.array.copy()
    rms[:, 600:] *= 1.5
    return NDData(
        image.data,
        mask=mask,
        uncertainty=StdDevUncertainty(rms),
        unit=image.unit,
        wcs=tan_wcs(centre=(400, 300)),
    )


@pytest.fixture(scope="module")
def whole(field):
    return detect_sources(field)


def joined(found):
    """All sources, and the segmentation map, of parts."""
    found = list(found)
    segmentation = np.zeros(found[0].shape, np.int32)
    for part in found:
        assert not part.reason
        assert not segmentation.ravel()[part.places].any()
        segmentation.ravel()[part.places] = part.labels
        assert set(part.labels.tolist()) == set(part.catalog["label"].tolist())
    return vstack([part.catalog for part in found], "exact"), segmentation


def in_order(catalog):
    return catalog[np.lexsort((catalog["x_centroid"], catalog["y_centroid"]))]


def assert_same(catalog, segmentation, whole):
    found, wanted = in_order(catalog), in_order(whole.catalog)
    assert len(found) == len(wanted)
    assert found.colnames == wanted.colnames
    for name in found.colnames:
        assert found[name].info.unit == wanted[name].info.unit
        if name == "sky_centroid":
            separation = found[name].separation(wanted[name])
            assert (separation < 1e-9 * u.arcsec).all()
        elif name != "label":
            np.testing.assert_allclose(
                found[name].astype(float), wanted[name].astype(float), rtol=1e-9
            )
    # the same map but for the numbers
    number = np.zeros(whole.segmentation.max() + 1, np.int32)
    number[wanted["label"]] = found["label"]
    np.testing.assert_array_equal(number[whole.segmentation], segmentation)
    assert sorted(found["label"]) == list(range(1, len(found) + 1))


@pytest.mark.parametrize("size", [100, 230, 500, 1024])
def test_parts_of_any_size_give_the_sources_of_the_whole(field, whole, size):
    found = list(detect_parts(field, DetectionConfig(), part_size=size))
    assert len(found) > (1 if size < 700 else 0)
    assert len(whole.catalog) > 50
    assert_same(*joined(found), whole)
    for part in found:
        rows, columns = part.box
        x, y = part.catalog["x_centroid"], part.catalog["y_centroid"]
        assert ((x >= columns.start - 0.5) & (x < columns.stop - 0.5)).all()
        assert ((y >= rows.start - 0.5) & (y < rows.stop - 0.5)).all()


@pytest.mark.parametrize("with_error", [True, False])
def test_parts_of_a_deep_hubble_image_give_the_sources_of_the_whole(
    real_data, with_error
):
    folder = real_data / "hst_deep_500"
    error = StdDevUncertainty(fits.getdata(folder / "f160w_rms.fits.gz"))
    image = NDData(
        fits.getdata(folder / "f160w_sci.fits.gz"),
        uncertainty=error if with_error else None,
    )
    config = DetectionConfig(box_size=64)
    whole = detect_sources(image, config)
    assert len(whole.catalog) > 60
    for size in (64, 130, 260):
        assert_same(*joined(detect_parts(image, config, part_size=size)), whole)


def test_parts_of_the_extreme_deep_field_give_the_sources_of_the_whole(real_data):
    folder, name = real_data / "xdf_f160w", "xdf_hst_wfc3ir_60mas_f160w"
    tile = Tile(folder / f"{name}_sci.fits", rms=folder / f"{name}_rms.fits")
    config = DetectionConfig(box_size=50)
    with fits.open(tile.sci) as sci, fits.open(tile.rms) as rms:
        data, error = (hdus[0].data.astype(np.float32) for hdus in (sci, rms))
    whole = detect_sources(NDData(data, uncertainty=StdDevUncertainty(error)), config)
    catalog, segmentation = joined(detect_parts(tile, config, part_size=100))
    assert len(catalog) > 25
    catalog.remove_column("sky_centroid")
    assert_same(catalog, segmentation, whole)


def test_a_galaxy_larger_than_parts_and_margins_is_found_once_and_whole():
    image = np.random.default_rng(1).normal(0, 1, (700, 700)).astype(np.float32)
    add_galaxy(image, 350, 349.5, 40, 300)
    config = DetectionConfig(box_size=350)
    whole = detect_sources(image, config)
    (row,) = whole.catalog[whole.catalog["area"] > 50_000 * u.pix**2]
    assert row["bbox_xmax"] - row["bbox_xmin"] > 350 / 2 + parts.MARGIN
    assert_same(*joined(detect_parts(image, config, part_size=350)), whole)


def test_a_galaxy_larger_than_the_largest_window_is_cut_and_marked(monkeypatch):
    monkeypatch.setattr(parts, "LARGEST", 500)
    image = np.random.default_rng(1).normal(0, 1, (700, 700)).astype(np.float32)
    add_galaxy(image, 350, 349.5, 50, 300)
    add_galaxy(image, 60, 50, 4, 100)
    config = DetectionConfig(box_size=350)
    catalog = vstack([p.catalog for p in detect_parts(image, config, part_size=350)])
    large = catalog["area"] > 50_000 * u.pix**2
    assert catalog["touches_edge"][large].all() and large.any()
    distance = np.hypot(catalog["x_centroid"] - 60, catalog["y_centroid"] - 50)
    assert list(catalog["touches_edge"][distance < 3]) == [False]


@pytest.mark.parametrize("kind", ["noise", "masked", "constant"])
def test_an_image_without_sources_has_empty_parts(kind):
    image = np.random.default_rng(2).normal(size=(300, 400))
    mask = np.full(image.shape, kind == "masked")
    image = np.ones_like(image) if kind == "constant" else image
    whole = detect_sources(NDData(image, mask=mask))
    found = list(detect_parts(NDData(image, mask=mask), part_size=128))
    assert len(found) == 6
    for part in found:
        assert len(part.catalog) == 0 and not part.reason
        assert part.catalog.colnames == whole.catalog.colnames
        assert not part.segmentation().any()


def test_masked_and_empty_parts_do_not_disturb_the_others():
    rng = np.random.default_rng(3)
    image = rng.normal(size=(500, 500)).astype(np.float32)
    for x, y in rng.uniform(20, 240, (12, 2)):
        add_galaxy(image, x, y, 3, 60)
    mask = np.zeros(image.shape, bool)
    mask[:, 250:] = True
    image[:, 400:] = np.nan
    image = NDData(image, mask=mask)
    found = list(detect_parts(image, part_size=125))
    assert {len(part.catalog) > 0 for part in found} == {True, False}
    assert_same(*joined(found), detect_sources(image))


def write(folder, image, name="image", **options):
    kind = options.pop("kind", fits.PrimaryHDU)
    hdus = [kind(image.data, image.wcs.to_header(), **options)]
    if kind is fits.CompImageHDU:
        hdus.insert(0, fits.PrimaryHDU())
    fits.HDUList(hdus).writeto(folder / f"{name}.fits")
    fits.PrimaryHDU(image.uncertainty.array).writeto(folder / f"{name}_rms.fits")
    mask = image.mask.astype(np.uint8)
    fits.PrimaryHDU(mask).writeto(folder / f"{name}_mask.fits")
    return Tile(
        folder / f"{name}.fits",
        rms=folder / f"{name}_rms.fits",
        mask=folder / f"{name}_mask.fits",
    )


def test_processes_find_what_this_one_finds(field, whole, tmp_path):
    tile = write(tmp_path, field)
    catalogs = []
    for n_workers in (0, 2):
        found = list(detect_parts(tile, part_size=256, n_workers=n_workers))
        catalogs.append(vstack([part.catalog for part in found], "exact"))
    here, there = catalogs
    for name in here.colnames:
        if name != "sky_centroid":
            np.testing.assert_array_equal(here[name], there[name])
    assert len(here) == len(whole.catalog)


def test_a_compressed_image_is_searched_in_strips(field, tmp_path):
    image = NDData(
        np.tile(field.data, (1, 2)),
        mask=np.tile(field.mask, (1, 2)),
        uncertainty=StdDevUncertainty(np.tile(field.uncertainty.array, (1, 2))),
        wcs=field.wcs,
    )
    tile = write(
        tmp_path,
        image,
        kind=fits.CompImageHDU,
        quantize_level=0,
        compression_type="GZIP_2",
    )
    found = list(detect_parts(tile, part_size=256))
    assert all(part.box[1] == slice(0, 2 * SHAPE[1]) for part in found)
    assert len(found) > 2
    assert_same(*joined(found), detect_sources(image))


def test_a_tile_that_cannot_be_read_is_told_and_the_others_are_searched(
    field, whole, tmp_path
):
    tile = write(tmp_path, field)
    bad = tmp_path / "bad.fits"
    bad.write_bytes(b"no image" * 1000)
    found = list(detect_parts([bad, tile], part_size=512))
    assert found[0].tile == "bad" and "cannot be read" in found[0].reason
    assert len(found[0].catalog) == 0
    assert sum(len(part.catalog) for part in found[1:]) == len(whole.catalog)
    with pytest.raises(ImageError, match="bad.fits"):
        detect_parts(bad)


@pytest.mark.filterwarnings("ignore:File may have been truncated")
@pytest.mark.parametrize("n_workers", [0, 1])
def test_a_damaged_region_costs_its_own_parts(field, whole, tmp_path, n_workers):
    tile = write(tmp_path, field)
    size = tile.sci.stat().st_size
    with open(tile.sci, "r+b") as file:
        file.truncate(size - 4 * SHAPE[1] * 100)  # the last hundred rows
    found = list(detect_parts(tile, part_size=128, n_workers=n_workers))
    bad = [part for part in found if part.reason]
    assert {part.box[0].stop for part in bad} == {SHAPE[0]}
    assert "to 640" in bad[0].reason
    good = vstack([part.catalog for part in found if not part.reason])
    rest = good[~good["touches_edge"]]
    assert 0.6 * len(whole.catalog) < len(rest) < len(whole.catalog)


def overlapping(folder, image, noise):
    """Four tiles of an image that overlap, each with some noise of its own."""
    rng = np.random.default_rng(9)
    for y in (0, 200):
        for x in (0, 300):
            box = np.s_[y : y + 440, x : x + 520]
            data = image.data[box] + rng.normal(0, noise, (440, 520))
            cut = NDData(
                data.astype(np.float32),
                mask=image.mask[box],
                uncertainty=StdDevUncertainty(image.uncertainty.array[box]),
                wcs=image.wcs.slice(box),
            )
            yield write(folder, cut, name=f"tile_{y}_{x}")


@pytest.mark.parametrize("noise", [0, 0.001])
def test_sources_where_tiles_overlap_are_found_once(field, whole, tmp_path, noise):
    tiles = list(overlapping(tmp_path, field, noise))
    found = vstack([p.catalog for p in detect_parts(tiles, part_size=256)], "exact")
    assert set(found["tile"]) == {
        "tile_0_0",
        "tile_0_300",
        "tile_200_0",
        "tile_200_300",
    }
    x, y = field.wcs.world_to_pixel(found["sky_centroid"])
    places = np.transpose([x, y])
    assert len(cKDTree(places).query_pairs(2.0)) == 0
    known = np.transpose([whole.catalog[f"{axis}_centroid"] for axis in "xy"])
    # which pieces a large galaxy falls into depends on the sky of each tile, and
    # what is faint comes and goes with the noise
    found, known = (
        positions[
            (np.hypot(*(positions - LARGE).T) > 6 * LARGE_RADIUS)
            & (catalog["snr"] > 25)
        ]
        for positions, catalog in ((places, found), (known, whole.catalog))
    )
    distance, _ = cKDTree(places).query(known)
    assert len(known) > 40 and np.mean(distance < 2) > 0.92
    assert abs(len(found) - len(known)) < 0.1 * len(known)


def test_the_order_of_tiles_makes_little_difference(field, tmp_path):
    tiles = list(overlapping(tmp_path, field, 0))
    numbers = [
        sum(len(part.catalog) for part in detect_parts(order))
        for order in (tiles, tiles[::-1])
    ]
    assert numbers[0] == pytest.approx(numbers[1], abs=2)


@pytest.mark.parametrize("wrong", [0, 5000, True])
def test_a_part_size_out_of_range_is_named(wrong):
    with pytest.raises(ConfigurationError, match="part_size"):
        detect_parts(np.zeros((50, 50)), part_size=wrong)
    with pytest.raises(ConfigurationError, match="box_size"):
        detect_parts(np.zeros((50, 50)), DetectionConfig(box_size=4000))


def test_progress_is_told_to_the_end(field):
    told = []
    list(detect_parts(field, part_size=512, progress=lambda *n: told.append(n)))
    assert told[-1][0] == told[-1][1] == len(told)
