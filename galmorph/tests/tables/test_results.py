# Licensed under a 3-clause BSD style license - see licenses/LICENSE.rst
"""Results become tables that say what they hold."""

import numpy as np
import pytest
from astropy import units as u
from astropy.coordinates import SkyCoord
from astropy.table import Column, MaskedColumn, QTable, Table

from galmorph.core import (
    CANDELS,
    GALAXY_ZOO_2,
    CatalogError,
    LabelScheme,
    MorphFlag,
)
from galmorph.tables import CLASSES, annotate_table, dominant_class, result_table

FRACTIONS = np.array([[0.9, 0.1, 0.0, 0.1, 0.0], [np.nan] * 5, [0.1, 0.9, 0.3, 0, 0]])
ERRORS = np.full((3, 5), 0.1)
FLAGS = [0, 2, 512]


@pytest.mark.parametrize(
    ("fractions", "expected"),
    [
        ([0.9, 0.1, 0.0, 0.0, 0.0], "spheroid"),
        ([0.1, 0.9, 0.0, 0.0, 0.0], "disk"),
        ([0.8, 0.9, 0.0, 0.0, 0.0], "disk+spheroid"),
        ([0.1, 0.9, 0.2, 0.0, 0.0], "irregular_disk"),
        ([0.1, 0.3, 0.9, 0.0, 0.0], "irregular"),
        ([0.1, 0.1, 0.0, 0.9, 0.0], "point_source"),
        ([0.1, 0.1, 0.0, 0.0, 0.9], "unclassifiable"),
        ([0.5, 0.5, 0.0, 0.0, 0.0], "ambiguous"),
        ([0.9, 0.1, 0.3, 0.0, 0.0], "ambiguous"),
        ([0.9, 0.9, 0.3, 0.0, 0.0], "ambiguous"),
        ([0.9, 0.1, 0.0, 0.9, 0.0], "point_source"),
        ([0.9, 0.1, 0.0, 0.9, 0.9], "unclassifiable"),
        ([2 / 3, 0.1, 0.0, 0.0, 0.0], "ambiguous"),
        ([0.9, 2 / 3, 0.1, 2 / 3, 2 / 3], "spheroid"),
        ([0.9, 0.1, 0.0, np.nan, 0.0], ""),
    ],
)
def test_dominant_class_follows_the_cuts(fractions, expected):
    assert list(dominant_class(fractions)) == [expected]
    assert list(dominant_class(np.float32([fractions] * 2))) == [expected] * 2
    assert expected in {*CLASSES, ""}


def test_every_class_can_be_reached():
    grid = np.stack(np.meshgrid(*[[0.0, 0.5, 1.0]] * 5), axis=-1).reshape(-1, 5)
    assert set(dominant_class(grid)) == set(CLASSES)


def test_dominant_class_of_other_schemes_is_the_largest_output():
    bars = LabelScheme("bars", outputs=["f_bar", "f_no_bar"])
    classes = dominant_class([[0.2, 0.8], [0.9, 0.1], [np.nan, 1]], bars)
    assert list(classes) == ["f_no_bar", "f_bar", ""]
    assert list(dominant_class(np.eye(37)[[5]], GALAXY_ZOO_2)) == ["Class3.1"]


def test_masked_fractions_have_no_class():
    fractions = np.ma.MaskedArray(np.eye(5), mask=np.eye(5)[::-1] == 1)
    assert list(dominant_class(fractions)) == [""] * 5


def test_no_galaxies_have_no_classes():
    assert dominant_class(np.zeros((0, 5))).shape == (0,)


def test_wrong_number_of_outputs_is_an_error():
    with pytest.raises(CatalogError, match="outputs"):
        dominant_class([[0.1, 0.2]])


def test_result_table_has_the_columns_in_order():
    measured = QTable({"snr": [1.0, np.nan, 3.0], "stamp_side": [9, 9, 9] * u.pix})
    measured["snr"].info.description = "Signal to noise"
    table = result_table(
        FRACTIONS, ERRORS, FLAGS, scheme=CANDELS, ids=["a", "b", "c"],
        measurements=measured, meta={"model": "m"},
    )  # fmt: skip
    assert table.colnames == [
        "id",
        *CANDELS.outputs,
        *CANDELS.error_columns,
        "morph_class",
        "morph_flags",
        "morph_domain_distance",
        "snr",
        "stamp_side",
    ]
    assert isinstance(table, QTable)
    assert all(table[n].dtype == np.float32 for n in CANDELS.outputs)
    assert all(table[n].dtype == np.float32 for n in CANDELS.error_columns)
    assert table["morph_flags"].dtype == np.int32
    assert list(table["morph_class"]) == ["spheroid", "", "irregular_disk"]
    assert table["stamp_side"].unit == u.pix
    assert all(table[n].info.description for n in table.colnames if n != "stamp_side")
    assert table.meta["galmorph"] == {"model": "m"}
    np.testing.assert_array_equal(table["f_disk"], np.float32(FRACTIONS[:, 1]))


def test_masked_values_become_nan():
    masked = np.ma.MaskedArray(FRACTIONS, mask=np.zeros((3, 5), bool))
    masked[0, 2] = np.ma.masked
    table = result_table(masked, ERRORS, FLAGS, scheme="candels")
    assert np.isnan(table["f_irregular"][0])
    assert table["morph_class"][0] == ""
    assert "id" not in table.colnames


