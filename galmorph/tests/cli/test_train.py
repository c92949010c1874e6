# Licensed under a 3-clause BSD style license - see licenses/LICENSE.rst
import pytest

pytest.importorskip("galsim")

# Keras's variables do not know numpy's new keyword yet
pytestmark = pytest.mark.filterwarnings("ignore:__array__ implementation")

CONFIG = """
[model]
name = "small"
architecture = "dense_ann"

[data]
source = "simulation"
n = 30
n_workers = 1

[training]
epochs = 2
"""


@pytest.fixture
def config(tmp_path):
    path = tmp_path / "small.toml"
    path.write_text(CONFIG)
    return path


def test_train_leaves_a_bundle_that_classifies_and_is_not_replaced(
    galmorph, config, cutout, tmp_path
):
    folder = tmp_path / "run"
    code, out, err = galmorph("train", config, "--out", folder)
    assert code == 0
    assert "\nf_disk " in out and "\nall " in out
    assert "epoch 2/2" in err
    code, out, _ = galmorph("classify", cutout, "--model", folder / "bundle")
    assert code == 0
    assert "1 galaxy, 1 classified" in out
    code, out, err = galmorph("train", config, "--out", folder)
    assert (code, out) == (1, "")
    assert str(folder) in err


@pytest.mark.parametrize(
    ("words", "message"),
    [("", "name"), ("[model", "small.toml"), (CONFIG + "speed = 3", "speed")],
)
def test_a_wrong_configuration_is_told(galmorph, config, tmp_path, words, message):
    config.write_text(words)
    code, out, err = galmorph("train", config, "--out", tmp_path / "run")
    assert (code, out) == (1, "")
    assert message in err and "unexpected" not in err


def test_a_missing_configuration_is_told(galmorph, tmp_path):
    code, _, err = galmorph("train", tmp_path / "no.toml")
    assert code == 1
    assert "no.toml" in err


def test_a_model_may_start_from_another_and_learn_its_output_only(
    galmorph, config, tmp_path
):
    assert galmorph("train", config, "--out", tmp_path / "first")[0] == 0
    bundle = tmp_path / "first" / "bundle"
    # neither the architecture nor the preprocessing has to be said again
    config.write_text(
        '[model]\nname = "tuned"\n[data]\nn = 30\nseed = 2\nn_workers = 1\n'
        "[training]\nepochs = 1\nfreeze = true\ntest = 0.0\n"
    )
    out = tmp_path / "tuned"
    code, printed, err = galmorph("train", config, "--out", out, "--from", bundle)
    assert code == 0
    assert "validation RMSE" in err and "\nall " in printed
    assert (out / "bundle" / "config.json").exists()
    code, _, err = galmorph(
        "train", config, "--out", tmp_path / "other", "--from", tmp_path / "none"
    )
    assert code == 1
    assert "none" in err
