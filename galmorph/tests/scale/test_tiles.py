# Licensed under a 3-clause BSD style license - see licenses/LICENSE.rst
import gzip
import pickle

import astropy.units as u
import numpy as np
import pytest
from astropy.io import fits
from astropy.nddata import CCDData, InverseVariance, NDData, StdDevUncertainty
from astropy.table import Table
from astropy.utils.exceptions import AstropyUserWarning

from galmorph.core import CatalogError, ImageError
from galmorph.images import as_nddata
from galmorph.scale import Tile, find_tiles, open_tile
from galmorph.tests.scale.server import served
from galmorph.tests.tiny import galaxy_image, tan_wcs, write_fits

BOX = np.s_[30:95, 51:140]


@pytest.fixture(scope="module")
def pixels():
    pixels = galaxy_image((150, 160), [(80, 70)])
    pixels[40:44, 60] = np.nan
    return pixels


def header(**cards):
    return fits.Header({**tan_wcs().to_header(), "BUNIT": "adu", **cards})


def plain(path, pixels):
    fits.PrimaryHDU(pixels, header()).writeto(path)


def second_extension(path, pixels):
    extension = fits.ImageHDU(pixels, header(), name="SCI")
    fits.HDUList([fits.PrimaryHDU(), extension]).writeto(path)


def double(path, pixels):
    fits.PrimaryHDU(pixels.astype(float), header()).writeto(path)


def scaled(path, pixels):
    hdu = fits.PrimaryHDU(np.nan_to_num(pixels), header())
    hdu.scale("int16", bscale=0.01, bzero=3)
    hdu.writeto(path)


def unsigned(path, pixels):
    values = np.clip(np.nan_to_num(pixels) + 100, 0, 60000)
    fits.PrimaryHDU(values.astype(np.uint16), header()).writeto(path)


def with_blank(path, pixels):
    values = np.nan_to_num(10 * pixels, nan=-999).astype(np.int32)
    fits.PrimaryHDU(values, header(BLANK=-999)).writeto(path)


def rice(path, pixels):
    values = np.nan_to_num(10 * pixels).astype(np.int32)
    fits.CompImageHDU(values, header()).writeto(path)


def gzip_blocks(path, pixels):
    fits.CompImageHDU(
        pixels, header(), compression_type="GZIP_2", tile_shape=(50, 40)
    ).writeto(path)


def gzipped(path, pixels):
    plain(path, pixels)
    path.write_bytes(gzip.compress(path.read_bytes()))


def ccd(path, pixels):
    CCDData(
        np.nan_to_num(pixels),
        mask=np.isnan(pixels),
        uncertainty=InverseVariance(np.full(pixels.shape, 4.0)),
        unit="adu",
        wcs=tan_wcs(),
    ).write(path)


KINDS = [
    plain,
    second_extension,
    double,
    scaled,
    unsigned,
    with_blank,
    rice,
    gzip_blocks,
    gzipped,
    ccd,
]


def assert_window(window, whole, box=BOX):
    """The window is the same, bit by bit, as that of the whole image."""
    assert window.data.dtype == whole.data.dtype
    np.testing.assert_array_equal(window.data, whole.data[box])
    np.testing.assert_array_equal(window.mask, whole.mask[box])
    if whole.uncertainty is None:
        assert window.uncertainty is None
    else:
        array = whole.uncertainty.array[box]
        assert window.uncertainty.array.dtype == array.dtype
        np.testing.assert_array_equal(window.uncertainty.array, array)
    assert window.unit == whole.unit
    assert window.meta["pixel_scale"] == whole.meta["pixel_scale"]
    here, there = window.wcs.pixel_to_world(3, 4), whole.wcs.pixel_to_world(54, 34)
    assert here.separation(there) < 1e-6 * u.arcsec


@pytest.mark.parametrize("write", KINDS, ids=lambda kind: kind.__name__)
def test_a_window_of_a_file_is_that_of_the_whole_image(write, pixels, tmp_path):
    path = tmp_path / "image.fits"
    write(path, pixels)
    with open_tile(path) as tile:
        whole = as_nddata(path)
        assert tile.shape == (150, 160)
        assert tile.unit == u.adu
        assert tile.pixel_scale == whole.meta["pixel_scale"]
        assert_window(tile.read(BOX), whole)
        window = tile.read()
        np.testing.assert_array_equal(window.data, whole.data)
        assert tile.read(np.s_[140:200, 150:]).data.shape == (10, 10)


def test_whole_rows_are_the_cheapest_where_rows_are_compressed(pixels, tmp_path):
    for write in (plain, rice, gzip_blocks):
        write(tmp_path / f"{write.__name__}.fits", pixels)
    for name, expected in (("rice", True), ("gzip_blocks", False), ("plain", False)):
        with open_tile(tmp_path / f"{name}.fits") as tile:
            assert tile.in_strips is expected


