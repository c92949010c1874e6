# Licensed under a 3-clause BSD style license - see licenses/LICENSE.rst
import os
import subprocess
import sys

import numpy as np
import pytest
from astropy.io import fits
from astropy.wcs import WCS

from galmorph.core import CANDELS
from galmorph.tables import read_table

pytest.importorskip("galsim")
pytest.importorskip("matplotlib")


@pytest.fixture(scope="module")
def demo(tmp_path_factory, model):
    """The demo, run once by a shell's words: its folder and what it printed."""
    out = tmp_path_factory.mktemp("demo") / "results"
    before = os.times()
    run = subprocess.run(
        [sys.executable, "-m", "galmorph", "demo", "--model", model, "--out", out],
        capture_output=True,
        text=True,
    )
    after = os.times()
    assert run.returncode == 0, run.stderr
    # what the processors did, as others may keep them busy meanwhile
    used = [after[i] - before[i] for i in (2, 3)]
    assert sum(used) < 90
    return out, run.stdout, run.stderr


def test_demo_prints_a_table_and_the_error_of_each_fraction(demo):
    _, out, err = demo
    assert "spheroid" in out and "galaxies" in out
    for name in (*CANDELS.outputs, "all"):
        assert f"\n{name} " in out
    assert "rmse_mean" in out
    assert "true ones within" in out
    assert "detecting" in err


def test_demo_writes_mosaic_catalogue_and_gallery(demo):
    folder, out, _ = demo
    names = ["mosaic.fits", "catalog.ecsv", "catalog.fits", "gallery.png"]
    for name in names:
        assert f"written: {folder / name}" in out
    with fits.open(folder / "mosaic.fits") as hdus:
        assert WCS(hdus["SCI"].header).has_celestial
    ecsv, binary = (read_table(folder / f"catalog.{s}") for s in ("ecsv", "fits"))
    assert len(ecsv) > 30
    assert ecsv.colnames == binary.colnames
    np.testing.assert_array_equal(ecsv["f_disk"], binary["f_disk"])
    assert (folder / "gallery.png").stat().st_size > 100_000


def test_demo_matches_most_true_galaxies(demo):
    _, out, _ = demo
    line = next(line for line in out.splitlines() if "true ones within" in line)
    matched, _, true = (int(word) for word in line.split() if word.isdigit())
    assert matched > 0.7 * true


@pytest.mark.parametrize("package", ["galsim", "matplotlib"])
def test_demo_says_which_extra_is_missing(galmorph, monkeypatch, tmp_path, package):
    monkeypatch.setitem(sys.modules, package, None)
    code, _, err = galmorph("demo", "--out", tmp_path / "out")
    assert code == 1
    extra = {"galsim": "sim", "matplotlib": "plot"}[package]
    assert f"astro-galmorph[{extra}]" in err
    assert not (tmp_path / "out").exists()


def test_simulated_galaxies_can_be_classified_and_evaluated(galmorph, model, tmp_path):
    folder, results = tmp_path / "simulated", tmp_path / "results.ecsv"
    words = ("simulate", "galaxies", 3, "--seed", 5, "--out", folder)
    assert galmorph(*words)[0] == 0
    code, _, err = galmorph(*words)
    assert code == 1 and "--overwrite" in err
    images = sorted(folder.glob("*.fits"))
    assert len(images) == 3
    assert galmorph("classify", *images, "--model", model, "-o", results)[0] == 0
    code, out, _ = galmorph("evaluate", folder / "truth.ecsv", "--predictions", results)
    assert code == 0
    assert "3 of 3 predictions have a label" in out


def test_simulated_field_is_written_with_its_truth(galmorph, tmp_path):
    path = tmp_path / "field.fits"
    words = ("simulate", "field", 4, "--shape", 120, 150, "--seed", 5, "--out", path)
    code, out, _ = galmorph(*words)
    assert code == 0
    assert "4 sources" in out
    assert fits.getdata(path, "SCI").shape == (120, 150)
    assert len(read_table(path.with_suffix(".ecsv"))) == 4
    code, _, err = galmorph(*words)
    assert code == 1 and "--overwrite" in err


def test_galaxies_are_simulated_for_other_cameras_and_few_people(galmorph, tmp_path):
    words = ("simulate", "galaxies", 2, "--out", tmp_path / "euclid", "--votes", 4)
    assert galmorph(*words, "--instrument", "euclid_vis")[0] == 0
    header = fits.getheader(tmp_path / "euclid" / "galaxy_000001.fits")
    assert header["PIXSCALE"] == 0.1
    table = read_table(tmp_path / "euclid" / "truth.ecsv")
    assert list(table["n_votes"]) == [4, 4]
    assert not (table["f_disk"] * 4 % 1).any()
    code, _, err = galmorph(
        "simulate", "field", 2, "--out", tmp_path / "x.fits", "--instrument", "eyes"
    )
    assert code == 1 and "'eyes'" in err
