# Licensed under a 3-clause BSD style license - see licenses/LICENSE.rst
"""
Bad input ends in a clear message or in a flagged row, never in a traceback.
"""

import numpy as np
import pytest
from astropy.io import fits
from astropy.table import Table

from galmorph.core import MorphFlag
from galmorph.tables import read_table
from galmorph.tests.tiny import galaxy_image, write_fits


@pytest.fixture
def refused(galmorph, model):
    """The message of a command that fails."""

    def run(*words):
        code, out, err = galmorph(*words, "--model", model)
        assert (code, out) == (1, "")
        assert err.startswith("galmorph: ") and err.count("\n") == 1
        assert "unexpected" not in err and "Traceback" not in err
        return err

    return run


@pytest.fixture(params=["classify", "mosaic"])
def verb(request):
    return request.param


def test_missing_file(refused, verb, tmp_path):
    assert "no.fits" in refused(verb, tmp_path / "no.fits")


def test_file_that_is_not_fits(refused, verb, tmp_path):
    path = tmp_path / "notes.fits"
    path.write_text("These are my notes.")
    assert "notes.fits" in refused(verb, path)


def test_device_that_is_not_there(refused, verb, tmp_path):
    path = write_fits(tmp_path / "a.fits", galaxy_image())
    assert "gpu:7" in refused(verb, path, "--device", "gpu:7")


def test_table_instead_of_an_image(refused, verb, tmp_path):
    path = tmp_path / "table.fits"
    Table({"x": [1.0]}).write(path)
    assert "table" in refused(verb, path)


def test_cube_without_band_axis(refused, verb, tmp_path):
    path = write_fits(tmp_path / "cube.fits", np.ones((3, 50, 50), np.float32))
    assert "band_axis" in refused(verb, path)


@pytest.mark.filterwarnings("ignore:.*may have been truncated")
def test_truncated_file(refused, verb, cutout):
    cutout.write_bytes(cutout.read_bytes()[:4000])
    refused(verb, cutout)


def test_noise_of_another_shape(refused, mosaic, tmp_path):
    rms = write_fits(tmp_path / "rms.fits", np.ones((9, 9)))
    assert "(9, 9)" in refused("mosaic", mosaic, "--rms", rms)


def test_model_that_is_no_bundle(galmorph, cutout, tmp_path):
    path = tmp_path / "model.zip"
    code, _, err = galmorph("classify", cutout, "--model", path)
    assert code == 1 and "model.zip" in err
    path.write_text("no zip")
    code, _, err = galmorph("classify", cutout, "--model", path)
    assert code == 1 and "model.zip" in err


@pytest.mark.parametrize(
    ("image", "flag"),
    [
        (np.full((60, 60), np.nan, np.float32), MorphFlag.NO_DATA),
        (np.zeros((60, 60), np.float32), MorphFlag.NO_SOURCE),
        (galaxy_image((3, 3), [(1, 1)]), MorphFlag.UNRESOLVED),
    ],
    ids=["all NaN", "all zero", "3x3"],
)
def test_useless_image_gets_a_flagged_row(galmorph, model, tmp_path, image, flag):
    output = tmp_path / "out.ecsv"
    path = write_fits(tmp_path / "image.fits", image)
    code, _, err = galmorph("classify", path, "--model", model, "-o", output)
    assert code == 0
    table = read_table(output)
    assert len(table) == 1
    assert table["morph_flags"][0] & flag
    assert table["f_disk"].dtype == np.float32


@pytest.mark.parametrize("useless", ["nan", "masked"])
def test_useless_mosaic_has_no_galaxies(galmorph, model, tmp_path, useless):
    words, image = [], np.ones((60, 60), np.float32)
    if useless == "nan":
        image[:] = np.nan
    else:
        words = ["--mask", write_fits(tmp_path / "mask.fits", image)]
    path = write_fits(tmp_path / "image.fits", image)
    code, out, _ = galmorph("mosaic", path, *words, "--model", model)
    assert code == 0
    assert "0 galaxies" in out


def test_catalogue_without_positions(refused, mosaic, tmp_path):
    catalog = tmp_path / "catalog.ecsv"
    Table({"flux": [1.0]}).write(catalog)
    assert "flux" in refused("annotate", catalog, mosaic)


def test_catalogue_without_the_named_column(refused, mosaic, tmp_path):
    catalog = tmp_path / "catalog.ecsv"
    Table({"x": [1.0], "y": [1.0]}).write(catalog)
    assert "xpos" in refused("annotate", catalog, mosaic, "--x", "xpos", "--y", "y")


def test_sky_positions_on_an_image_without_wcs(refused, cutout, tmp_path):
    catalog = tmp_path / "catalog.ecsv"
    Table({"ra": [1.0], "dec": [1.0]}).write(catalog)
    assert "WCS" in refused("annotate", catalog, cutout)


def test_missing_catalogue(refused, mosaic, tmp_path):
    assert "no.ecsv" in refused("annotate", tmp_path / "no.ecsv", mosaic)


def test_positions_beyond_the_sky_of_the_image_are_flagged(
    galmorph, mosaic, model, tmp_path
):
    catalog, output = tmp_path / "catalog.ecsv", tmp_path / "out.ecsv"
    # the far side of the sky, a pole, and a masked one
    masked = np.ma.array([233.1, 0.0, 53.1], mask=[False, False, True])
    Table({"ra": masked, "dec": [27.8, 90.0, -27.8]}).write(catalog)
    code, _, _ = galmorph("annotate", catalog, mosaic, "--model", model, "-o", output)
    assert code == 0
    table = read_table(output)
    flags = np.asarray(table["morph_flags"])
    bad = MorphFlag.OUTSIDE_IMAGE | MorphFlag.BAD_POSITION
    assert np.all(flags & bad)
    assert flags[2] & MorphFlag.BAD_POSITION
    assert np.isnan(table["f_disk"]).all()


def test_image_in_a_named_hdu(galmorph, mosaic, tmp_path):
    path = tmp_path / "extensions.fits"
    empty, image = fits.PrimaryHDU(), fits.ImageHDU(fits.getdata(mosaic), name="SCI")
    other = fits.ImageHDU(np.zeros((9, 9)), name="DQ")
    fits.HDUList([empty, other, image]).writeto(path)
    assert "3 sources" in galmorph("detect", path, "--hdu", "SCI")[1]
    assert "3 sources" in galmorph("detect", path, "--hdu", "2")[1]
    code, _, err = galmorph("detect", path, "--hdu", "ERR")
    assert code == 1 and "ERR" in err
