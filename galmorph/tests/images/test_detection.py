# Licensed under a 3-clause BSD style license - see licenses/LICENSE.rst
"""Sources are found, separated and measured, whatever the image holds."""

import json

import numpy as np
import pytest
from astropy import units as u
from astropy.io import fits
from astropy.nddata import NDData, StdDevUncertainty
from astropy.table import QTable
from astropy.wcs import WCS
from scipy.spatial import cKDTree

from galmorph.core import ConfigurationError
from galmorph.images.detection import DetectionConfig, detect_sources

SHAPE = (120, 150)
SOURCES = [(40.3, 30.6, 2.5, 300.0), (100.2, 80.9, 4.0, 600.0), (60.0, 95.5, 3.0, 200)]


def add_source(data, x, y, sigma, flux):
    yy, xx = np.indices(data.shape)
    profile = np.exp(-((xx - x) ** 2 + (yy - y) ** 2) / (2 * sigma**2))
    data += flux * profile / (2 * np.pi * sigma**2)


@pytest.fixture
def sky():
    return np.random.default_rng(8).normal(5.0, 0.2, SHAPE)


@pytest.fixture
def field(sky):
    for source in SOURCES:
        add_source(sky, *source)
    return sky


@pytest.fixture
def wcs():
    wcs = WCS(naxis=2)
    wcs.wcs.ctype = ["RA---TAN", "DEC--TAN"]
    wcs.wcs.crval = [53.1, -27.8]
    wcs.wcs.crpix = [70.5, 60.5]
    wcs.wcs.cdelt = [-0.06 / 3600, 0.06 / 3600]
    wcs.wcs.set()
    return wcs


def test_sources_are_found_where_they_are(field):
    detection = detect_sources(field)
    catalog = detection.catalog
    assert len(catalog) == len(SOURCES)
    for x, y, sigma, flux in SOURCES:
        distance = np.hypot(catalog["x_centroid"] - x, catalog["y_centroid"] - y)
        row = catalog[np.argmin(distance)]
        assert distance.min() < 0.2
        assert row["kron_flux"] == pytest.approx(flux, rel=0.1)
        assert row["semimajor_axis"].value == pytest.approx(sigma, rel=0.15)
        assert row["half_light_radius"].value == pytest.approx(1.18 * sigma, rel=0.1)
        assert row["snr"] > 10
    assert not catalog["touches_edge"].any()
    np.testing.assert_allclose(detection.background, 5.0, atol=0.05)
    np.testing.assert_allclose(detection.rms, 0.2, atol=0.02)


def test_labels_of_the_segmentation_are_those_of_the_catalogue(field):
    detection = detect_sources(field)
    segmentation, catalog = detection.segmentation, detection.catalog
    assert segmentation.dtype == np.int32
    assert list(np.unique(segmentation)) == [0, *catalog["label"]]
    for row in catalog:
        y, x = np.nonzero(segmentation == row["label"])
        assert row["area"] == x.size * u.pix**2
        assert (x.min(), x.max()) == (row["bbox_xmin"], row["bbox_xmax"])
        assert (y.min(), y.max()) == (row["bbox_ymin"], row["bbox_ymax"])


def test_angles_are_measured_from_x_towards_y(sky):
    yy, xx = np.indices(SHAPE)
    along, across = (xx - 70 + yy - 60) / 2**0.5, (yy - 60 - xx + 70) / 2**0.5
    sky += 20 * np.exp(-(along**2 / 72 + across**2 / 12))
    (row,) = detect_sources(sky).catalog
    assert row["orientation"].to_value(u.deg) == pytest.approx(45, abs=2)
    assert row["ellipticity"] > 0.5


def test_touching_sources_are_separated(sky):
    add_source(sky, 60, 60, 3, 800)
    add_source(sky, 71, 60, 3, 500)
    assert len(detect_sources(sky).catalog) == 2
    assert len(detect_sources(sky, DetectionConfig(deblend=False)).catalog) == 1


def test_faint_neighbour_of_a_bright_star_is_kept(sky):
    add_source(sky, 60, 60, 2.5, 60000)
    add_source(sky, 78, 60, 2.0, 120)
    catalog = detect_sources(sky).catalog
    assert np.min(np.abs(catalog["x_centroid"] - 78)) < 1


def test_segment_at_the_edge_is_marked(sky):
    add_source(sky, 149, 60, 3, 400)
    assert list(detect_sources(sky).catalog["touches_edge"]) == [True]


def test_the_negative_of_noise_has_no_sources(sky):
    assert len(detect_sources(sky).catalog) == 0
    assert len(detect_sources(-sky).catalog) == 0


