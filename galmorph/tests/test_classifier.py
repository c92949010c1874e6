# Licensed under a 3-clause BSD style license - see licenses/LICENSE.rst
import json
import pickle
import subprocess
import sys

import astropy.units as u
import numpy as np
import pytest
from astropy.coordinates import SkyCoord
from astropy.io import fits
from astropy.nddata import CCDData, Cutout2D, NDData
from astropy.table import QTable, Table

from galmorph import MorphologyClassifier, __version__, _plumbing, detect_sources
from galmorph.core import (
    CANDELS,
    CatalogError,
    ConfigurationError,
    ImageError,
    MorphFlag,
)
from galmorph.images import DetectionConfig, Preprocessor
from galmorph.models import list_models
from galmorph.tests.tiny import galaxy_image, save_tiny_bundle, tan_wcs, write_fits

POSITIONS = ((40.0, 42.0), (110.0, 50.0), (70.0, 115.0))
COLUMNS = [*CANDELS.outputs, *CANDELS.error_columns, "morph_class", "morph_flags"]


@pytest.fixture(scope="module")
def bundle_path(tmp_path_factory):
    return save_tiny_bundle(tmp_path_factory.mktemp("model") / "tiny.zip")


@pytest.fixture(scope="module")
def classifier(bundle_path):
    return MorphologyClassifier.from_file(bundle_path)


@pytest.fixture(scope="module")
def mosaic():
    """Three galaxies, noise of 1, with a WCS."""
    return NDData(galaxy_image((150, 150), POSITIONS), wcs=tan_wcs())


def fractions(table):
    return np.stack([np.asarray(table[name]) for name in CANDELS.outputs], axis=1)


def assert_same(table, other, rows=slice(None), atol=1e-6):
    np.testing.assert_allclose(fractions(table), fractions(other)[rows], atol=atol)


def test_it_knows_its_model(classifier):
    assert classifier.name == "tiny"
    assert classifier.scheme == CANDELS
    assert classifier.card == "An untrained network, for tests."
    assert classifier.preprocessor == Preprocessor()
    assert "tiny" in repr(classifier)


def test_one_image_gives_one_row_with_all_columns(classifier):
    table = classifier.classify(galaxy_image())
    assert isinstance(table, QTable)
    assert len(table) == 1
    assert set(COLUMNS) <= set(table.colnames)
    assert "id" not in table.colnames
    assert table["f_disk"].dtype == np.float32
    assert 0 <= table["f_disk"][0] <= 1
    assert table["morph_flags"].dtype == np.int32
    assert abs(table["x_centroid"][0] - 40) < 1


def test_meta_tells_where_the_results_come_from(classifier, tmp_path):
    table = classifier.classify([galaxy_image()])
    meta = table.meta["galmorph"]
    assert meta["version"] == __version__
    assert meta["model"] == "tiny"
    assert meta["sha256"] == classifier.sha256 and len(meta["sha256"]) == 64
    assert Preprocessor.from_dict(meta["preprocessing"]) == classifier.preprocessor
    assert meta["failures"] == []
    json.dumps(meta)
    table.write(tmp_path / "table.ecsv")
    assert QTable.read(tmp_path / "table.ecsv").meta["galmorph"] == meta


def test_every_kind_of_image_gives_the_same_row(classifier, tmp_path):
    pixels = galaxy_image()
    large = NDData(np.pad(pixels, 20, constant_values=1e3), wcs=tan_wcs())
    path = write_fits(tmp_path / "image.fits", pixels)
    kinds = [
        pixels,
        pixels.astype(">f4"),
        np.ma.array(pixels, mask=False),
        u.Quantity(pixels, u.electron / u.s),
        NDData(pixels),
        CCDData(pixels, unit="adu"),
        Cutout2D(large.data, (59.5, 59.5), 80, wcs=large.wcs),
        fits.PrimaryHDU(pixels),
        fits.HDUList([fits.PrimaryHDU(pixels)]),
        path,
        str(path),
    ]
    together = classifier.classify(kinds)
    assert len(together) == len(kinds)
    for kind in kinds:
        assert_same(classifier.classify(kind), together, slice(0, 1))
    np.testing.assert_allclose(np.ptp(fractions(together), axis=0), 0, atol=1e-6)


def test_rows_come_in_the_order_of_the_images_whatever_the_batches(bundle_path):
    images = [galaxy_image(seed=seed) for seed in range(7)]
    whole = MorphologyClassifier.from_file(bundle_path).classify(images)
    assert len(np.unique(whole["f_disk"])) == 7
    for size in (1, 3):
        by_parts = MorphologyClassifier.from_file(bundle_path, batch_size=size)
        assert_same(by_parts.classify(images), whole)
    assert_same(by_parts.classify(images[::-1]), whole, slice(None, None, -1))


