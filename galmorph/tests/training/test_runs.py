# Licensed under a 3-clause BSD style license - see licenses/LICENSE.rst
import importlib.util
import json

import numpy as np
import pytest
from astropy.nddata import CCDData
from astropy.table import Table

from galmorph import Preprocessor
from galmorph.core import ConfigurationError
from galmorph.evaluation import rmse
from galmorph.models import Predictor, load_bundle
from galmorph.tables import read_table
from galmorph.tests.training.shapes import (
    PREPROCESSOR,
    SETTINGS,
    SHAPES,
    shapes,
    without_times,
)
from galmorph.training import as_dataset, train, train_from_config

pytestmark = pytest.mark.filterwarnings("error")


@pytest.fixture(scope="module")
def data():
    return shapes()


@pytest.fixture(scope="module")
def run(data, tmp_path_factory):
    """A finished run and the lines that it told."""
    lines = []
    out = tmp_path_factory.mktemp("runs") / "run"
    result = train(data, out=out, progress=lines.append, **{**SETTINGS, "epochs": 12})
    return result, lines


def test_a_network_learns_the_shapes(run):
    result, _ = run
    score = result.metrics["test"]["all"]
    assert score["rmse"] + 3 * score["rmse_err"] < 0.7 * score["rmse_mean"]


def test_the_bundle_predicts_with_the_scored_error(run, data):
    result, _ = run
    bundle = load_bundle(result.bundle)
    stamps, table = shapes(n=300, seed=9)
    fractions, errors, _ = Predictor(bundle).predict(stamps[:, 4:20, 4:20, None])
    error = rmse(SHAPES.labels(table), fractions)
    assert error == pytest.approx(result.metrics["test"]["all"]["rmse"], rel=0.3)
    # errors are right when they are as large as the residuals
    pulls = (fractions - SHAPES.labels(table)) / errors
    assert 0.7 < np.sqrt(np.mean(pulls**2)) < 1.4


def test_images_unlike_the_training_are_far_from_it(run):
    predictor = Predictor(load_bundle(run[0].bundle))
    stamps, _ = shapes(n=300, seed=10)
    known = predictor.predict(stamps[:, 4:20, 4:20, None]).distances
    assert np.mean(known > 1) < 0.05
    checked = np.indices((16, 16)).sum(axis=0) % 2 * 10.0
    assert predictor.predict(checked[None, :, :, None]).distances[0] > 1


def test_the_bundle_holds_preprocessing_card_and_training(run):
    bundle = load_bundle(run[0].bundle)
    assert Preprocessor.from_dict(bundle.preprocessing) == PREPROCESSOR
    assert bundle.scheme == SHAPES
    assert bundle.config["training"]["training"]["seed"] == 3
    test = run[0].metrics["test"]
    assert "Tells round from flat." in bundle.card
    assert f"{test['all']['rmse']:.3f} +- {test['all']['rmse_err']:.3f}" in bundle.card


def test_the_folder_holds_settings_versions_history_and_scores(run):
    result, lines = run
    folder = result.bundle.parent
    config = json.loads((folder / "config.json").read_text())
    assert config["training"]["epochs"] == 12
    assert len(config["data"]["sha256"]) == 64
    assert {"galmorph", "numpy", "keras"} <= set(config["versions"])
    assert json.loads((folder / "metrics.json").read_text()) == result.metrics
    history = read_table(folder / "history.ecsv")
    assert list(history["epoch"]) == list(range(1, len(history) + 1))
    assert {"rmse", "val_rmse", "val_rmse_f_flat", "learning_rate"} <= set(
        history.colnames
    )
    assert str(history["seconds"].unit) == "s"
    if importlib.util.find_spec("matplotlib"):
        assert (folder / "history.png").stat().st_size > 5000
    predictions = read_table(folder / "predictions.ecsv")
    assert predictions.meta["galmorph"]["outputs"] == ["f_round", "f_flat"]
    assert len(lines) == len(history) + 1
    assert not list(folder.glob("*.part"))


def test_the_parts_have_all_galaxies(run):
    galaxies = run[0].metrics["galaxies"]
    assert sum(galaxies.values()) == 400
    assert galaxies["test"] == pytest.approx(40, abs=4)


def test_a_run_again_gives_the_same(data, tmp_path):
    first = train(data, out=tmp_path / "a", **SETTINGS)
    again = train(data, out=tmp_path / "b", **SETTINGS)
    # sums over threads may differ in the last bits
    assert without_times(first.history) == pytest.approx(
        without_times(again.history), rel=1e-5
    )
    other = train(data, out=tmp_path / "c", **{**SETTINGS, "seed": 4})
    assert abs(without_times(other.history) - without_times(first.history)).max() > 1e-3