def test_threshold_holds_for_correlated_noise():
    from scipy.ndimage import gaussian_filter

    noise = np.random.default_rng(3).normal(size=(300, 300))
    drizzled = gaussian_filter(noise, 0.8)
    assert len(detect_sources(drizzled).catalog) <= 1


@pytest.mark.parametrize("scale", [1e-20, 1e6])
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_flux_scale_changes_fluxes_and_nothing_else(field, scale, dtype):
    before = detect_sources(field.astype(dtype)).catalog
    after = detect_sources((field * scale).astype(dtype)).catalog
    assert len(before) == len(after)
    for name in before.colnames:
        factor = scale if "flux" in name else 1
        np.testing.assert_allclose(after[name], before[name] * factor, rtol=2e-3)


def test_uncertainty_is_the_error_map(sky):
    error = np.full(SHAPE, 0.2)
    error[:, 75:] = 2.0
    data = 5 + np.random.default_rng(2).normal(size=SHAPE) * error
    for x in (40, 110):
        add_source(data, x, 60, 2.5, 60)
    image = NDData(data, uncertainty=StdDevUncertainty(error))
    detection = detect_sources(image)
    (row,) = detection.catalog
    assert row["x_centroid"] == pytest.approx(40, abs=1)
    assert row["segment_flux_err"] == pytest.approx(0.2 * row["area"].value ** 0.5)
    np.testing.assert_allclose(detection.rms, error)


@pytest.mark.parametrize("worthless", [np.nan, np.inf, 0.0])
def test_pixels_of_worthless_error_belong_to_no_source(field, worthless):
    error = np.full(SHAPE, 0.2)
    error[15:45, 25:55] = worthless
    detection = detect_sources(NDData(field, uncertainty=StdDevUncertainty(error)))
    assert len(detection.catalog) == 2
    assert not detection.segmentation[15:45, 25:55].any()


def test_masked_and_non_finite_pixels_belong_to_no_source(field):
    mask = np.zeros(SHAPE, dtype=bool)
    mask[15:45, 25:55] = True
    field[70:92, 90:111] = np.nan
    field[0, 0] = np.inf
    before = field.copy()
    detection = detect_sources(NDData(field, mask=mask))
    (row,) = detection.catalog
    assert row["x_centroid"] == pytest.approx(60, abs=0.3)
    assert np.isfinite(row["kron_flux"])
    assert not detection.segmentation[mask | ~np.isfinite(field)].any()
    np.testing.assert_array_equal(field, before)


def test_large_areas_without_data_raise_no_sources_at_their_edge(sky):
    sky[:, :100] = np.nan
    assert len(detect_sources(sky).catalog) == 0


@pytest.mark.parametrize(
    "data",
    [
        np.full((50, 60), np.nan),
        np.zeros((50, 60)),
        np.full((64, 64), 5.3, dtype=np.float32),
        np.ones((3, 3)),
        np.ones((1, 1)),
    ],
    ids=["all NaN", "zero", "constant", "3x3", "1x1"],
)
def test_image_without_sources_has_an_empty_catalogue(data, field, wcs):
    filled = detect_sources(NDData(field, wcs=wcs, unit="electron/s")).catalog
    detection = detect_sources(NDData(data, wcs=wcs, unit="electron/s"))
    empty = detection.catalog
    assert len(empty) == 0
    assert empty.colnames == filled.colnames
    for name in empty.colnames:
        assert type(empty[name]) is type(filled[name])
        assert empty[name].info.unit == filled[name].info.unit
        assert empty[name].info.description == filled[name].info.description
        if name != "sky_centroid":
            assert empty[name].dtype == filled[name].dtype
    assert detection.segmentation.shape == data.shape
    assert not detection.segmentation.any()
    assert np.isfinite(detection.background).all()


def test_all_masked_image_has_an_empty_catalogue(field):
    masked = NDData(field, mask=np.ones(SHAPE, dtype=bool))
    assert len(detect_sources(masked).catalog) == 0


def test_nearly_all_masked_image_is_still_measured(field):
    mask = np.ones(SHAPE, dtype=bool)
    mask[60:100, 80:120] = False
    catalog = detect_sources(NDData(field, mask=mask)).catalog
    assert len(catalog) == 1
    assert catalog["x_centroid"][0] == pytest.approx(100.2, abs=0.3)


def test_galaxy_that_fills_its_stamp_is_found():
    yy, xx = np.mgrid[:84, :84]
    galaxy = 1000 * np.exp(-np.hypot(xx - 42, yy - 40) / 12)
    noise = np.random.default_rng(4).normal(size=galaxy.shape)
    catalog = detect_sources(galaxy + noise).catalog
    main = catalog[np.argmax(catalog["area"])]
    assert (main["x_centroid"], main["y_centroid"]) == pytest.approx((42, 40), abs=0.1)
    assert main["area"] > 500 * u.pix**2