def test_a_generator_is_consumed_in_batches(bundle_path, monkeypatch):
    classifier = MorphologyClassifier.from_file(bundle_path, batch_size=3)
    log = []
    predict = _plumbing.predict_usable
    monkeypatch.setattr(
        "galmorph.classifier.predict_usable",
        lambda self, stamps: (
            log.append(("predicted", len(stamps.flags))) or predict(self, stamps)
        ),
    )

    def images():
        for seed in range(5):
            log.append(("read", seed))
            yield galaxy_image(seed=seed)

    assert len(classifier.classify(images())) == 5
    assert log[3] == ("predicted", 3)
    assert log[-1] == ("predicted", 2)


def test_large_images_are_not_held_by_the_batch(classifier, monkeypatch):
    monkeypatch.setattr("galmorph._plumbing.MOST_PIXELS", 2 * 80 * 80)
    read, most = [], []

    def images():
        for seed in range(6):
            read.append(seed)
            yield galaxy_image(seed=seed)

    predict = _plumbing.predict_usable
    monkeypatch.setattr(
        "galmorph.classifier.predict_usable",
        lambda self, stamps: most.append(len(stamps.flags)) or predict(self, stamps),
    )
    classifier.classify(images())
    assert most == [2, 2, 2]


def test_no_images_give_a_table_without_rows(classifier):
    table = classifier.classify([])
    assert len(table) == 0
    assert set(COLUMNS) <= set(table.colnames)
    assert set(classifier.classify([galaxy_image()]).colnames) == set(table.colnames)
    assert len(classifier.classify(iter([]), ids=[])) == 0


def test_a_single_bad_image_raises(classifier, tmp_path):
    for bad in (
        tmp_path / "no.fits",
        np.ones(5),
        np.ones((3, 9, 9)),
        Table({"a": [1]}),
    ):
        with pytest.raises(ImageError):
            classifier.classify(bad)


def test_a_bad_image_among_many_is_a_flagged_row_with_its_reason(classifier, tmp_path):
    good = galaxy_image()
    images = [good, tmp_path / "no.fits", np.ones((3, 9, 9)), None, good]
    table = classifier.classify(images, ids="abcde")
    failed = np.asarray(table["morph_flags"]) & MorphFlag.FAILED != 0
    assert list(failed) == [False, True, True, True, False]
    assert list(np.isnan(table["f_disk"])) == list(failed)
    assert list(np.asarray(table["morph_class"]) == "") == list(failed)
    failures = table.meta["galmorph"]["failures"]
    assert [(f["row"], f["id"]) for f in failures] == [(1, "b"), (2, "c"), (3, "d")]
    assert "no.fits" in failures[0]["reason"]
    assert "band_axis" in failures[1]["reason"]
    assert_same(table[[0]], classifier.classify(good))


def test_useless_pixels_are_a_flagged_row(classifier):
    nan = np.full((50, 50), np.nan)
    masked = np.ma.array(np.ones((50, 50)), mask=True)
    for image in (nan, masked):
        table = classifier.classify(image)
        assert table["morph_flags"][0] & MorphFlag.NO_DATA
        assert np.isnan(fractions(table)).all()
        assert table["morph_class"][0] == ""
        assert table.meta["galmorph"]["failures"] == []


def test_ids_become_a_column(classifier):
    images = [galaxy_image(), galaxy_image(seed=2)]
    assert list(classifier.classify(images, ids=[7, 9])["id"]) == [7, 9]
    assert list(classifier.classify(images[0], ids="NGC 1")["id"]) == ["NGC 1"]
    with pytest.raises(CatalogError, match="ids: found 3 for 2"):
        classifier.classify(images, ids=[1, 2, 3])


def test_positions_say_where_the_galaxies_are(classifier, mosaic):
    by_pixels = classifier.classify(mosaic, positions=POSITIONS)
    assert len(by_pixels) == 3
    np.testing.assert_allclose(by_pixels["x_centroid"], [40, 110, 70], atol=0.5)
    sky = mosaic.wcs.pixel_to_world(*np.transpose(POSITIONS))
    # the window around a position that differs by a rounding may differ by a pixel
    by_sky = classifier.classify(mosaic, positions=sky)
    assert_same(by_sky, by_pixels, atol=0.02)
    one = classifier.classify(mosaic, positions=sky[1].galactic)
    assert_same(one, by_pixels, slice(1, 2), atol=0.02)
    many = classifier.classify([mosaic] * 3, positions=list(POSITIONS))
    assert_same(many, by_pixels)


