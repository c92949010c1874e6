# Licensed under a 3-clause BSD style license - see licenses/LICENSE.rst
import subprocess
import sys

import numpy as np
import pytest
from astropy.io import fits
from astropy.table import Table

from galmorph.core import CANDELS, MorphFlag
from galmorph.tables import read_table
from galmorph.tests.cli.conftest import POSITIONS
from galmorph.tests.tiny import galaxy_image, tan_wcs, write_fits


def has_fractions(table):
    return all(
        name in table.colnames and f"{name}_err" in table.colnames
        for name in CANDELS.outputs
    )


def test_classify_writes_and_prints_one_row_per_image(
    galmorph, cutout, model, tmp_path
):
    second = write_fits(tmp_path / "second.fits.gz", galaxy_image(seed=2))
    ecsv, binary = tmp_path / "out.ecsv", tmp_path / "out.fits"
    code, out, err = galmorph(
        *("classify", cutout, second, "--model", model, "-o", ecsv, "-o", binary)
    )
    assert code == 0
    assert "cutout.fits" in out and "2 galaxies, 2 classified" in out
    assert str(ecsv) in err
    table = read_table(ecsv)
    assert list(table["id"]) == ["cutout.fits", "second.fits.gz"]
    assert has_fractions(table)
    assert table.meta["galmorph"]["model"] == "tiny"
    np.testing.assert_array_equal(read_table(binary)["f_disk"], table["f_disk"])


def test_classify_on_devices_gives_the_same(galmorph, cutout, model, tmp_path):
    fractions = []
    for number, words in enumerate(([], ["--device", "cpu:0"])):
        output = tmp_path / f"{number}.ecsv"
        arguments = ("classify", cutout, "--model", model, "-o", output, *words)
        assert galmorph(*arguments)[0] == 0
        fractions.append(read_table(output)["f_disk"][0])
    assert fractions[0] == fractions[1]


def test_classify_says_nothing_on_standard_error_without_a_terminal(cutout, model):
    run = subprocess.run(
        [sys.executable, "-m", "galmorph", "classify", cutout, "--model", model],
        capture_output=True,
        text=True,
    )
    assert run.returncode == 0
    assert run.stderr == ""
    assert "1 galaxy, 1 classified" in run.stdout


def test_classify_goes_on_after_a_bad_file_and_tells_why(
    galmorph, cutout, model, tmp_path
):
    missing = tmp_path / "missing.fits"
    output = tmp_path / "out.ecsv"
    code, out, err = galmorph(
        *("classify", missing, cutout, "--model", model, "-o", output)
    )
    assert code == 0
    assert "2 galaxies, 1 classified" in out
    assert "missing.fits" in err
    table = read_table(output)
    assert table["morph_flags"][0] == MorphFlag.FAILED
    assert np.isnan(table["f_disk"][0]) and table["morph_class"][0] == ""
    (failure,) = table.meta["galmorph"]["failures"]
    assert failure["id"] == "missing.fits"


def test_classify_fails_where_every_file_is_bad(galmorph, model, tmp_path):
    code, _, err = galmorph(
        *("classify", tmp_path / "a.fits", tmp_path / "b.fits", "--model", model)
    )
    assert code == 1
    assert "a.fits" in err and "b.fits" in err


def test_mosaic_detects_and_classifies(galmorph, mosaic, model, tmp_path):
    pytest.importorskip("matplotlib")
    output, gallery = tmp_path / "out.ecsv", tmp_path / "out.png"
    code, out, _ = galmorph(
        *("mosaic", mosaic, "--model", model, "-o", output, "--gallery", gallery)
    )
    assert code == 0
    table = read_table(output)
    assert len(table) == len(POSITIONS)
    assert has_fractions(table)
    assert table["sky_centroid"].ra.deg == pytest.approx(53.1, abs=0.01)
    assert table["kron_flux"].dtype.kind == "f"
    assert gallery.stat().st_size > 10_000


def test_gallery_is_drawn_whatever_could_be_classified(
    galmorph, cutout, model, tmp_path
):
    pytest.importorskip("matplotlib")
    empty = write_fits(tmp_path / "empty.fits", np.zeros((50, 50), np.float32))
    for name, words in {
        "failed.png": ("classify", tmp_path / "no.fits", cutout),
        "none.png": ("mosaic", empty),
    }.items():
        words = (*words, "--model", model, "--gallery", tmp_path / name)
        assert galmorph(*words)[0] == 0
        assert (tmp_path / name).stat().st_size > 1000


def test_mosaic_uses_noise_and_mask(galmorph, mosaic, model, tmp_path):
    image = fits.getdata(mosaic)
    weight = np.ones_like(image)
    weight[:, 90:] = 0  # without the galaxy at x = 110
    bad = np.zeros(image.shape, np.uint8)
    bad[95:] = 1  # and without the one at y = 115
    words = [
        *("--weight", write_fits(tmp_path / "weight.fits", weight)),
        *("--mask", write_fits(tmp_path / "mask.fits", bad)),
    ]
    code, out, _ = galmorph("mosaic", mosaic, "--model", model, *words)
    assert code == 0
    assert "1 galaxy, 1 classified" in out


