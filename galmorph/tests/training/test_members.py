# Licensed under a 3-clause BSD style license - see licenses/LICENSE.rst
"""Ensembles, votes, running averages, and models that start from others."""

import warnings

import numpy as np
import pytest
from astropy.table import Table

from galmorph import LabelScheme
from galmorph.core import ConfigurationError, GalmorphWarning
from galmorph.evaluation import rmse
from galmorph.models import Predictor, load_bundle
from galmorph.tables import read_table
from galmorph.tests.training.shapes import SETTINGS, SHAPES, shapes
from galmorph.training import as_dataset, train
from galmorph.training.config import TrainingConfig
from galmorph.training.splits import split

pytestmark = pytest.mark.filterwarnings("error")


@pytest.fixture(scope="module")
def data():
    return shapes()


@pytest.fixture(scope="module")
def trunk(data, tmp_path_factory):
    """A trained model to start from."""
    out = tmp_path_factory.mktemp("trunk")
    return train(data, out=out, **{**SETTINGS, "epochs": 8})


def test_an_average_of_members_is_better_than_they_are(data, tmp_path):
    result = train(data, out=tmp_path, members=3, **{**SETTINGS, "epochs": 6})
    singles = result.metrics["test_rmse_of_members"]
    assert len(set(singles)) == 3
    assert result.metrics["test"]["all"]["rmse"] < np.mean(singles)
    bundle = load_bundle(result.bundle)
    assert bundle.members == 3
    assert set(result.history["member"]) == {1, 2, 3}
    # what the bundle predicts is what was scored
    found = read_table(tmp_path / "predictions.ecsv")
    stamps = data[0][found["row"], 4:20, 4:20, None]
    fractions, errors, _ = Predictor(bundle).predict(stamps)
    assert fractions == pytest.approx(SHAPES.labels(found), abs=1e-3)
    assert np.isfinite(errors).all()


def test_folds_validate_every_galaxy_once_and_by_a_member_that_did_not_see_it(data):
    dataset = as_dataset(data, SHAPES, groups=np.repeat(np.arange(80), 5))
    config = TrainingConfig(members=4, folds=True, test=0.25)
    parts, members = split(dataset, config)
    seen = np.concatenate([validation for _, validation in members])
    assert sorted(seen) == sorted(parts["training"]) == sorted(parts["validation"])
    for training, validation in members:
        assert not set(dataset.groups[training]) & set(dataset.groups[validation])
        assert not set(dataset.groups[training]) & set(dataset.groups[parts["test"]])
        assert len(training) + len(validation) == len(parts["training"])


def test_members_of_folds_are_scored_on_all_galaxies(data, tmp_path):
    settings = {**SETTINGS, "members": 3, "folds": True, "test": 0.0}
    result = train(data, out=tmp_path, **settings)
    assert result.metrics["validation"]["all"]["n"] == 400
    assert "test" not in result.metrics
    assert "400 galaxies" in load_bundle(result.bundle).card


def test_views_belong_to_the_model(data, tmp_path):
    result = train(data, out=tmp_path, views=8, **{**SETTINGS, "epochs": 2})
    bundle = load_bundle(result.bundle)
    assert bundle.config["views"] == 8
    found = read_table(tmp_path / "predictions.ecsv")
    stamps = data[0][found["row"], 4:20, 4:20, None]
    fractions, _, _ = Predictor(bundle).predict(stamps)
    assert fractions == pytest.approx(SHAPES.labels(found), abs=1e-4)
    plain, _, _ = Predictor(bundle, views=1).predict(stamps)
    assert np.abs(plain - fractions).max() > 1e-3


def test_given_rows_are_the_test_part(data, tmp_path):
    stamps, table = data
    table = table.copy()
    table["held_out"] = np.arange(400) % 4 == 1
    train((stamps, table), out=tmp_path, test_rows="held_out", **SETTINGS)
    found = read_table(tmp_path / "predictions.ecsv")
    assert sorted(found["row"]) == list(range(1, 400, 4))
    with pytest.raises(ConfigurationError, match="no column 'left_out'"):
        train((stamps, table), out=tmp_path / "b", test_rows="left_out", **SETTINGS)


def test_galaxies_of_many_votes_count_more(tmp_path):
    # one kind of stamp, whose many votes say 0.2 and whose few say 0.8
    random = np.random.default_rng(1)
    stamps = random.normal(size=(600, 16, 16)).astype(np.float32)
    few = np.arange(600) % 2 == 0
    table = Table({"f_bar": np.where(few, 0.8, 0.2), "n": np.where(few, 3, 27)})
    settings = {
        **SETTINGS,
        "scheme": LabelScheme("bars", outputs=["f_bar"]),
        "options": {"units": [4]},
        "epochs": 10,
        "learning_rate": 0.03,
        "test": 0.3,
    }
    means = {}
    for votes in (None, "n"):
        out = tmp_path / str(votes)
        train((stamps, table), out=out, votes=votes, loss="binomial", **settings)
        means[votes] = read_table(out / "predictions.ecsv")["f_bar"].mean()
    assert means[None] == pytest.approx(0.5, abs=0.05)
    assert means["n"] == pytest.approx(0.26, abs=0.05)


def test_a_running_average_of_the_weights_is_steadier(data, tmp_path):
    settings = {
        **SETTINGS,
        "epochs": 12,
        "patience": 12,
        "schedule": "constant",
        "learning_rate": 0.02,
    }
    plain = train(data, out=tmp_path / "plain", **settings)
    averaged = train(data, out=tmp_path / "averaged", ema=0.99, **settings)
    jumps = [
        np.abs(np.diff(result.history["val_rmse"][4:])).mean()
        for result in (plain, averaged)
    ]
    assert jumps[1] < 0.8 * jumps[0]


