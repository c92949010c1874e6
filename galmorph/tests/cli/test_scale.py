# Licensed under a 3-clause BSD style license - see licenses/LICENSE.rst
"""
``galmorph annotate`` of tiles, with processes, in shards.
"""

import numpy as np
import pytest
from astropy.table import Table

from galmorph.tables import read_table
from galmorph.tests.cli.conftest import POSITIONS
from galmorph.tests.tiny import galaxy_image, tan_wcs, write_fits


@pytest.fixture
def catalog(tmp_path):
    sky = tan_wcs().pixel_to_world(*np.transpose(POSITIONS))
    path = tmp_path / "catalog.ecsv"
    Table({"RA_1": sky.ra.deg, "DEC_1": sky.dec.deg}).write(path)
    return path


@pytest.fixture
def annotate(galmorph, catalog, model):
    def run(*words):
        words = ("annotate", catalog, *words, "--ra", "RA_1", "--dec", "DEC_1")
        return galmorph(*words, "--model", model)

    return run


def test_processes_give_the_table_of_the_small_road(annotate, mosaic, tmp_path):
    small, large = tmp_path / "small.ecsv", tmp_path / "large.ecsv"
    assert annotate(mosaic, "-o", small)[0] == 0
    code, out, err = annotate(mosaic, "-o", large, "--workers", 1)
    assert code == 0
    assert "3 rows, 3 classified" in out and "galaxies/s" in out
    assert f"written: {large}" in err
    one, other = read_table(small), read_table(large)
    assert one.colnames == other.colnames and one.meta == other.meta
    np.testing.assert_allclose(one["f_disk"], other["f_disk"], atol=1e-6)
    code, out, err = annotate(mosaic, "-o", large, "--workers", 1)
    assert code == 1 and "is there already" in err
    assert annotate(mosaic, "-o", large, "--workers", 0, "--overwrite")[0] == 0


def test_tiles_are_named_by_a_list_a_pattern_or_a_table(annotate, mosaic, tmp_path):
    pixels = galaxy_image((150, 150), POSITIONS)
    write_fits(tmp_path / "tile_a.fits", pixels[:, :90], tan_wcs())
    write_fits(tmp_path / "tile_b.fits", pixels[:, 60:], tan_wcs(centre=(15, 75)))
    tiles = [tmp_path / "tile_a.fits", tmp_path / "tile_b.fits"]
    rms = np.ones((150, 90), np.float32)
    write_fits(tmp_path / "rms.fits", rms)
    rows = Table({"sci": ["tile_a.fits", "tile_b.fits"], "rms": ["rms.fits"] * 2})
    rows.write(tmp_path / "tiles.csv")
    for number, words in enumerate(
        (tiles, [tmp_path / "tile_?.fits"], [tmp_path / "tiles.csv"])
    ):
        out = tmp_path / f"out{number}.ecsv"
        code, printed, err = annotate(*words, "-o", out)
        assert code == 0, err
        assert read_table(out)["tile"].tolist() == ["tile_a", "tile_b", "tile_a"]


def test_shards_take_the_place_of_one_table(annotate, mosaic, tmp_path):
    code, out, err = annotate(mosaic, "--shards", tmp_path / "shards")
    assert code == 0, err
    (shard,) = (tmp_path / "shards").glob("shard-*")
    assert len(read_table(shard)) == 3
    code, out, err = annotate(mosaic, "--shards", tmp_path / "shards")
    assert code == 0 and "(3 by an earlier run)" in out


@pytest.mark.parametrize(
    "words, complaint",
    [
        (["--workers", "1"], "give one output"),
        (["-o", "a.ecsv", "--shards", "b"], "give one output"),
        (["--shards", "b.ecsv"], "name a folder"),
        (["-o", "a.ecsv", "--workers", "-1"], "n_workers: found -1"),
        (["-o", "a.ecsv", "--memory-limit", "1 MB"], "at least"),
        (["-o", "a.ecsv", "--workers", "0", "--gallery", "a.png"], "--gallery"),
        (["-o", "a.txt", "--workers", "0"], "no suffix of a table"),
    ],
)
def test_what_makes_no_sense_is_told(words, complaint, annotate, mosaic):
    code, _, err = annotate(mosaic, *words)
    assert code in (1, 2) and complaint in err


def test_noise_of_several_tiles_comes_from_a_table(annotate, mosaic, tmp_path):
    other = write_fits(tmp_path / "other.fits", galaxy_image((150, 150)), tan_wcs())
    code, _, err = annotate(mosaic, other, "--rms", mosaic, "-o", tmp_path / "a.ecsv")
    assert code == 2 and "--rms: for several tiles" in err


def test_sources_of_tiles_are_detected_and_classified(
    galmorph, mosaic, model, tmp_path
):
    small, large = tmp_path / "small.ecsv", tmp_path / "large.ecsv"
    words = ("mosaic", mosaic, "--model", model, "--n-sigma", 4, "-o")
    assert galmorph(*words, small)[0] == 0
    code, out, err = galmorph(*words, large, "--workers", 0)
    assert code == 0 and "detection" in out and f"written: {large}" in err
    one, other = read_table(small), read_table(large)
    assert one.colnames == other.colnames and len(one) == len(other) > 0
    np.testing.assert_allclose(one["f_disk"], other["f_disk"], atol=1e-4)
    copy = tmp_path / "copy.fits"
    copy.write_bytes(mosaic.read_bytes())
    code, out, err = galmorph(
        "mosaic", mosaic, copy, "--model", model, "--shards", tmp_path / "shards"
    )
    # of two tiles of the same place each source is taken from one
    assert code == 0 and f"{len(one)} rows" in out
    code, out, err = galmorph("mosaic", mosaic, copy, "--model", model)
    assert code == 2 and "give one output" in err
