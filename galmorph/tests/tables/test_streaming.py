# Licensed under a 3-clause BSD style license - see licenses/LICENSE.rst
import astropy.units as u
import numpy as np
import pytest
from astropy.coordinates import SkyCoord
from astropy.table import MaskedColumn, QTable, Table, vstack

from galmorph.core import CatalogError
from galmorph.tables import LongTable, read_table, write_chunks, write_table

N = 100


@pytest.fixture
def table():
    """One column of each kind; what is masked and what is long comes late."""
    rows = np.arange(N)
    table = QTable()
    table["id"] = np.array(["g" * (1 + row // 30) for row in rows])
    table["number"] = MaskedColumn(rows, mask=rows == 77)
    table["flags"] = rows.astype(np.int32)
    table["f_disk"] = np.where(rows == 5, np.nan, rows / N).astype(np.float32)
    table["star"] = rows % 2 == 0
    table["size"] = rows * 0.1 * u.arcsec
    table["place"] = SkyCoord(rows * 0.1, rows * 0.2, unit="deg")
    table["f_disk"].info.description = "Disk"
    table.meta = {"galmorph": {"failures": [{"row": 5, "reason": "no pixels"}]}}
    return table


def assert_same(table, other):
    assert table.colnames == other.colnames
    for name in table.colnames:
        one, two = table[name], other[name]
        assert type(one) is type(two), name
        assert one.info.description == two.info.description
        if name == "place":
            assert np.all(one.separation(two) < 1e-9 * u.deg)
            continue
        assert one.dtype == two.dtype
        mask = np.ma.getmaskarray(one)
        np.testing.assert_array_equal(mask, np.ma.getmaskarray(two))
        np.testing.assert_array_equal(one[~mask], two[~mask])
    assert table.meta["galmorph"] == other.meta["galmorph"]


@pytest.mark.parametrize("suffix", [".parquet", ".ecsv", ".fits", ".vot"])
def test_what_is_written_in_parts_is_the_same_table(table, suffix, tmp_path):
    if suffix == ".parquet":
        pytest.importorskip("pyarrow")
    parts = (table[first : first + 30] for first in range(0, N, 30))
    write_chunks(parts, tmp_path / f"parts{suffix}")
    write_table(table, tmp_path / f"whole{suffix}")
    whole = read_table(tmp_path / f"whole{suffix}")
    assert_same(read_table(tmp_path / f"parts{suffix}"), whole)


@pytest.mark.parametrize("suffix", [".parquet", ".ecsv", ".fits", ".fits.gz", ".vot"])
def test_what_is_read_in_parts_is_the_same_table(table, suffix, tmp_path):
    if suffix == ".parquet":
        pytest.importorskip("pyarrow")
    path = tmp_path / f"table{suffix}"
    write_table(table, path)
    long = LongTable(path)
    assert len(long) == N
    chunks = list(long.chunks(30))
    assert [len(chunk) for chunk in chunks] == [30, 30, 30, 10]
    for name in table.colnames:
        assert len({type(chunk[name]) for chunk in chunks}) == 1
    joined = vstack(chunks, metadata_conflicts="silent")
    joined.meta = chunks[0].meta
    assert_same(joined, read_table(path))
    # and once more from the beginning
    assert len(next(long.chunks(50))) == 50


def test_a_foreign_parquet_file_has_the_same_masks_in_all_parts(tmp_path):
    parquet = pytest.importorskip("pyarrow.parquet")
    pyarrow = pytest.importorskip("pyarrow")
    columns = {"a": [1, 2, 3, None], "b": [0.5, 1, 2, 3], "c": ["x", "yy", None, "z"]}
    parquet.write_table(pyarrow.table(columns), tmp_path / "table.parquet")
    first, second = LongTable(tmp_path / "table.parquet").chunks(2)
    for chunk in (first, second):
        assert isinstance(chunk["a"], MaskedColumn)
        assert chunk["a"].dtype == np.int64
        assert isinstance(chunk["c"], MaskedColumn)
        assert not isinstance(chunk["b"], MaskedColumn)
    assert second["a"].mask.tolist() == [False, True]


def test_a_table_in_memory_comes_in_parts(table):
    chunks = list(LongTable(table).chunks(64))
    assert [len(chunk) for chunk in chunks] == [64, 36]
    assert chunks[1]["number"].mask.sum() == 1


@pytest.mark.parametrize("suffix", [".parquet", ".ecsv", ".fits"])
def test_a_table_without_rows_is_one_part(table, suffix, tmp_path):
    if suffix == ".parquet":
        pytest.importorskip("pyarrow")
    write_table(table[:0], tmp_path / f"table{suffix}")
    (chunk,) = LongTable(tmp_path / f"table{suffix}").chunks(10)
    assert len(chunk) == 0 and chunk.colnames == table.colnames


def test_an_interrupted_writer_leaves_nothing(table, tmp_path):
    def parts():
        yield table
        raise KeyboardInterrupt

    for suffix in (".ecsv", ".fits"):
        with pytest.raises(KeyboardInterrupt):
            write_chunks(parts(), tmp_path / f"table{suffix}")
    assert not any(tmp_path.iterdir())


def test_bad_files_are_told(table, tmp_path):
    (tmp_path / "text.fits").write_text("no table")
    with pytest.raises(CatalogError, match="there is no file"):
        LongTable(tmp_path / "missing.parquet")
    with pytest.raises(CatalogError, match="format of 'table.txt' is not known"):
        LongTable(tmp_path / "table.txt")
    with pytest.raises(CatalogError, match="could not be read"):
        LongTable(tmp_path / "text.fits")
    write_table(Table({"a": [1]}), tmp_path / "table.ecsv")
    with pytest.raises(CatalogError, match="is there already"):
        write_chunks([table], tmp_path / "table.ecsv")
    with pytest.raises(CatalogError, match="cannot be written"):
        write_chunks([table], tmp_path / "table.csv", format="csv")
