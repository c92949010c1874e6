# Licensed under a 3-clause BSD style license - see licenses/LICENSE.rst
"""Positions are found in catalogues of any kind, and never where they are not."""

import numpy as np
import pytest
from astropy import units as u
from astropy.coordinates import SkyCoord
from astropy.table import MaskedColumn, QTable, Table
from astropy.utils.masked import Masked
from astropy.wcs import WCS

from galmorph.core import CatalogError
from galmorph.tables import pixel_positions

X = np.array([10.0, 20.5, 33.25])
Y = np.array([5.0, 40.5, 17.75])


@pytest.fixture
def wcs():
    wcs = WCS(naxis=2)
    wcs.wcs.ctype = ["RA---TAN", "DEC--TAN"]
    wcs.wcs.crval = [53.1, -27.8]
    wcs.wcs.crpix = [30.5, 25.5]
    wcs.wcs.cdelt = [-0.06 / 3600, 0.06 / 3600]
    wcs.wcs.set()
    return wcs


@pytest.fixture
def sky(wcs):
    return wcs.pixel_to_world(X, Y)


def assert_found(found, x=X, y=Y):
    np.testing.assert_allclose(found[0], x, atol=1e-5)
    np.testing.assert_allclose(found[1], y, atol=1e-5)
    assert all(values.dtype == float for values in found)


@pytest.mark.parametrize(
    "names",
    [
        ("ra", "dec"),
        ("RA", "DEC"),
        ("Ra", "De"),
        ("RAJ2000", "DEJ2000"),
        ("_RAJ2000", "_DEJ2000"),
        ("raj2000", "decj2000"),
        ("RA_ICRS", "DE_ICRS"),
        ("ALPHA_J2000", "DELTA_J2000"),
        ("RAdeg", "DEdeg"),
        ("ra_deg", "dec_deg"),
        ("right ascension", "declination"),
        ("X_WORLD", "Y_WORLD"),
    ],
)
@pytest.mark.parametrize("kind", ["degrees without unit", "degrees", "other units"])
def test_sky_pairs_are_found_by_name(names, kind, sky, wcs):
    ra, dec = sky.ra.deg, sky.dec.deg
    if kind == "degrees":
        ra, dec = ra * u.deg, dec * u.deg
    elif kind == "other units":
        ra, dec = (ra / 15) * u.hourangle, (dec * 60) * u.arcmin
    catalog = QTable({"id": [1, 2, 3], names[0]: ra, names[1]: dec})
    assert_found(pixel_positions(catalog, wcs))
    assert_found(pixel_positions(Table(catalog), wcs))
    assert_found(pixel_positions(catalog, wcs, names))


@pytest.mark.parametrize("name", ["sky_centroid", "coord", "SkyCoord", "whatever"])
@pytest.mark.parametrize(
    "frame", ["icrs", "fk5", "galactic", "barycentrictrueecliptic"]
)
def test_sky_columns_are_found_in_any_frame(name, frame, sky, wcs):
    catalog = QTable({"id": [1, 2, 3], name: sky.transform_to(frame)})
    assert_found(pixel_positions(catalog, wcs))
    assert_found(pixel_positions(catalog, wcs, name))


def test_known_name_goes_before_other_sky_columns(sky, wcs):
    other = SkyCoord([1, 2, 3] * u.deg, [1, 2, 3] * u.deg)
    catalog = QTable({"star": other, "sky_centroid": sky, "ra": [0.0, 0.0, 0.0]})
    assert_found(pixel_positions(catalog, wcs))


@pytest.mark.parametrize(
    "names", [("x_centroid", "y_centroid"), ("xcentroid", "ycentroid"), ("X", "Y")]
)
@pytest.mark.parametrize("unit", [None, u.pix])
def test_pixel_pairs_are_found_by_name(names, unit):
    catalog = QTable({names[0]: X, names[1]: Y})
    for name in names:
        catalog[name].info.unit = unit
    assert_found(pixel_positions(catalog))
    assert_found(pixel_positions(catalog, None, names))


