# Licensed under a 3-clause BSD style license - see licenses/LICENSE.rst
"""What is written to a file comes back, and files are whole or not there."""

import os
import sys

import numpy as np
import pytest
from astropy import units as u
from astropy.coordinates import FK5, SkyCoord
from astropy.io import fits
from astropy.table import MaskedColumn, QTable, Table
from astropy.time import Time
from astropy.utils.masked import Masked

from galmorph.core import CatalogError, MissingDependencyError
from galmorph.tables import read_table, result_table, write_table

SUFFIXES = [".ecsv", ".fits", ".fits.gz", ".vot", ".xml", ".parquet"]


@pytest.fixture(params=SUFFIXES)
def path(request, tmp_path):
    if request.param == ".parquet":
        pytest.importorskip("pyarrow")
    return tmp_path / f"table{request.param}"


@pytest.fixture
def table():
    fractions = np.array([[0.9, 0.1, 1 / 3, 0.0, 0.0], [np.nan] * 5, [0.1] * 5])
    table = result_table(
        fractions, fractions / 7, [0, 2, 512], scheme="candels",
        ids=["a", "", "a long name"],
        meta={
            "model": "m",
            "preprocessing": {"stretch": "asinh", "limits": [0.1, None, True]},
            "failures": [{"row": 1, "reason": "it's \"cut\" & <gone>\n±é" + "x" * 200}],
        },
    )  # fmt: skip
    table["flux"] = np.array([1e-20, np.nan, 3]) * u.electron / u.s
    table["angle"] = np.array([1, 2, 3], dtype=np.float32) * u.arcsec
    table["sky_centroid"] = SkyCoord([1, 2, 359.9] * u.deg, [-89, 0.1, 1 / 3] * u.deg)
    table["edge"] = [True, False, True]
    table["count"] = MaskedColumn([1, 2, 3], mask=[0, 1, 0], dtype=np.int64)
    table["mag"] = MaskedColumn([1, 2, 3], mask=[0, 1, 0], dtype=np.float32)
    table["note"] = MaskedColumn(["u", "v", "w"], mask=[0, 1, 0])
    table["seen"] = MaskedColumn([True, True, False], mask=[0, 1, 0])
    table["size"] = Masked([1.0, 2.0, 3.0], mask=[0, 1, 0]) * u.pix
    table["pair"] = np.arange(6, dtype=np.float32).reshape(3, 2)
    for name in table.colnames:
        table[name].info.description = f"What {name} is"
    table.meta["OBSERVER"] = "Hubble"
    table.meta["zero point"] = 25.946
    table.meta["history"] = ["first", "second"]
    return table


def assert_same(found, expected):
    assert isinstance(found, QTable)
    assert found.colnames == expected.colnames
    assert dict(found.meta) == dict(expected.meta)
    for name in expected.colnames:
        a, b = found[name], expected[name]
        assert a.info.description == b.info.description, name
        assert a.info.unit == b.info.unit, name
        if isinstance(b, SkyCoord):
            assert isinstance(a, SkyCoord) and a.is_equivalent_frame(b)
            np.testing.assert_allclose(a.spherical.lon.deg, b.spherical.lon.deg)
            np.testing.assert_allclose(a.spherical.lat.deg, b.spherical.lat.deg)
            continue
        assert type(a) is type(b), name
        if b.dtype.kind == "U":
            assert a.dtype.kind == "U", name
        else:
            assert a.dtype == b.dtype, name
        mask = getattr(b, "mask", np.zeros(b.shape, dtype=bool))
        np.testing.assert_array_equal(getattr(a, "mask", np.zeros_like(mask)), mask)
        plain = [np.asarray(getattr(c, "unmasked", c))[~mask] for c in (a, b)]
        np.testing.assert_array_equal(*plain, err_msg=name)


def test_table_comes_back_as_it_was(table, path):
    before = table.copy()
    assert write_table(table, path) is None
    assert_same(read_table(path), table)
    assert_same(table, before)


def test_table_without_rows_comes_back(table, path):
    # masks cannot show, and ECSV has no empty columns of several dimensions
    table.remove_columns(["count", "mag", "note", "seen", "size", "pair"])
    write_table(table[:0], path)
    assert_same(read_table(path), table[:0])


