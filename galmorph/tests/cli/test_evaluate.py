# Licensed under a 3-clause BSD style license - see licenses/LICENSE.rst
import numpy as np
import pytest
from astropy.table import Table

from galmorph.core import CANDELS
from galmorph.tables import read_table


@pytest.fixture
def files(tmp_path):
    """Labels and predictions of 60 galaxies, in different orders."""
    random = np.random.default_rng(1)
    labels = Table({"name": [f"g{i}" for i in range(60)]})
    labels["n_votes"] = random.integers(3, 8, 60)
    labels["H"] = random.uniform(18, 25, 60)
    labels["field"] = random.choice(["north", "south", "east"], 60)
    predictions = Table({"id": labels["name"][::-1]})
    for name in CANDELS.outputs:
        labels[name] = random.uniform(size=60)
        predictions[name] = np.clip(labels[name][::-1] + 0.05, 0, 1)
        predictions[f"{name}_err"] = 0.1
    predictions["snr"] = random.uniform(5, 100, 60)
    labels.write(tmp_path / "labels.ecsv")
    predictions.write(tmp_path / "predictions.ecsv")
    return (
        *("evaluate", tmp_path / "labels.ecsv"),
        *("--predictions", tmp_path / "predictions.ecsv", "--label-id", "name"),
    )


def test_page_and_tables_are_written(galmorph, files, tmp_path):
    pytest.importorskip("matplotlib")
    out = tmp_path / "page"
    more = ("--votes", "n_votes", "--bins", "H", "--bins", "snr", "--groups", "field")
    code, printed, err = galmorph(*files, *more, "--out", out)
    assert code == 0, err
    assert f"written: {out / 'index.html'}" in err
    for words in ("rmse_floor", "within_1", "completeness", "in bins of H", "of snr"):
        assert words in printed
    assert (out / "by_H.png").stat().st_size > 0
    galaxies = read_table(out / "galaxies.ecsv")
    assert galaxies["id"][0] == "g59"  # in the order of the predictions
    assert (galaxies["rmse"] <= 0.0501).all()
    bins = read_table(out / "by_snr.ecsv")
    assert bins[bins["output"] == "all"]["n"].sum() == 60


def test_folder_with_files_is_kept_unless_asked(galmorph, files, tmp_path):
    pytest.importorskip("matplotlib")
    code, printed, err = galmorph(*files, "--out", tmp_path)
    assert (code, printed) == (1, "")
    assert "is not empty; give --overwrite" in err
    code, _, _ = galmorph(*files, "--out", tmp_path, "--overwrite")
    assert code == 0 and (tmp_path / "labels.ecsv").exists()


def test_folder_that_is_a_file_is_refused(galmorph, files):
    pytest.importorskip("matplotlib")
    code, _, err = galmorph(*files, "--out", files[1])
    assert code == 1 and "is no folder" in err


@pytest.mark.parametrize(
    ("option", "column", "words"),
    [
        ("--votes", "people", "--votes: there is no column 'people'; the labels have"),
        ("--bins", "K", "--bins: there is no column 'K'; the labels have"),
        ("--groups", "sky", "--groups: there is no column 'sky'; the labels have"),
        ("--bins", "field", "expected numbers, found such as"),
        ("--votes", "field", "n_votes: expected numbers"),
    ],
)
def test_columns_that_cannot_be_used_are_told(galmorph, files, option, column, words):
    code, _, err = galmorph(*files, option, column)
    assert code == 1
    assert words in err and len(err.splitlines()) == 1


def test_table_of_errors_goes_to_files(galmorph, files, tmp_path):
    table = tmp_path / "metrics.fits"
    code, _, _ = galmorph(*files, "-o", table)
    assert code == 0
    metrics = read_table(table)
    assert metrics["bias"][0] == pytest.approx(0.05, abs=0.005)


def test_truths_and_predictions_may_be_in_one_table_without_errors(galmorph, tmp_path):
    table = Table({"row": [3, 5, 8], "true_f_bar": [0.0, 0.5, 1.0]})
    table["f_bar"] = [0.1, 0.6, 0.9]
    path = tmp_path / "predictions.ecsv"
    table.write(path)
    code, printed, err = galmorph(
        *("evaluate", path, "--predictions", path, "--id", "row"),
        *("--label-id", "row", "--label-prefix", "true_f_"),
    )
    assert code == 0, err
    assert "0.100" in printed and "within_1" not in printed


def test_fractions_of_any_name_are_known_by_their_errors(galmorph, tmp_path):
    predictions = Table({"id": ["a", "b", "c"], "P(bar)": [0.1, 0.6, 0.9]})
    predictions["P(bar)_err"] = 0.1
    predictions.write(tmp_path / "predictions.csv")
    Table({"id": ["c", "b", "a"], "P(bar)": [1.0, 0.5, 0.0]}).write(tmp_path / "l.fits")
    code, printed, err = galmorph(
        "evaluate", tmp_path / "l.fits", "--predictions", tmp_path / "predictions.csv"
    )
    assert code == 0, err
    assert "P(bar)" in printed and "0.100" in printed


def test_table_without_fractions_is_told(galmorph, tmp_path):
    Table({"id": ["a"], "disk": [0.5]}).write(tmp_path / "table.ecsv")
    words = ("--predictions", tmp_path / "table.ecsv")
    code, _, err = galmorph("evaluate", tmp_path / "table.ecsv", *words)
    assert code == 1 and "no columns of fractions" in err