def test_positions_that_do_not_fit_are_refused(classifier, mosaic):
    with pytest.raises(CatalogError, match="positions: found 3 for 1"):
        classifier.classify([mosaic], positions=list(POSITIONS))
    with pytest.raises(CatalogError, match=r"shape \(3,\)"):
        classifier.classify(mosaic, positions=[1, 2, 3])
    with pytest.raises(CatalogError, match="WCS"):
        classifier.classify(mosaic.data, positions=SkyCoord(53.1, -27.8, unit="deg"))


def test_pixel_scale_changes_no_fraction_but_gives_angles(classifier):
    plain = classifier.classify(galaxy_image())
    scaled = classifier.classify(galaxy_image(), pixel_scale=60 * u.mas)
    assert_same(plain, scaled)
    angle = scaled["petrosian_radius_angle"][0]
    assert angle.to_value("arcsec") == pytest.approx(
        0.06 * u.Quantity(scaled["petrosian_radius"][0]).value, rel=1e-5
    )


def test_images_with_and_without_pixel_scale_go_together(bundle_path):
    classifier = MorphologyClassifier.from_file(bundle_path, batch_size=1)
    images = [galaxy_image(), NDData(galaxy_image(), wcs=tan_wcs())]
    angles = classifier.classify(images)["petrosian_radius_angle"]
    assert np.isnan(angles[0]) and angles[1] > 0 * u.arcsec


def test_preprocess_gives_the_stamps_of_the_network(classifier, mosaic):
    stamps = classifier.preprocess(mosaic, positions=POSITIONS)
    assert stamps.data.shape == (3, 45, 45, 1)
    assert stamps.data.dtype == np.float32
    assert len(stamps.measurements) == 3
    again = classifier.preprocess([mosaic] * 3, positions=POSITIONS)
    np.testing.assert_array_equal(again.data, stamps.data)
    assert classifier.preprocess([]).data.shape == (0, 45, 45, 1)


def test_annotate_adds_columns_and_keeps_everything_else(classifier, mosaic):
    catalog = QTable(
        {
            "number": [3, 1, 2, 9, 8],
            "x": np.ma.array([110, 40, 70, 1e5, 3], mask=[0, 0, 0, 0, 1]),
            "y": [50.0, 42, 115, 5, 3],
            "flux": [1.0, 2, 3, 4, 5] * u.nJy,
        },
        meta={"survey": "made"},
    )
    before = catalog.copy()
    table = classifier.annotate(catalog, mosaic)
    assert catalog.colnames == before.colnames
    assert table.colnames[:4] == catalog.colnames
    assert list(table["number"]) == [3, 1, 2, 9, 8]
    assert table["flux"].unit == u.nJy
    assert table.meta["survey"] == "made"
    assert set(COLUMNS) <= set(table.colnames)
    flags = np.asarray(table["morph_flags"])
    assert flags[3] & MorphFlag.OUTSIDE_IMAGE and flags[4] & MorphFlag.BAD_POSITION
    expected = classifier.classify(mosaic, positions=[POSITIONS[i] for i in (1, 0, 2)])
    assert_same(table[:3], expected)


def test_annotate_takes_positions_by_argument(classifier, mosaic):
    sky = mosaic.wcs.pixel_to_world(*np.transpose(POSITIONS))
    catalog = QTable({"a": sky.ra, "d": sky.dec, "row": [0, 1, 2]})
    expected = classifier.classify(mosaic, positions=POSITIONS)
    for position in (("a", "d"), sky):
        table = classifier.annotate(catalog, mosaic, position=position)
        assert_same(table, expected, atol=0.02)
    x, y = np.transpose(POSITIONS)
    assert_same(classifier.annotate(catalog, mosaic, position=(x, y)), expected)
    with pytest.raises(CatalogError):
        classifier.annotate(catalog, mosaic)


def test_annotate_of_no_rows_has_all_columns(classifier, mosaic):
    table = classifier.annotate(Table({"x": np.zeros(0), "y": np.zeros(0)}), mosaic)
    assert len(table) == 0
    assert {"x", "y", *COLUMNS} <= set(table.colnames)


def test_annotate_replaces_fractions_only_if_told(classifier, mosaic):
    catalog = Table({"x": [40.0], "y": [42.0], "f_disk": [9.0]})
    with pytest.raises(CatalogError, match="f_disk"):
        classifier.annotate(catalog, mosaic)
    table = classifier.annotate(catalog, mosaic, overwrite=True)
    assert table["f_disk"][0] <= 1
    assert catalog["f_disk"][0] == 9