def test_table_of_plain_columns_comes_back(path):
    table = QTable({"f_disk": np.float32([0.1, 0.2])})
    write_table(table, path)
    assert_same(read_table(path), table)


def test_written_table_can_be_written_again(table, path, tmp_path):
    write_table(table, path)
    again = tmp_path / f"again{''.join(path.suffixes)}"
    write_table(read_table(path), again)
    assert_same(read_table(again), table)


def test_plain_tables_with_units_come_back_as_quantities(path):
    table = Table({"r": [1.5, 2.5], "t": ["a", "b"]})
    table["r"].unit = "arcsec"
    write_table(table, path)
    assert read_table(path)["r"].unit == u.arcsec
    assert type(table["r"]).__name__ == "Column"


@pytest.mark.parametrize("frame", ["galactic", FK5(equinox="J1975")])
def test_sky_positions_keep_their_frame(frame, path):
    coord = SkyCoord([10, np.nan] * u.deg, [20, 30] * u.deg, frame=frame)
    write_table(QTable({"coord": coord}), path)
    found = read_table(path)["coord"]
    assert found.is_equivalent_frame(coord)
    np.testing.assert_allclose(found.spherical.lon.deg, [10, np.nan])


def test_big_endian_columns_come_back_in_native_order(path):
    table = QTable({"a": np.array([1, 2], ">f4"), "b": np.array([1, 2], ">i4") * u.m})
    write_table(table, path)
    found = read_table(path)
    assert found["a"].dtype == np.float32 and found["a"].dtype.isnative
    assert found["b"].dtype.isnative


def test_astropy_itself_reads_what_was_written(table, path):
    if path.suffix == ".parquet":
        pytest.skip("astropy reads Parquet through pandas")
    write_table(table, path)
    if path.suffix in (".vot", ".xml"):
        found = Table.read(path, format="votable")
        np.testing.assert_allclose(
            found["sky_centroid.ra"], table["sky_centroid"].ra.deg
        )
        assert found["sky_centroid.ra"].meta["ucd"] == "pos.eq.ra;meta.main"
    else:
        found = QTable.read(path)
        assert isinstance(found["sky_centroid"], SkyCoord)
    np.testing.assert_allclose(found["f_disk"][0], np.float32(0.1))
    assert found["angle"].unit == u.arcsec


def test_pyarrow_itself_reads_what_was_written(table, tmp_path):
    parquet = pytest.importorskip("pyarrow.parquet")
    write_table(table, tmp_path / "t.parquet")
    found = parquet.read_table(tmp_path / "t.parquet")
    assert found["count"].to_pylist() == [1, None, 3]
    assert found["sky_centroid.dec"].to_pylist()[0] == -89
    assert found.schema.field("angle").metadata[b"unit"] == b"arcsec"


def test_parquet_of_others_is_read(tmp_path):
    pa = pytest.importorskip("pyarrow")
    parquet = pytest.importorskip("pyarrow.parquet")
    columns = {"ra": [1.5, None], "n": [1, None], "t": ["a", None], "b": [True, None]}
    parquet.write_table(pa.table(columns), tmp_path / "t.parquet")
    found = read_table(tmp_path / "t.parquet")
    assert found["n"].dtype == np.int64
    for name in columns:
        assert found[name][0] == columns[name][0]
        assert list(found[name].mask) == [False, True]


def test_fits_of_others_is_read(tmp_path):
    column = fits.Column("RA", "D", unit="degrees", array=np.array([1.5, np.nan]))
    count = fits.Column("N", "J", null=-1, array=np.array([5, -1]))
    fits.BinTableHDU.from_columns([column, count]).writeto(tmp_path / "t.fits")
    found = read_table(tmp_path / "t.fits")
    assert np.isnan(found["RA"][1])
    assert list(found["N"].mask) == [False, True]


def test_edited_fits_cards_go_before_the_document(table, tmp_path):
    path = tmp_path / "t.fits"
    write_table(table, path)
    fits.setval(path, "OBSERVER", value="Lemaitre", ext=1)
    assert read_table(path).meta["OBSERVER"] == "Lemaitre"


def test_text_catalogues_are_read(tmp_path):
    (tmp_path / "t.csv").write_text("ra,dec\n1.5,2.5\n")
    assert read_table(tmp_path / "t.csv")["ra"][0] == 1.5
    (tmp_path / "t.cat").write_text("#   1 X_IMAGE  Position\n 3.5\n")
    found = read_table(tmp_path / "t.cat", format="ascii.sextractor")
    assert found["X_IMAGE"][0] == 3.5