def test_stamps_of_half_precision_stay_so_and_are_learned_from_in_full(data, tmp_path):
    half = data[0].astype(np.float16)
    assert as_dataset((half, data[1]), SHAPES).stamps.dtype == np.float16
    first = train((half, data[1]), out=tmp_path / "a", **SETTINGS)
    again = train((half.astype(np.float32), data[1]), out=tmp_path / "b", **SETTINGS)
    assert without_times(first.history) == pytest.approx(
        without_times(again.history), rel=1e-5
    )


def test_an_interrupted_run_goes_on_as_if_it_had_not_been(data, tmp_path):
    whole = train(data, out=tmp_path / "whole", **SETTINGS)

    class Kill(Exception):
        pass

    def kill(line):
        if line.startswith("epoch 2/"):
            raise Kill

    with pytest.raises(Kill):
        train(data, out=tmp_path / "killed", progress=kill, **SETTINGS)
    assert not (tmp_path / "killed" / "bundle").exists()
    lines = []
    resumed = train(
        data, out=tmp_path / "killed", resume=True, progress=lines.append, **SETTINGS
    )
    assert lines[0].startswith("epoch 3/")
    assert without_times(resumed.history) == pytest.approx(
        without_times(whole.history), rel=1e-5
    )
    assert resumed.metrics["test"]["all"]["rmse"] == pytest.approx(
        whole.metrics["test"]["all"]["rmse"], rel=1e-4
    )


def test_a_finished_run_that_is_resumed_gives_the_same_scores(data, tmp_path):
    first = train(data, out=tmp_path, **SETTINGS)
    again = train(data, out=tmp_path, resume=True, **SETTINGS)
    assert again.metrics == first.metrics
    assert load_bundle(again.bundle).name == "shapes"


def test_a_run_is_not_overwritten_nor_resumed_with_other_settings(data, tmp_path):
    train(data, out=tmp_path, **{**SETTINGS, "epochs": 1})
    with pytest.raises(ConfigurationError, match="there is a run"):
        train(data, out=tmp_path, **SETTINGS)
    with pytest.raises(ConfigurationError, match="training.epochs"):
        train(data, out=tmp_path, resume=True, **SETTINGS)
    with pytest.raises(ConfigurationError, match="data.sha256"):
        train(shapes(seed=2), out=tmp_path, resume=True, **{**SETTINGS, "epochs": 1})


def test_training_stops_when_the_validation_error_turns_up(data, tmp_path):
    settings = {
        **SETTINGS,
        "epochs": 40,
        "patience": 2,
        "learning_rate": 0.02,
        "schedule": "constant",
    }
    result = train(data, out=tmp_path, **settings)
    errors = list(result.history["val_rmse"])
    assert len(errors) < 40
    assert result.metrics["best_epoch"] == [1 + int(np.argmin(errors))]
    assert result.metrics["epochs"] == [int(np.argmin(errors)) + 3]
    # the weights are those of the best epoch, up to half precision
    assert result.metrics["validation"]["all"]["rmse"] == pytest.approx(
        min(errors), rel=0.02
    )


@pytest.mark.parametrize("optimizer, rate", [("adam", 3e-3), ("sgd", 0.1)])
def test_missing_labels_are_left_out_of_the_loss(data, tmp_path, optimizer, rate):
    stamps, table = data
    table = table.copy()
    table["f_flat"][::2] = np.nan
    result = train(
        (stamps, table),
        out=tmp_path,
        **{**SETTINGS, "optimizer": optimizer, "learning_rate": rate},
    )
    assert np.isfinite(result.history["rmse"]).all()
    assert result.metrics["test"]["f_flat"]["n"] < result.metrics["test"]["all"]["n"]


def test_copies_of_a_galaxy_stay_on_one_side(data, tmp_path):
    stamps, table = data
    groups = np.repeat(np.arange(40), 10)
    result = train((stamps, table), out=tmp_path, groups=groups, **SETTINGS)
    assert all(n % 10 == 0 for n in result.metrics["galaxies"].values())


def test_steps_may_be_compiled_as_a_whole(data, tmp_path):
    plain = train(data, out=tmp_path / "a", **SETTINGS)
    compiled = train(data, out=tmp_path / "b", jit_compile=True, **SETTINGS)
    # dropout draws other numbers there
    assert list(compiled.history["val_rmse"]) == pytest.approx(
        list(plain.history["val_rmse"]), rel=0.1
    )