@pytest.mark.parametrize(
    "names", [("X_IMAGE", "Y_IMAGE"), ("XWIN_IMAGE", "YWIN_IMAGE")]
)
def test_positions_of_sourceextractor_count_from_one(names):
    catalog = Table({names[0]: X + 1, names[1]: Y + 1})
    assert_found(pixel_positions(catalog))
    assert_found(pixel_positions(catalog, None, names))


def test_sky_goes_before_pixels_where_there_is_a_wcs(sky, wcs):
    catalog = QTable({"x": X + 100, "y": Y, "ra": sky.ra, "dec": sky.dec})
    assert_found(pixel_positions(catalog, wcs))
    assert_found(pixel_positions(catalog, None), X + 100, Y)
    assert_found(pixel_positions(catalog, wcs, ("x", "y")), X + 100, Y)


def test_positions_may_be_given_apart_from_the_catalogue(sky, wcs):
    catalog = Table({"id": [1, 2, 3], "x": [0, 0, 0], "y": [0, 0, 0]})
    assert_found(pixel_positions(catalog, wcs, sky))
    assert_found(pixel_positions(catalog, wcs, (X, Y)))
    assert_found(pixel_positions(catalog, wcs, (list(X), list(Y))))
    assert_found(pixel_positions(catalog, wcs, (X * u.pix, Y * u.pix)))
    assert_found(pixel_positions(catalog, wcs, (sky.ra, sky.dec)))


def test_unusual_names_with_units_of_angle_are_on_the_sky(sky, wcs):
    catalog = QTable({"lon": sky.ra, "lat": sky.dec})
    assert_found(pixel_positions(catalog, wcs, ("lon", "lat")))


def test_masked_and_non_finite_positions_are_nan(sky, wcs):
    mask = [False, True, False]
    expected = np.where(mask, np.nan, X), np.where(mask, np.nan, Y)
    catalog = Table({"x": MaskedColumn(X, mask=mask), "y": Y})
    assert_found(pixel_positions(catalog), *expected)
    catalog = QTable({"x": X * u.pix, "y": Masked(Y, mask=mask) * u.pix})
    assert_found(pixel_positions(catalog), *expected)
    catalog = Table({"x": X, "y": np.where(mask, np.inf, Y)})
    assert_found(pixel_positions(catalog), *expected)
    catalog = Table({"ra": sky.ra.deg, "dec": MaskedColumn(sky.dec.deg, mask=mask)})
    assert_found(pixel_positions(catalog, wcs), *expected)
    catalog = QTable({"ra": Masked(sky.ra.deg, mask=mask) * u.deg, "dec": sky.dec})
    assert_found(pixel_positions(catalog, wcs), *expected)
    coord = SkyCoord(np.where(mask, np.nan, sky.ra.deg), sky.dec.deg, unit="deg")
    assert_found(pixel_positions(QTable({"coord": coord}), wcs), *expected)
    integers = Table({"x": MaskedColumn([1, 2, 3], mask=mask), "y": [1, 2, 3]})
    assert_found(pixel_positions(integers), [1, np.nan, 3], [1, np.nan, 3])


def test_impossible_declination_is_one_bad_row(sky, wcs):
    catalog = Table({"ra": sky.ra.deg, "dec": sky.dec.deg})
    catalog["dec"][1] = -99
    assert_found(
        pixel_positions(catalog, wcs), [X[0], np.nan, X[2]], [Y[0], np.nan, Y[2]]
    )