def test_format_may_be_told(table, tmp_path):
    write_table(table, tmp_path / "t.dat", format="fits")
    assert_same(read_table(tmp_path / "t.dat", format="fits"), table)


def test_files_are_not_replaced_unless_told(table, path):
    write_table(table, path)
    with pytest.raises(CatalogError, match="overwrite=True"):
        write_table(table[:1], path)
    assert len(read_table(path)) == 3
    write_table(table[:1], path, overwrite=True)
    assert len(read_table(path)) == 1


def test_failed_write_leaves_the_old_file_and_nothing_else(table, path, monkeypatch):
    write_table(table, path)
    before = path.read_bytes()

    def fail(*args):
        raise OSError("disk full")

    monkeypatch.setattr(os, "replace", fail)
    with pytest.raises(CatalogError, match="disk full"):
        write_table(table[:1], path, overwrite=True)
    assert path.read_bytes() == before
    assert os.listdir(path.parent) == [path.name]


def test_interrupted_write_leaves_nothing(table, path, monkeypatch):
    def interrupt(*args):
        raise KeyboardInterrupt

    monkeypatch.setattr(os, "replace", interrupt)
    with pytest.raises(KeyboardInterrupt):
        write_table(table, path)
    assert os.listdir(path.parent) == []


@pytest.mark.parametrize("suffix", [".fits", ".vot", ".parquet"])
def test_column_that_the_format_cannot_hold_is_explained(suffix, tmp_path):
    if suffix == ".parquet":
        pytest.importorskip("pyarrow")
    table = QTable({"things": np.array([{}, None], dtype=object)})
    with pytest.raises(CatalogError, match="things"):
        write_table(table, tmp_path / f"t{suffix}")
    assert os.listdir(tmp_path) == []


@pytest.mark.parametrize("suffix", [".vot", ".parquet"])
def test_coordinates_that_the_format_cannot_hold_are_explained(suffix, tmp_path):
    if suffix == ".parquet":
        pytest.importorskip("pyarrow")
    deg = [1, 2] * u.deg
    for column, message in (
        (Time([1, 2], format="mjd"), "Time.*ECSV"),
        (SkyCoord(deg, deg, distance=[3, 4] * u.Mpc), "distances.*ECSV"),
    ):
        with pytest.raises(CatalogError, match=message):
            write_table(QTable({"c": column}), tmp_path / f"t{suffix}")
    clash = QTable({"c": SkyCoord(deg, deg), "c.ra": [1, 2]})
    with pytest.raises(CatalogError, match="c.ra"):
        write_table(clash, tmp_path / f"t{suffix}")


def test_unknown_suffix_lists_the_known_ones(table, tmp_path):
    with pytest.raises(CatalogError, match="table.doc.*ecsv"):
        write_table(table, tmp_path / "table.doc")
    with pytest.raises(CatalogError, match="format.*'html'"):
        write_table(table, tmp_path / "table.html", format="html")


def test_missing_file_or_folder_is_named(table, tmp_path):
    with pytest.raises(CatalogError, match="no file.*nowhere.fits"):
        read_table(tmp_path / "nowhere.fits")
    with pytest.raises(CatalogError, match="no folder"):
        write_table(table, tmp_path / "nowhere" / "t.fits")


def test_file_that_is_no_table_is_an_error(path, tmp_path):
    path.write_bytes(b"not a table")
    with pytest.raises(CatalogError, match="could not be read"):
        read_table(path)
    fits.PrimaryHDU(np.zeros((3, 3))).writeto(tmp_path / "image.fits")
    with pytest.raises(CatalogError, match="image.fits"):
        read_table(tmp_path / "image.fits")


def test_parquet_without_pyarrow_names_the_extra(table, tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "pyarrow", None)
    with pytest.raises(MissingDependencyError, match=r"\[all\]"):
        write_table(table, tmp_path / "t.parquet")
    (tmp_path / "t.parquet").write_bytes(b"PAR1")
    with pytest.raises(MissingDependencyError, match=r"\[all\]"):
        read_table(tmp_path / "t.parquet")