@pytest.mark.parametrize(
    "change, words",
    [
        ({"epoch": 3}, "'epoch'.*known are.*'epochs'"),
        ({"optimizer": "lion"}, "lion"),
        ({"architecture": "vgg"}, "vgg"),
        ({"name": "+ maxout"}, "name: found '\\+ maxout'"),
        ({"options": {"width": 3}}, "width"),
        ({"preprocessor": Preprocessor()}, "24 pixels"),
        ({"scheme": "candels"}, "f_spheroid"),
    ],
)
def test_wrong_settings_are_named_before_anything_is_written(
    data, tmp_path, change, words
):
    with pytest.raises(ConfigurationError, match=words):
        train(data, out=tmp_path / "run", **{**SETTINGS, **change})
    assert not (tmp_path / "run").exists()


def test_a_list_of_images_goes_through_the_preprocessor(data, tmp_path):
    stamps, table = data
    images = [CCDData(1e-3 * stamp, unit="Jy") for stamp in stamps[:60]]
    images[7].mask = np.ones((24, 24), bool)
    settings = {**SETTINGS, "epochs": 1, "preprocessor": Preprocessor(shape=12)}
    result = train((images, table[:60]), out=tmp_path, **settings)
    # the one without a good pixel is left out
    assert sum(result.metrics["galaxies"].values()) == 59
    assert load_bundle(result.bundle).input_shape == (12, 12, 1)
    with pytest.raises(ConfigurationError, match="60 images.*400 rows"):
        train((images, table), out=tmp_path / "b", **settings)


def test_images_that_cannot_be_used_are_told_with_the_reason(data, tmp_path):
    stamps, table = data
    images = ["missing.fits", *stamps[1:40]]
    settings = {**SETTINGS, "epochs": 1, "preprocessor": Preprocessor(shape=12)}
    told = []
    train((images, table[:40]), out=tmp_path / "a", progress=told.append, **settings)
    assert told[0] == "row 0: image: the file missing.fits does not exist"
    assert told[1] == "39 of 40 galaxies can be used"
    with pytest.raises(ConfigurationError, match=r"none of the 30.*a\.fits"):
        train((["a.fits"] * 30, table[:30]), out=tmp_path / "b", **settings)


@pytest.mark.parametrize(
    ("give", "words"),
    [
        (lambda images, table: images, "expected a pair"),
        (lambda images, table: (images, table["f_flat"]), "expected an astropy Table"),
        (lambda images, table: (images, Table({"f": [0.1] * 3})), r"\['f_round', "),
        (
            lambda images, table: (
                images,
                Table({n: ["a"] * 3 for n in table.colnames}),
            ),
            "'f_round' has no fractions",
        ),
    ],
)
def test_data_that_are_none_are_told_before_any_work(data, tmp_path, give, words):
    given = give(["missing.fits"] * 3, data[1][:3])
    with pytest.raises(ConfigurationError, match=words):
        train(given, out=tmp_path / "run", **SETTINGS)
    assert not (tmp_path / "run").exists()


def test_too_few_galaxies_are_refused(tmp_path):
    with pytest.raises(ConfigurationError, match="too few"):
        train(shapes(n=2), out=tmp_path, **SETTINGS)


CONFIG = """
[model]
name = "small"
architecture = "dense_ann"
options = { units = [16] }
[data]
n = 40
n_workers = 1
side = 32
[preprocessing]
shape = 24
[training]
epochs = 2
batch_size = 8
validation = 0.2
test = 0.2
"""


def test_a_file_describes_a_run_that_does_not_simulate_twice(tmp_path, monkeypatch):
    pytest.importorskip("galsim")
    path = tmp_path / "small.toml"
    path.write_text(CONFIG)
    monkeypatch.chdir(tmp_path)

    def kill(line):
        if line.startswith("epoch 1/"):
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        train_from_config(path, progress=kill)
    lines = []
    result = train_from_config(path, resume=True, progress=lines.append)
    assert result.bundle.parent.resolve() == (tmp_path / "runs" / "small").resolve()
    assert lines[0].startswith("epoch 2/2")
    assert load_bundle(result.bundle).input_shape == (24, 24, 1)
    path.write_text(CONFIG.replace("units", "widths"))
    with pytest.raises(ConfigurationError, match="widths"):
        train_from_config(path, out=tmp_path / "other")
    assert not (tmp_path / "other").exists()
    path.write_text(CONFIG.replace("n = 40", "n = 41"))
    with pytest.raises(ConfigurationError, match="other settings"):
        train_from_config(path, resume=True)
    with pytest.raises(ConfigurationError, match="there is a run"):
        train_from_config(path)