def test_detect_writes_a_catalogue_and_a_segmentation_map(galmorph, mosaic, tmp_path):
    output, segmentation = tmp_path / "sources.ecsv", tmp_path / "seg.fits"
    code, out, _ = galmorph(
        *("detect", mosaic, "-o", output, "--segmentation", segmentation)
    )
    assert code == 0
    assert "3 sources" in out
    table = read_table(output)
    assert set(np.unique(fits.getdata(segmentation))) == {0, *table["label"]}


def test_detect_keeps_an_existing_segmentation_map(galmorph, mosaic, tmp_path):
    output, segmentation = tmp_path / "sources.ecsv", tmp_path / "seg.fits"
    segmentation.write_text("mine")
    words = ("detect", mosaic, "-o", output, "--segmentation", segmentation)
    code, _, err = galmorph(*words)
    assert code == 1 and "seg.fits" in err
    assert not output.exists() and segmentation.read_text() == "mine"
    assert galmorph(*words, "--overwrite")[0] == 0


def test_annotate_keeps_rows_and_columns(galmorph, mosaic, model, tmp_path):
    catalog = tmp_path / "catalog.ecsv"
    given = Table(
        {
            "name": ["a", "b", "c", "far", "masked"],
            "x": np.ma.array(
                [*(x for x, _ in POSITIONS), 1e4, 5], mask=[0, 0, 0, 0, 1]
            ),
            "y": [*(y for _, y in POSITIONS), -1e4, 5],
        }
    )
    given.write(catalog)
    output = tmp_path / "out.ecsv"
    code, out, _ = galmorph(
        *("annotate", catalog, mosaic, "--x", "x", "--y", "y"),
        *("--model", model, "-o", output),
    )
    assert code == 0
    table = read_table(output)
    assert table.colnames[:3] == ["name", "x", "y"]
    assert list(table["name"]) == list(given["name"])
    flags = np.asarray(table["morph_flags"])
    assert flags[3] & MorphFlag.OUTSIDE_IMAGE
    assert flags[4] & MorphFlag.BAD_POSITION
    assert list(np.isnan(table["f_disk"])) == [False] * 3 + [True] * 2
    assert "outside_image" in out and "bad_position" in out


def test_annotate_by_sky_with_columns_of_other_names(galmorph, mosaic, model, tmp_path):
    catalog = tmp_path / "catalog.fits"
    sky = tan_wcs().pixel_to_world(*np.transpose(POSITIONS))
    Table({"alpha": sky.ra.deg, "delta": sky.dec.deg}).write(catalog)
    output = tmp_path / "out.ecsv"
    words = ("--ra", "alpha", "--dec", "delta", "--model", model, "-o", output)
    code, _, _ = galmorph("annotate", catalog, mosaic, *words)
    assert code == 0
    table = read_table(output)
    np.testing.assert_allclose(table["x_centroid"], [x for x, _ in POSITIONS], atol=1)


def test_annotate_refuses_to_replace_fractions_unless_told(
    galmorph, mosaic, model, tmp_path
):
    first, second = tmp_path / "first.ecsv", tmp_path / "second.ecsv"
    assert galmorph("mosaic", mosaic, "--model", model, "-o", first)[0] == 0
    words = ("annotate", first, mosaic, "--model", model, "-o", second)
    code, _, err = galmorph(*words)
    assert code == 1
    assert "f_disk" in err
    assert not second.exists()
    assert galmorph(*words, "--overwrite-columns")[0] == 0


def test_annotate_of_an_empty_catalogue_gives_all_columns(
    galmorph, mosaic, model, tmp_path
):
    catalog, output = tmp_path / "empty.ecsv", tmp_path / "out.ecsv"
    Table({"x": np.zeros(0), "y": np.zeros(0)}).write(catalog)
    code, out, _ = galmorph("annotate", catalog, mosaic, "--model", model, "-o", output)
    assert code == 0
    assert "0 galaxies" in out
    assert has_fractions(read_table(output))


def test_evaluate_compares_by_id(galmorph, cutout, model, tmp_path):
    results, labels = tmp_path / "results.ecsv", tmp_path / "labels.ecsv"
    second = write_fits(tmp_path / "second.fits", galaxy_image(seed=2))
    galmorph("classify", cutout, second, "--model", model, "-o", results)
    table = read_table(results)
    truth = Table({"file": ["other.fits", "second.fits", "cutout.fits"]})
    for name in CANDELS.outputs:
        fractions = np.array([0.5, table[name][1], table[name][0]])
        truth["any_" + name.removeprefix("f_")] = np.clip(fractions - 0.1, 0, 1)
    truth.write(labels)
    words = ("--label-id", "file", "--label-prefix", "any_")
    code, out, _ = galmorph("evaluate", labels, "--predictions", results, *words)
    assert code == 0
    assert "2 of 2 predictions have a label" in out
    assert "0.100" in out
    code, again, _ = galmorph(
        *("evaluate", labels, "--images", cutout, second, "--model", model, *words)
    )
    assert (code, again) == (0, out)


def test_evaluate_tells_that_nothing_matches(galmorph, tmp_path):
    for name in ("a", "b"):
        table = Table({"id": [name], "f_disk": [0.5], "f_disk_err": [0.1]})
        table.write(tmp_path / f"{name}.ecsv")
    code, _, err = galmorph(
        *("evaluate", tmp_path / "a.ecsv", "--predictions", tmp_path / "b.ecsv")
    )
    assert code == 1
    assert "no id of the predictions (b, ...)" in err
