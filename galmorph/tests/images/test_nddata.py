# Licensed under a 3-clause BSD style license - see licenses/LICENSE.rst
"""Whatever holds an image becomes NDData of one kind, and stays as it was."""

import threading
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer

import numpy as np
import pytest
from astropy import units as u
from astropy.io import fits
from astropy.nddata import (
    CCDData,
    Cutout2D,
    InverseVariance,
    NDData,
    NDDataRef,
    StdDevUncertainty,
    VarianceUncertainty,
)
from astropy.table import Table
from astropy.utils.masked import Masked

from galmorph.core import ImageError
from galmorph.images import as_nddata, pixel_scale_of
from galmorph.tests.tiny import PIXEL_SCALE, tan_wcs


@pytest.fixture
def pixels():
    return np.random.default_rng(3).normal(100, 10, (30, 40)).astype(np.float32)


@pytest.mark.parametrize(
    ("given", "wanted"),
    [
        ("u1", "f4"),
        (">i2", "f4"),
        ("i4", "f8"),
        (">i8", "f8"),
        ("f2", "f4"),
        (">f4", "f4"),
        ("f8", "f8"),
        (">f8", "f8"),
        ("?", "f4"),
    ],
)
def test_every_real_type_becomes_native_floats(pixels, given, wanted):
    data = pixels.astype(given)
    image = as_nddata(data)
    assert image.data.dtype == np.dtype(wanted)
    assert image.data.dtype.isnative
    np.testing.assert_array_equal(image.data, data)


def test_pixels_that_are_not_finite_are_masked(pixels):
    pixels[2, 3], pixels[4, 5], pixels[6, 7] = np.nan, np.inf, -np.inf
    rows, columns = np.nonzero(as_nddata(pixels).mask)
    assert list(zip(rows, columns, strict=True)) == [(2, 3), (4, 5), (6, 7)]


def test_masks_of_the_image_and_of_the_caller_are_joined(pixels):
    own, given = np.zeros((2, 30, 40), bool)
    own[1, 1] = given[2, 2] = True
    for image in (
        np.ma.array(pixels, mask=own),
        NDData(pixels, mask=own),
        CCDData(pixels, mask=own, unit="adu"),
        Masked(pixels, mask=own),
        Masked(pixels * u.Jy, mask=own),
    ):
        np.testing.assert_array_equal(as_nddata(image).mask, own)
        np.testing.assert_array_equal(as_nddata(image, mask=given).mask, own | given)


def test_units_are_kept(pixels):
    assert as_nddata(pixels).unit is None
    for image in (
        pixels * u.Jy,
        NDData(pixels, unit="Jy"),
        CCDData(pixels, unit="Jy"),
        Cutout2D(pixels * u.Jy, (20, 15), 9),
        Masked(pixels * u.Jy),
    ):
        converted = as_nddata(image)
        assert converted.unit == u.Jy
        assert type(converted.data) is np.ndarray
    assert as_nddata(pixels * u.Jy, unit="nJy").unit == u.nJy


@pytest.mark.parametrize(
    "uncertainty",
    [
        StdDevUncertainty(np.full((30, 40), 2.0)),
        VarianceUncertainty(np.full((30, 40), 4.0)),
        InverseVariance(np.full((30, 40), 0.25)),
        VarianceUncertainty(np.full((30, 40), 4e6), unit=u.mJy**2),
        np.full((30, 40), 2.0),
        np.full((30, 40), 2000.0) * u.mJy,
    ],
)
def test_every_uncertainty_becomes_a_standard_deviation(pixels, uncertainty):
    image = as_nddata(pixels * u.Jy, uncertainty=uncertainty)
    assert image.uncertainty.uncertainty_type == "std"
    np.testing.assert_allclose(image.uncertainty.array, 2.0)


def test_a_weight_of_zero_masks_the_pixel(pixels):
    weight = np.full(pixels.shape, 4.0)
    weight[3, 4] = 0
    image = as_nddata(pixels, uncertainty=InverseVariance(weight))
    assert np.argwhere(image.mask).tolist() == [[3, 4]]


