# Licensed under a 3-clause BSD style license - see licenses/LICENSE.rst
import numpy as np
import pytest

from galmorph.core import decode_flags
from galmorph.scale import Tile, annotate, open_tile
from galmorph.tables import read_table

FRACTIONS = ("f_spheroid", "f_disk", "f_irregular", "f_point_source")
ROUNDING = 1e-6  # of the network, where a row stands elsewhere in a batch


def assert_same(table, other, atol=0.0):
    """All columns the same, bit by bit but for the network's rounding."""
    assert table.colnames == other.colnames
    for name in table.colnames:
        one, two = (
            np.asarray(getattr(t[name], "value", t[name])) for t in (table, other)
        )
        if name.startswith("f_") or name == "morph_domain_distance":
            np.testing.assert_allclose(one, two, rtol=0, atol=atol, err_msg=name)
        else:
            np.testing.assert_array_equal(one, two, err_msg=name)


@pytest.fixture(scope="module")
def whole(tile):
    """The whole image in memory."""
    with open_tile(tile) as opened:
        return opened.read()


@pytest.fixture(scope="module")
def expected(classifier, catalog, whole):
    """What the whole image in memory gives."""
    return classifier.annotate(catalog, whole)


@pytest.fixture(scope="module")
def tile(files):
    return Tile(
        files / "mosaic_sci.fits",
        rms=files / "mosaic_rms.fits",
        mask=files / "mosaic_mask.fits",
    )


@pytest.mark.parametrize("n_workers", [0, 2])
@pytest.mark.parametrize("suffix", [".parquet", ".ecsv", ".fits"])
def test_a_mosaic_on_disk_gives_the_table_of_the_one_in_memory(
    suffix, n_workers, tile, catalog, classifier, expected, tmp_path
):
    if suffix == ".parquet":
        pytest.importorskip("pyarrow")
    out = tmp_path / f"out{suffix}"
    summary = annotate(catalog, tile, out, classifier=classifier, n_workers=n_workers)
    table = read_table(out)
    assert_same(table, expected, ROUNDING)
    assert table.meta["galmorph"] == expected.meta["galmorph"]
    assert table.meta["survey"] == "made"
    assert table["petrosian_radius_angle"].unit == "arcsec"
    assert [path.name for path in tmp_path.iterdir()] == [out.name]
    assert summary.rows == len(catalog) and summary.path == out
    assert summary.classified == sum(table["morph_class"] != "")
    flags = [name for names in decode_flags(table["morph_flags"]) for name in names]
    assert summary.flags == {name: flags.count(name) for name in set(flags)}
    assert {"reading", "preprocessing", "network", "writing"} == set(summary.rates)