def test_annotate_takes_a_catalogue_of_detections(classifier, mosaic):
    detection = detect_sources(mosaic)
    table = classifier.annotate(
        detection.catalog, mosaic, segmentation=detection.segmentation
    )
    for name in detection.catalog.colnames:
        if name != "sky_centroid":
            np.testing.assert_array_equal(table[name], detection.catalog[name])


def test_classify_image_detects_and_classifies(classifier, mosaic):
    table = classifier.classify_image(mosaic)
    assert len(table) == 3
    assert {"label", "sky_centroid", "kron_flux", *COLUMNS} <= set(table.colnames)
    detection = detect_sources(mosaic)
    assert_same(classifier.classify_image(mosaic, detection=detection), table)
    none = classifier.classify_image(mosaic, detection=DetectionConfig(n_sigma=1e6))
    assert len(none) == 0
    assert set(none.colnames) == set(table.colnames)


def test_inputs_stay_as_they_are(classifier):
    pixels = np.ma.array(galaxy_image(), mask=False)
    pixels.data[5, 5] = np.nan
    image = NDData(pixels.data.copy(), mask=pixels.mask.copy())
    classifier.classify([pixels, image])
    np.testing.assert_array_equal(image.data, pixels.data)
    assert not pixels.mask.any() and not image.mask.any()


def test_results_do_not_depend_on_flux_scale_or_pedestal(classifier):
    image = galaxy_image()
    expected = classifier.classify(image)
    for other in (image * np.float64(1e-20), image * 1e6, image + 100):
        np.testing.assert_allclose(
            fractions(classifier.classify(other)), fractions(expected), atol=1e-3
        )


@pytest.mark.parametrize("name", ["saved", "saved.zip"])
def test_save_and_from_file_give_the_same_classifier(classifier, tmp_path, name):
    path = classifier.save(tmp_path / name)
    again = MorphologyClassifier.from_file(path)
    assert again.card == classifier.card
    assert_same(again.classify(galaxy_image()), classifier.classify(galaxy_image()))


def test_it_can_be_sent_to_another_process(classifier):
    expected = classifier.classify(galaxy_image())
    again = pickle.loads(pickle.dumps(classifier))
    assert_same(again.classify(galaxy_image()), expected)


def test_a_batch_size_below_one_is_refused(bundle_path):
    with pytest.raises(ConfigurationError, match="batch_size: found 0"):
        MorphologyClassifier.from_file(bundle_path, batch_size=0)


def test_progress_is_shown_on_standard_error_if_wanted(classifier, capsys):
    classifier.classify([galaxy_image()] * 2, progress=True)
    out, err = capsys.readouterr()
    assert out == ""
    assert "classified 2 of 2" in err
    classifier.classify([galaxy_image()] * 2)
    assert capsys.readouterr() == ("", "")


def test_tensorflow_is_loaded_by_the_first_prediction_only(bundle_path):
    code = f"""
import sys, numpy as np
from galmorph import MorphologyClassifier
classifier = MorphologyClassifier.from_file({str(bundle_path)!r})
classifier.preprocess(np.ones((50, 50)))
classifier.classify(np.full((50, 50), np.nan))
assert "tensorflow" not in sys.modules
classifier.classify(np.ones((50, 50)))
assert "keras" in sys.modules
"""
    subprocess.run([sys.executable, "-c", code], check=True)


def test_the_default_model_comes_with_the_package():
    models = list_models()
    classifier = MorphologyClassifier()
    assert classifier.name == models["name"][models["default"]][0]
    table = classifier.classify(galaxy_image())
    assert np.isfinite(fractions(table)).all()
    assert len(classifier.card) > 100


@pytest.mark.filterwarnings("ignore:precision")
def test_mixed_precision_gives_about_the_same(bundle_path, classifier, mosaic):
    mixed = MorphologyClassifier.from_file(bundle_path, precision="mixed")
    table = mixed.classify(mosaic, positions=POSITIONS)
    assert table["f_disk"].dtype == np.float32
    expected = classifier.classify(mosaic, positions=POSITIONS)
    difference = np.abs(fractions(table) - fractions(expected))
    assert 0 < difference.max() < 0.02
    unknown = MorphologyClassifier.from_file(bundle_path, precision="half")
    with pytest.raises(ConfigurationError, match="precision: found 'half'"):
        unknown.classify(mosaic)