def test_the_pixel_scale_comes_from_the_wcs_or_the_argument(pixels):
    wcs = tan_wcs()
    for image in (
        NDData(pixels, wcs=wcs),
        CCDData(pixels, wcs=wcs, unit="adu"),
        Cutout2D(pixels, (20, 15), 9, wcs=wcs),
        NDDataRef(pixels, wcs=wcs)[5:20, 8:30],
    ):
        scale = pixel_scale_of(as_nddata(image))
        assert scale.unit == u.arcsec / u.pix
        assert scale.value == pytest.approx(PIXEL_SCALE)
    for given in (0.1, 0.1 * u.arcsec, 100 * u.mas / u.pix, (0.1 / 3600) * u.deg):
        scale = pixel_scale_of(as_nddata(image, pixel_scale=given))
        assert scale.value == pytest.approx(0.1)
    assert pixel_scale_of(as_nddata(pixels)) is None


def test_slices_and_cutouts_keep_their_place_on_the_sky(pixels):
    wcs = tan_wcs(centre=(20.0, 15.0))
    for image, (x, y) in (
        (Cutout2D(pixels, (20, 15), 11, wcs=wcs), (5, 5)),
        (NDDataRef(pixels, wcs=wcs)[5:25, 8:30], (12, 10)),
        (CCDData(pixels, wcs=wcs, unit="adu")[5:25, 8:30], (12, 10)),
    ):
        sky = as_nddata(image).wcs.pixel_to_world(x, y)
        assert sky.ra.deg == pytest.approx(53.1, abs=1e-9)
        assert sky.dec.deg == pytest.approx(-27.8, abs=1e-9)


def test_what_was_made_once_is_not_changed_by_making_it_again(pixels):
    first = as_nddata(pixels * u.Jy, uncertainty=pixels, pixel_scale=0.2)
    again = as_nddata(first)
    assert pixel_scale_of(again) == pixel_scale_of(first)
    assert again.unit == first.unit
    np.testing.assert_array_equal(again.data, first.data)
    np.testing.assert_array_equal(again.uncertainty.array, first.uncertainty.array)


def test_inputs_are_never_changed(pixels):
    pixels[1, 1] = np.nan
    mask = np.zeros(pixels.shape, bool)
    mask[0, 0] = True
    for array in (pixels, mask):
        array.flags.writeable = False
    image = as_nddata(NDData(pixels, mask=mask, meta={"a": 1}), mask=mask)
    image.data[...] = 0
    image.mask[...] = True
    image.meta["a"] = 2
    assert np.isnan(pixels[1, 1]) and pixels[2, 2] > 0 and mask.sum() == 1


def test_bands_come_last(pixels):
    cube = np.stack([pixels, pixels + 1, pixels + 2])
    cube[1, 5, 6] = np.nan
    image = as_nddata(cube, band_axis=0, uncertainty=np.ones_like(cube))
    assert image.data.shape == (30, 40, 3)
    assert image.uncertainty.array.shape == (30, 40, 3)
    assert np.argwhere(image.mask).tolist() == [[5, 6]]
    np.testing.assert_array_equal(image.data[..., 2], pixels + 2)


@pytest.mark.parametrize("name", ["a.fits", "a.fit", "a.fits.gz", "a.fits.fz"])
def test_fits_files_are_read_however_they_are_packed(tmp_path, pixels, name):
    path = tmp_path / name
    if name.endswith(".fz"):
        compressed = fits.CompImageHDU(
            pixels, compression_type="GZIP_2", quantize_level=0
        )
        fits.HDUList([fits.PrimaryHDU(), compressed]).writeto(path)
    else:
        fits.PrimaryHDU(pixels, fits.Header({"BUNIT": "electron/s"})).writeto(path)
    image = as_nddata(path)
    np.testing.assert_array_equal(image.data, pixels)
    np.testing.assert_array_equal(as_nddata(str(path)).data, pixels)
    if not name.endswith(".fz"):
        assert image.unit == u.electron / u.s
        assert image.meta["header"]["BUNIT"] == "electron/s"