@pytest.mark.parametrize("kind", ["rms", "weight"])
def test_noise_and_mask_come_from_files_of_their_own(kind, pixels, tmp_path):
    plain(tmp_path / "sci.fits", pixels)
    noise = np.random.default_rng(1).uniform(1, 3, pixels.shape).astype(np.float32)
    noise[35, 60:70] = 0
    noise[36, 60:70] = np.nan
    values = noise
    if kind == "weight":
        values = np.divide(1, noise**2, out=np.zeros_like(noise), where=noise > 0)
    write_fits(tmp_path / "noise.fits", values)
    bad = np.zeros(pixels.shape, np.uint8)
    bad[50, 60] = 4
    write_fits(tmp_path / "mask.fits", bad)
    tile = Tile(tmp_path / "sci.fits", mask=tmp_path / "mask.fits", pixel_scale=0.05)
    (tile,) = find_tiles(tile, **{kind: tmp_path / "noise.fits"})
    with open_tile(tile) as opened:
        window = opened.read(BOX)
    expected = ~np.isfinite(pixels) | (bad != 0) | ~(noise > 0)
    np.testing.assert_array_equal(window.mask, expected[BOX])
    good = ~window.mask
    np.testing.assert_allclose(window.uncertainty.array[good], noise[BOX][good], 1e-6)
    assert window.meta["pixel_scale"] == 0.05 * u.arcsec / u.pix


def test_an_image_in_memory_is_a_tile(pixels):
    image = NDData(
        pixels, uncertainty=StdDevUncertainty(np.full(pixels.shape, 2.0)), wcs=tan_wcs()
    )
    with open_tile(image) as tile:
        assert tile.name == "image"
        assert_window(tile.read(BOX), as_nddata(image))
    cube = NDData(np.stack([pixels, pixels], axis=-1))
    with open_tile(cube) as tile:
        assert tile.shape == (150, 160, 2)
        assert tile.read(BOX).data.shape == (65, 89, 2)
        assert tile.read(BOX).wcs is None


def test_segments_are_whole_numbers(pixels, tmp_path):
    segments = np.zeros(pixels.shape, np.float32)
    segments[60:80, 70:90] = 7
    write_fits(tmp_path / "segments.fits", segments)
    for given in (segments, tmp_path / "segments.fits", segments.astype(">i8")):
        with open_tile(Tile(pixels, segmentation=given)) as tile:
            window = tile.segments(BOX)
        assert window.dtype.kind == "i" and window.dtype.isnative
        np.testing.assert_array_equal(window, segments[BOX])
    assert open_tile(pixels).segments(BOX) is None


def test_tiles_are_found_by_patterns_lists_and_tables(pixels, tmp_path):
    for name in ("b_sci", "a_sci", "a_rms"):
        plain(tmp_path / f"{name}.fits", pixels)
    names = [tile.name for tile in find_tiles(tmp_path / "*_sci.fits")]
    assert names == ["a_sci", "b_sci"]
    assert len(find_tiles([str(tmp_path / "*_sci.fits"), pixels])) == 3
    table = Table(
        {"sci": ["a_sci.fits", "b_sci.fits"], "rms": ["a_rms.fits", ""], "hdu": [0, 0]}
    )
    table.write(tmp_path / "tiles.csv")
    table.write(tmp_path / "tiles.ecsv")
    for path in (tmp_path / "tiles.csv", tmp_path / "tiles.ecsv"):
        first, second = find_tiles(path, pixel_scale=0.05)
        assert first.sci == str(tmp_path / "a_sci.fits")
        assert first.rms == str(tmp_path / "a_rms.fits") and second.rms is None
        assert first.pixel_scale == 0.05 and first.hdu == 0


def test_tiles_of_one_name_can_be_told_apart(pixels, tmp_path):
    for folder in ("east", "west"):
        (tmp_path / folder).mkdir()
        plain(tmp_path / folder / "sci.fits", pixels)
    east, west, one, two = find_tiles([tmp_path / "*/sci.fits", pixels, pixels])
    assert east.name.endswith("sci.fits") and east.name != west.name
    assert one.name != two.name


@pytest.mark.parametrize(
    "tiles, words",
    [
        ("missing.fits", "does not exist"),
        ("no*such.fits", "no file matches"),
        ([], "there are none"),
        (".", "is a folder"),
        (Table({"sci": ["missing.fits"]}), "does not exist"),
        (Table({"sci": [""]}), "has no 'sci'"),
        (Table({"image": ["a.fits"]}), "no column 'sci'"),
    ],
)
def test_tiles_that_are_not_there_are_told(tiles, words):
    with pytest.raises((ImageError, CatalogError), match=words):
        find_tiles(tiles)