@pytest.mark.parametrize("distortion", [False, True])
def test_the_other_side_of_the_sky_has_no_pixel(distortion, wcs):
    if distortion:
        header = wcs.to_header(relax=True)
        header["CTYPE1"], header["CTYPE2"] = "RA---TAN-SIP", "DEC--TAN-SIP"
        for axis in "AB":
            header[f"{axis}_ORDER"] = 3
            header[f"{axis}_2_0"], header[f"{axis}_0_3"] = 1e-6, 1e-8
        wcs = WCS(header)
    antipode = SkyCoord(wcs.wcs.crval[0] + 180, -wcs.wcs.crval[1], unit="deg")
    offsets = [(0, 0), (0.0002, 0.0001), (40, 20), (89, 0), (95, 10), (-100, 30)]
    dlon, dlat = np.transpose(offsets) * u.deg
    far = antipode.spherical_offsets_by(dlon, dlat)
    catalog = QTable({"coord": far})
    x, y = pixel_positions(catalog, wcs)
    inside = (x > -100) & (x < 160) & (y > -100) & (y < 150)
    assert not inside.any()
    assert np.isnan(x[:3]).all() and np.isnan(y[:3]).all()


def test_positions_outside_of_the_image_stay_where_they_are(wcs):
    outside = wcs.pixel_to_world([-500.0, 4000.0], [20.0, -30.0])
    found = pixel_positions(QTable({"coord": outside}), wcs)
    assert_found(found, [-500, 4000], [20, -30])


@pytest.mark.parametrize("columns", [{"ra": [], "dec": []}, {"x": [], "y": []}])
def test_empty_catalogue_has_no_positions(columns, wcs):
    x, y = pixel_positions(Table({n: np.zeros(0) for n in columns}), wcs)
    assert x.shape == y.shape == (0,)


def test_missing_columns_are_named():
    with pytest.raises(CatalogError, match="'mag', 'ra'"):
        pixel_positions(Table({"mag": [1], "ra": [2]}))
    with pytest.raises(CatalogError, match="no column 'xx'; found .'x', 'y'"):
        pixel_positions(Table({"x": [1], "y": [2]}), None, ("xx", "y"))


def test_sky_positions_need_a_wcs(sky):
    for catalog in (
        QTable({"coord": sky}),
        QTable({"ra": sky.ra, "dec": sky.dec}),
    ):
        with pytest.raises(CatalogError, match="no WCS.*position="):
            pixel_positions(catalog)


def test_ambiguous_columns_must_be_named(sky, wcs):
    twice = QTable({"ra": sky.ra, "dec": sky.dec, "RA": sky.ra, "DEC": sky.dec})
    with pytest.raises(CatalogError, match="'ra', 'RA'"):
        pixel_positions(twice, wcs)
    assert_found(pixel_positions(twice, wcs, ("RA", "DEC")))
    coords = QTable({"first": sky, "second": sky})
    with pytest.raises(CatalogError, match="'first', 'second'"):
        pixel_positions(coords, wcs)
    assert_found(pixel_positions(coords, wcs, "second"))


@pytest.mark.parametrize(
    ("position", "message"),
    [
        ("ra", "no SkyCoord"),
        (("ra", "dec", "x"), "pair"),
        (("ra", "name"), "cannot be read"),
        (("x", "length"), "cannot be read"),
        (([1.0], [2.0]), "one position per row"),
        (([1.0, 2.0, 3.0], [2.0]), "one position per row"),
        (SkyCoord(1 * u.deg, 2 * u.deg), "one position per row"),
        (("coord", "dec"), "SkyCoord"),
    ],
)
def test_wrong_positions_are_explained(position, message, sky, wcs):
    catalog = QTable({"ra": sky.ra, "dec": sky.dec, "x": X, "coord": sky})
    catalog["name"] = ["a", "b", "c"]
    catalog["length"] = [1, 2, 3] * u.mm
    with pytest.raises(CatalogError, match=message):
        pixel_positions(catalog, wcs, position)


def test_catalogue_is_not_changed(sky, wcs):
    catalog = QTable({"ra": sky.ra.deg, "dec": sky.dec.deg})
    before = catalog.copy()
    pixel_positions(catalog, wcs)
    assert (catalog == before).all() and catalog.colnames == before.colnames


def test_catalogue_of_a_real_field_is_found(real_data):
    catalog = QTable.read(real_data / "hst_deep_500" / "catalogue_62.ecsv")
    x, y = pixel_positions(catalog)
    np.testing.assert_array_equal(x, catalog["x"].value)
    assert (x >= 0).all() and (y < 500).all()