def test_units_and_sky_positions_follow_the_image(field, wcs):
    catalog = detect_sources(NDData(field, wcs=wcs, unit="electron/s")).catalog
    assert isinstance(catalog, QTable)
    assert catalog["kron_flux"].unit == u.electron / u.s
    assert catalog["area"].unit == u.pix**2
    assert catalog["semimajor_axis"].unit == u.pix
    expected = wcs.pixel_to_world(catalog["x_centroid"], catalog["y_centroid"])
    assert (catalog["sky_centroid"].separation(expected) < 1e-6 * u.arcsec).all()


def test_image_without_wcs_or_unit_gives_plain_columns(field):
    catalog = detect_sources(field).catalog
    assert "sky_centroid" not in catalog.colnames
    assert catalog["kron_flux"].unit is None


def test_bands_are_detected_on_their_mean(field):
    bands = np.stack([field, field + 1, 2 * field], axis=-1)
    error = np.full(bands.shape, 0.3)
    image = NDData(bands, uncertainty=StdDevUncertainty(error))
    detection = detect_sources(image)
    assert len(detection.catalog) == len(SOURCES)
    assert detection.segmentation.shape == SHAPE
    np.testing.assert_allclose(detection.rms, 0.3 / 3**0.5)


def test_same_image_gives_the_same_catalogue(field):
    first, second = detect_sources(field), detect_sources(field, progress=True)
    np.testing.assert_array_equal(first.segmentation, second.segmentation)
    for name in first.catalog.colnames:
        np.testing.assert_array_equal(first.catalog[name], second.catalog[name])


def test_parameters_are_plain_data_and_recorded(field):
    config = DetectionConfig(n_sigma=6, deblend=False)
    config_dict = json.loads(json.dumps(config.to_dict()))
    assert DetectionConfig.from_dict(config_dict) == config
    recorded = detect_sources(field, config).catalog.meta["galmorph"]["detection"]
    assert DetectionConfig.from_dict(recorded) == config


def test_unknown_parameter_is_named():
    with pytest.raises(ConfigurationError, match="nsigma.*n_sigma"):
        DetectionConfig.from_dict({"nsigma": 3})


@pytest.mark.parametrize(
    "wrong",
    [
        {"n_sigma": 0},
        {"n_pixels": 0},
        {"smoothing_fwhm": -1},
        {"box_size": 0},
        {"filter_size": 4},
        {"n_levels": 0},
        {"contrast": 1.5},
    ],
)
def test_parameter_out_of_range_is_named(wrong):
    with pytest.raises(ConfigurationError, match=next(iter(wrong))):
        DetectionConfig(**wrong)


def test_detection_works_without_smoothing_and_with_small_boxes(field):
    config = DetectionConfig(smoothing_fwhm=0, n_sigma=3, box_size=20)
    assert len(detect_sources(field, config).catalog) == len(SOURCES)


@pytest.mark.parametrize("with_error", [True, False])
def test_deep_hubble_image_is_complete(real_data, with_error):
    folder = real_data / "hst_deep_500"
    science = fits.getdata(folder / "f160w_sci.fits.gz")
    error = StdDevUncertainty(fits.getdata(folder / "f160w_rms.fits.gz"))
    detection = detect_sources(
        NDData(science, uncertainty=error if with_error else None)
    )
    reference = QTable.read(folder / "catalogue_62.ecsv")
    x, y = reference["x"].value, reference["y"].value
    bright = reference["sn"] > 10
    assert detection.segmentation[np.rint(y).astype(int), np.rint(x).astype(int)][
        bright
    ].all()
    # the reference cuts the outskirts of the large galaxy into pieces
    pieces = (x > 160) & (x < 275) & (y > 315) & (y < 465)
    pieces &= np.hypot(x - 225, y - 403) > 5
    catalog = detection.catalog
    found = cKDTree(np.transpose([catalog["x_centroid"], catalog["y_centroid"]]))
    distance, _ = found.query(np.transpose([x, y])[bright & ~pieces])
    assert np.mean(distance < 3) > 0.96
    assert np.median(distance) < 0.4


def test_extreme_deep_field_has_sky_positions(real_data):
    folder = real_data / "xdf_f160w"
    with fits.open(folder / "xdf_hst_wfc3ir_60mas_f160w_sci.fits") as hdus:
        image = NDData(hdus[0].data, wcs=WCS(hdus[0].header), unit="electron/s")
        catalog = detect_sources(image).catalog
    assert 25 < len(catalog) < 50
    assert (np.abs(catalog["sky_centroid"].ra.deg - 53.16) < 0.1).all()