def test_the_same_tile_twice_is_refused(pixels, tmp_path):
    plain(tmp_path / "a.fits", pixels)
    with pytest.raises(ImageError, match="more than once"):
        find_tiles([tmp_path / "a.fits", tmp_path / "a.fits"])


def test_files_that_do_not_fit_are_told(pixels, tmp_path):
    plain(tmp_path / "sci.fits", pixels)
    plain(tmp_path / "small.fits", pixels[:50])
    fits.PrimaryHDU(np.zeros((2, 5, 5))).writeto(tmp_path / "cube.fits")
    (tmp_path / "text.fits").write_text("This is no image.")
    content = (tmp_path / "sci.fits").read_bytes()
    (tmp_path / "cut.fits").write_bytes(content[: len(content) // 2])
    with pytest.raises(ImageError, match=r"rms: the shape \(50, 160\)"):
        open_tile(Tile(tmp_path / "sci.fits", rms=tmp_path / "small.fits"))
    with pytest.raises(ImageError, match="expected 2 axes"):
        open_tile(tmp_path / "cube.fits")
    with pytest.raises(ImageError, match="cannot be read as FITS"):
        open_tile(tmp_path / "text.fits")
    with pytest.raises(ImageError, match="no extension 7"):
        open_tile(Tile(tmp_path / "sci.fits", hdu=7))
    with pytest.raises(ImageError, match="give one of them"):
        Tile(tmp_path / "sci.fits", rms="a.fits", weight="b.fits")
    with pytest.warns(AstropyUserWarning, match="truncated"):
        with open_tile(tmp_path / "cut.fits") as tile:
            assert tile.read(np.s_[:9, :]).data.shape == (9, 160)
            with pytest.raises(ImageError, match="in rows 140 to 150"):
                tile.read(np.s_[140:150, :])


def test_an_unpacked_copy_does_not_stay(pixels, tmp_path, monkeypatch):
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path / "temporary"))
    (tmp_path / "temporary").mkdir()
    gzipped(tmp_path / "image.fits.gz", pixels)
    tile = open_tile(tmp_path / "image.fits.gz")
    assert any((tmp_path / "temporary").iterdir())
    tile.close()
    assert not any((tmp_path / "temporary").iterdir())


def test_a_tile_travels_to_other_processes(pixels, tmp_path):
    plain(tmp_path / "sci.fits", pixels)
    tile = Tile(tmp_path / "sci.fits", name="uds")
    assert pickle.loads(pickle.dumps(tile)) == tile


@pytest.mark.parametrize("write", [plain, rice, scaled], ids=lambda k: k.__name__)
def test_only_a_part_of_a_remote_file_is_fetched(write, tmp_path):
    pytest.importorskip("aiohttp")
    pixels = galaxy_image((2000, 500), [(80, 70)])
    write(tmp_path / "image.fits", pixels)
    whole = as_nddata(tmp_path / "image.fits")
    options = {"block_size": 1 << 16}
    with served(tmp_path) as server:
        address = f"{server.address}/image.fits"
        with open_tile(Tile(address, fsspec_kwargs=options)) as tile:
            assert tile.in_strips and tile.name == "image"
            assert_window(tile.read(BOX), whole)
    assert server.sent < 0.7 * (tmp_path / "image.fits").stat().st_size


def test_public_data_on_s3_need_no_key(tmp_path, monkeypatch):
    pytest.importorskip("s3fs")
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_PROFILE"):
        monkeypatch.delenv(name, raising=False)
    (tmp_path / "bucket").mkdir()
    path = tmp_path / "bucket" / "image.fits"
    rice(path, galaxy_image((2000, 500), [(80, 70)]))
    # what S3 answers to those who only read is what any web server does
    with served(tmp_path) as server:
        monkeypatch.setenv("AWS_ENDPOINT_URL", server.address)
        tile = Tile(
            "s3://bucket/image.fits", fsspec_kwargs={"default_block_size": 65536}
        )
        with open_tile(tile) as opened:
            assert opened.in_strips and opened.name == "image"
            assert_window(opened.read(BOX), as_nddata(path))
        with pytest.raises(ImageError, match="missing.fits cannot be read"):
            open_tile("s3://bucket/missing.fits")
    assert server.sent < 0.7 * path.stat().st_size


def test_a_server_that_gives_no_parts_gives_the_whole(pixels, tmp_path):
    plain(tmp_path / "image.fits", pixels)
    with served(tmp_path, ranges=False) as server:
        with open_tile(f"{server.address}/image.fits") as tile:
            assert_window(tile.read(BOX), as_nddata(tmp_path / "image.fits"))
        with pytest.raises(ImageError, match="missing.fits cannot be read"):
            open_tile(f"{server.address}/missing.fits")