def test_scaled_integers_are_read_as_what_they_mean(tmp_path):
    values = np.arange(12.0).reshape(3, 4) * 0.25 + 1000
    hdu = fits.PrimaryHDU(values.copy())
    hdu.scale("int16", bscale=0.25, bzero=1000)
    hdu.writeto(tmp_path / "scaled.fits")
    unsigned = np.array([[0, 65535], [1, 40000]], np.uint16)
    fits.PrimaryHDU(unsigned).writeto(tmp_path / "unsigned.fits")
    np.testing.assert_array_equal(as_nddata(tmp_path / "scaled.fits").data, values)
    np.testing.assert_array_equal(as_nddata(tmp_path / "unsigned.fits").data, unsigned)


def test_blank_pixels_of_integer_files_are_masked(tmp_path):
    hdu = fits.PrimaryHDU(np.array([[1, 2], [3, -99]], np.int16))
    hdu.header["BLANK"] = -99
    hdu.writeto(tmp_path / "blank.fits")
    assert as_nddata(tmp_path / "blank.fits").mask.tolist() == [[0, 0], [0, 1]]


def test_the_first_image_of_several_extensions_is_taken(tmp_path, pixels):
    table = fits.BinTableHDU(Table({"a": [1.0]}))
    extensions = [
        fits.PrimaryHDU(),
        table,
        fits.ImageHDU(pixels, name="SCI"),
        fits.ImageHDU(pixels + 1, name="OTHER"),
    ]
    hdus = fits.HDUList(extensions)
    hdus.writeto(tmp_path / "several.fits")
    for image in (tmp_path / "several.fits", hdus, extensions[2]):
        np.testing.assert_array_equal(as_nddata(image).data, pixels)
    chosen = as_nddata(hdus, hdu="OTHER")
    np.testing.assert_array_equal(chosen.data, pixels + 1)


def test_sip_terms_left_over_on_a_plain_projection_are_dropped(tmp_path, pixels):
    header = tan_wcs(centre=(20.0, 15.0)).to_header()
    header.update({"A_ORDER": 2, "B_ORDER": 2, "A_2_0": 1e-3, "B_0_2": 1e-3})
    fits.PrimaryHDU(pixels, header).writeto(tmp_path / "sip.fits")
    image = as_nddata(tmp_path / "sip.fits")
    assert image.wcs.sip is None
    assert image.wcs.pixel_to_world(0, 0).ra.deg == pytest.approx(
        tan_wcs(centre=(20.0, 15.0)).pixel_to_world(0, 0).ra.deg
    )
    assert pixel_scale_of(image).value == pytest.approx(PIXEL_SCALE)


def test_sip_terms_that_are_meant_are_kept(pixels):
    header = tan_wcs(centre=(20.0, 15.0)).to_header()
    header.update({"CTYPE1": "RA---TAN-SIP", "CTYPE2": "DEC--TAN-SIP"})
    header.update({"A_ORDER": 2, "B_ORDER": 2, "A_2_0": 1e-3, "B_0_2": 1e-3})
    wcs = as_nddata(fits.PrimaryHDU(pixels, header)).wcs
    assert wcs.sip.a[2, 0] == 1e-3
    assert (
        wcs.pixel_to_world(0, 0).separation(
            tan_wcs(centre=(20.0, 15.0)).pixel_to_world(0, 0)
        )
        > 0.01 * u.arcsec
    )


def test_headers_of_thousands_of_cards_do_not_matter(pixels):
    header = tan_wcs(centre=(20.0, 15.0)).to_header()
    header.update({f"D{number:04d}": "drizzled" for number in range(3000)})
    image = as_nddata(fits.PrimaryHDU(pixels, header))
    assert pixel_scale_of(image).value == pytest.approx(PIXEL_SCALE)
    assert image.wcs.to_header(relax=True)["RADESYS"] == header["RADESYS"]
    assert image.meta["header"]["D2999"] == "drizzled"


def test_a_header_without_a_celestial_wcs_gives_none(tmp_path, pixels):
    header = fits.Header({"CTYPE1": "LINEAR", "CTYPE2": "LINEAR", "BUNIT": "bananas"})
    image = as_nddata(fits.PrimaryHDU(pixels, header))
    assert image.wcs is None and image.unit is None