def test_images_far_from_those_of_the_training_are_flagged():
    table = result_table(
        FRACTIONS, ERRORS, FLAGS, scheme="candels", distances=[0.9, np.nan, 1.1]
    )
    flagged = table["morph_flags"] & MorphFlag.OUT_OF_DOMAIN
    np.testing.assert_array_equal(flagged != 0, [False, False, True])
    np.testing.assert_array_equal(
        table["morph_flags"] & ~MorphFlag.OUT_OF_DOMAIN, FLAGS
    )
    distances = table["morph_domain_distance"]
    np.testing.assert_array_equal(distances, np.float32([0.9, np.nan, 1.1]))


def test_meta_of_the_table_is_its_own():
    meta = {"failures": []}
    table = result_table(FRACTIONS, ERRORS, FLAGS, scheme="candels", meta=meta)
    table.meta["galmorph"]["failures"].append(1)
    assert meta == {"failures": []}


def test_table_of_no_galaxies_has_all_columns():
    none = np.zeros((0, 5))
    empty = result_table(none, none, [], scheme="candels", ids=[])
    full = result_table(FRACTIONS, ERRORS, FLAGS, scheme="candels", ids=["a", "b", "c"])
    assert len(empty) == 0
    assert empty.colnames == full.colnames
    assert all(empty[n].dtype.kind == full[n].dtype.kind for n in full.colnames[1:])


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        ({"fractions": FRACTIONS[:, :4]}, "fractions"),
        ({"errors": ERRORS[:2]}, "errors"),
        ({"distances": [0.5]}, "distances"),
        ({"ids": ["a"]}, "ids"),
        ({"measurements": QTable({"snr": [1.0]})}, "measurements"),
        ({"measurements": QTable({"f_disk": [1.0, 2, 3]})}, "f_disk"),
    ],
)
def test_results_that_do_not_fit_are_explained(wrong, message):
    right = {"fractions": FRACTIONS, "errors": ERRORS, "flags": FLAGS}
    with pytest.raises(CatalogError, match=message):
        result_table(**{**right, **wrong}, scheme="candels")


@pytest.fixture
def catalog():
    catalog = QTable({"name": ["x", "y", "z"], "flux": [3.0, 1.0, 2.0] * u.mJy})
    catalog["n"] = MaskedColumn([1, 2, 3], mask=[0, 1, 0])
    catalog["coord"] = SkyCoord([1, 2, 3] * u.deg, [4, 5, 6] * u.deg)
    catalog["flux"].info.description = "Measured flux"
    catalog.meta["survey"] = {"name": "deep"}
    return catalog


@pytest.fixture
def result():
    return result_table(FRACTIONS, ERRORS, FLAGS, scheme="candels", meta={"model": "m"})


def test_annotated_catalogue_keeps_rows_and_columns(catalog, result):
    before = catalog.copy()
    table = annotate_table(catalog, result)
    assert table.colnames == catalog.colnames + result.colnames
    assert list(table["name"]) == ["x", "y", "z"]
    assert table["flux"].unit == u.mJy
    assert table["flux"].info.description == "Measured flux"
    assert list(table["n"].mask) == [False, True, False]
    assert isinstance(table["coord"], SkyCoord)
    assert table["f_disk"].info.description == result["f_disk"].info.description
    assert table.meta["survey"] == {"name": "deep"}
    table["flux"][0] = 99 * u.mJy
    table.meta["survey"]["name"] = "wide"
    assert catalog.colnames == before.colnames
    assert catalog["flux"][0] == before["flux"][0]
    assert catalog.meta == before.meta


def test_plain_tables_may_be_annotated(result):
    catalog = Table({"t": ["a", "b", "c"], "flux": [1.0, 2, 3]})
    catalog["t"].unit = "deg"
    catalog["flux"].unit = "mJy"
    table = annotate_table(catalog, result)
    assert table["flux"].unit == u.mJy
    assert list(table["t"]) == ["a", "b", "c"]


def test_provenance_of_catalogue_and_result_is_joined(catalog, result):
    catalog.meta["galmorph"] = {"detection": {"n_sigma": 4}, "model": "old"}
    table = annotate_table(catalog, result)
    assert table.meta["galmorph"] == {"detection": {"n_sigma": 4}, "model": "m"}


def test_columns_are_replaced_only_when_told(catalog, result):
    once = annotate_table(catalog, result)
    with pytest.raises(CatalogError, match="f_spheroid.*overwrite"):
        annotate_table(once, result)
    result["f_disk"] = Column(np.float32([0.5, 0.5, 0.5]), description="New")
    twice = annotate_table(once, result, overwrite=True)
    assert twice.colnames == once.colnames
    assert list(twice["f_disk"]) == [0.5] * 3
    assert twice["f_disk"].info.description == "New"


def test_rows_must_agree(catalog, result):
    with pytest.raises(CatalogError, match="2 rows for a catalogue of 3"):
        annotate_table(catalog, result[:2])


def test_empty_catalogue_may_be_annotated(catalog, result):
    table = annotate_table(catalog[:0], result[:0])
    assert len(table) == 0 and "morph_class" in table.colnames