def test_averaged_weights_have_a_normalisation_of_their_own(data, tmp_path):
    import keras

    settings = {
        **SETTINGS,
        "architecture": "p4m_resnet",
        "options": {"widths": [2, 4], "features": 8, "dropout": 0.1},
        "epochs": 2,
        "schedule": "constant",
        "learning_rate": 0.03,
    }
    result = train(data, out=tmp_path, ema=0.95, **settings)
    (model,) = load_bundle(result.bundle).models()
    layers = [x for x in model.layers if isinstance(x, keras.layers.BatchNormalization)]
    seen = keras.Model(model.input, [layer.input for layer in layers])
    for layer, maps in zip(layers, seen(data[0][:, 4:20, 4:20, None]), strict=True):
        maps = np.asarray(maps).reshape(-1, 8, maps.shape[-1] // 8)
        width = np.sqrt(np.asarray(layer.moving_variance))
        off = (maps.mean(axis=(0, 1)) - np.asarray(layer.moving_mean)) / width
        # training sees turned and shifted stamps too
        assert np.abs(off).max() < 0.4
        assert maps.std(axis=(0, 1)) / width == pytest.approx(1, abs=0.25)


def test_half_precision_learns_as_well(data, tmp_path):
    settings = {**SETTINGS, "epochs": 8}
    plain = train(data, out=tmp_path / "plain", **settings)
    settings["precision"] = "mixed_bfloat16"
    with warnings.catch_warnings():
        # of processors that imitate it
        warnings.simplefilter("ignore", GalmorphWarning)
        mixed = train(data, out=tmp_path / "mixed", **settings)
    scores = [result.metrics["test"]["all"]["rmse"] for result in (plain, mixed)]
    assert scores[1] < 1.2 * scores[0]


def test_a_model_may_start_from_another(data, trunk, tmp_path):
    few = (data[0][:120], data[1][:120])
    settings = {
        key: value
        for key, value in SETTINGS.items()
        if key not in ("architecture", "options", "preprocessor")
    }
    scratch = train(few, out=tmp_path / "scratch", **SETTINGS)
    tuned = train(few, out=tmp_path / "tuned", start_from=trunk.bundle, **settings)
    assert tuned.history["val_rmse"][0] < 0.7 * scratch.history["val_rmse"][0]
    config = load_bundle(tuned.bundle).config
    assert config["architecture"]["options"] == SETTINGS["options"]
    with pytest.raises(ConfigurationError, match="'hc15'.*'dense_ann'"):
        train(
            few,
            out=tmp_path / "other",
            start_from=trunk.bundle,
            **{**settings, "architecture": "hc15"},
        )


def weights_of(result):
    (model,) = load_bundle(result.bundle).models()
    return {layer.name: layer.get_weights() for layer in model.layers if layer.weights}


def test_a_frozen_trunk_learns_other_labels_with_a_new_output(data, trunk, tmp_path):
    stamps, table = data
    squares = Table({"f_square": table["f_round"] ** 2})
    scheme = LabelScheme("squares", outputs=["f_square"])
    result = train(
        (stamps, squares),
        out=tmp_path,
        start_from=trunk.bundle,
        freeze=True,
        **{**SETTINGS, "scheme": scheme, "epochs": 6, "learning_rate": 0.02},
    )
    old, new = weights_of(trunk), weights_of(result)
    for layer in ("dense1", "dense2"):
        assert all(map(np.array_equal, old[layer], new[layer]))
    score = result.metrics["test"]["all"]
    assert score["rmse"] < 0.6 * score["rmse_mean"]


def test_a_trunk_may_learn_more_slowly_than_the_output(data, trunk, tmp_path):
    moved = {}
    for rate in (1.0, 0.01):
        result = train(
            data,
            out=tmp_path / str(rate),
            start_from=trunk.bundle,
            trunk_rate=rate,
            **{**SETTINGS, "epochs": 1},
        )
        old, new = weights_of(trunk), weights_of(result)
        moved[rate] = {name: np.abs(new[name][0] - old[name][0]).mean() for name in old}
    assert moved[0.01]["dense1"] < 0.05 * moved[1.0]["dense1"]
    assert moved[0.01]["output"] > 0.5 * moved[1.0]["output"]


def test_several_label_sets_share_one_trunk(tmp_path):
    # half of the galaxies have labels of one scheme, half of another
    stamps, table = shapes(600)
    first = np.arange(600) % 2 == 0
    both = LabelScheme("both", outputs=["f_round", "f_square"])
    table["f_square"] = table["f_round"] ** 2
    truth = both.labels(table)
    table["f_round"][~first] = np.nan
    table["f_square"][first] = np.nan
    result = train(
        (stamps, table), out=tmp_path, **{**SETTINGS, "scheme": both, "epochs": 12}
    )
    fractions, _, _ = Predictor(load_bundle(result.bundle)).predict(
        stamps[:, 4:20, 4:20, None]
    )
    # also where a galaxy had no label of that kind
    for column, missing in ((0, ~first), (1, first)):
        pair = truth[missing][:, [column]], fractions[missing][:, [column]]
        assert rmse(*pair) < 0.6 * pair[0].std()


@pytest.mark.parametrize(
    "values, words",
    [
        ({"loss": "hinge"}, "loss"),
        ({"ema": 1.0}, "ema"),
        ({"members": 0}, "members"),
        ({"folds": True}, "two members"),
        ({"trunk_rate": 0.0}, "trunk_rate"),
        ({"optimizer": "sgd", "weight_decay": 0.1}, "weight_decay"),
    ],
)
def test_settings_that_cannot_be_are_named(values, words):
    with pytest.raises(ConfigurationError, match=words):
        TrainingConfig(**values)