class _Quiet(SimpleHTTPRequestHandler):
    def log_message(self, *args):
        pass


def test_images_are_read_from_addresses(tmp_path, pixels):
    fits.PrimaryHDU(pixels).writeto(tmp_path / "a.fits")
    handler = partial(_Quiet, directory=tmp_path)
    with ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        address = f"http://127.0.0.1:{server.server_port}"
        np.testing.assert_array_equal(as_nddata(f"{address}/a.fits").data, pixels)
        with pytest.raises(ImageError, match="missing.fits"):
            as_nddata(f"{address}/missing.fits")
        server.shutdown()


@pytest.mark.parametrize(
    "image", [np.full((9, 9), np.nan), np.ma.masked_all((9, 9)), np.ones((3, 3))]
)
def test_images_without_use_are_images_all_the_same(image):
    assert as_nddata(image).data.shape == image.shape


@pytest.mark.parametrize(
    ("image", "options", "message"),
    [
        ("no_such_file.fits", {}, "does not exist"),
        (np.zeros((3, 9, 9)), {}, "band_axis"),
        (np.zeros((9, 9)), {"band_axis": 0}, "expected 3 axes"),
        (np.zeros(9), {}, "expected 2 axes"),
        (np.zeros((0, 9)), {}, "no pixels"),
        (np.zeros((9, 9), complex), {}, "complex"),
        (np.array([["a", "b"]]), {}, "real numbers"),
        ([[1, 2], [3]], {}, "array of numbers"),
        (Table({"flux": [1.0]}), {}, "table"),
        (fits.BinTableHDU(Table({"a": [1.0]})), {}, "BinTableHDU"),
        (fits.HDUList([fits.PrimaryHDU()]), {}, "no image"),
        (fits.HDUList([fits.PrimaryHDU()]), {"hdu": "SCI"}, "no extension 'SCI'"),
        (None, {}, "NoneType"),
        (np.zeros((9, 9)), {"mask": np.zeros((9, 8))}, "mask: its shape"),
        (np.zeros((9, 9)), {"uncertainty": np.ones((8, 9))}, "uncertainty: its"),
        (np.zeros((9, 9)) * u.Jy, {"uncertainty": np.ones((9, 9)) * u.s}, "fit"),
        (np.zeros((9, 9)), {"pixel_scale": -1}, "above 0"),
        (np.zeros((9, 9)), {"pixel_scale": 1 * u.s}, "angle"),
        (np.zeros((9, 9)), {"pixel_scale": "wide"}, "angle"),
    ],
)
def test_what_is_no_image_is_refused_with_the_reason(image, options, message):
    with pytest.raises(ImageError, match=message):
        as_nddata(image, **options)


def test_files_that_are_no_images_are_refused_with_the_reason(tmp_path):
    (tmp_path / "text.fits").write_text("this is no FITS file" * 200)
    with pytest.raises(ImageError, match="text.fits cannot be read as FITS"):
        as_nddata(tmp_path / "text.fits")
    with pytest.raises(ImageError, match="is a folder"):
        as_nddata(tmp_path)
    fits.HDUList([fits.PrimaryHDU(), fits.BinTableHDU(Table({"a": [1]}))]).writeto(
        tmp_path / "table.fits"
    )
    with pytest.raises(ImageError, match="no image"):
        as_nddata(tmp_path / "table.fits")


@pytest.mark.parametrize("kind", [StdDevUncertainty, VarianceUncertainty])
def test_a_file_of_ccddata_keeps_its_mask_and_uncertainty(tmp_path, kind):
    pixels = np.arange(20.0).reshape(4, 5)
    own = pixels == 7
    image = CCDData(pixels, mask=own, uncertainty=kind(pixels * 0 + 4), unit="adu")
    image.write(tmp_path / "ccd.fits")
    read = as_nddata(tmp_path / "ccd.fits")
    assert np.array_equal(read.mask, own)
    sigma = 4 if kind is StdDevUncertainty else 2
    assert np.allclose(read.uncertainty.array, sigma)
    with fits.open(tmp_path / "ccd.fits") as hdus:
        assert np.array_equal(as_nddata(hdus).mask, own)
