# Licensed under a 3-clause BSD style license - see licenses/LICENSE.rst
import json
from pathlib import Path

import pytest

from galmorph.core import ConfigurationError
from galmorph.training import read_config

LEAST = '[model]\nname = "m"\n[data]\nn = 100\n'
RECIPES = Path(__file__).parents[3] / "recipes"


@pytest.fixture
def read(tmp_path):
    def read(text):
        path = tmp_path / "run.toml"
        path.write_text(text, encoding="utf-8")
        return read_config(path)

    return read


def test_a_name_and_a_number_of_galaxies_are_enough(read):
    config = read(LEAST)
    assert (config.name, config.data.n, config.architecture) == ("m", 100, "hc15")


def test_every_section_is_read(read):
    config = read(
        '[model]\nname = "m"\narchitecture = "dense_ann"\noptions = {dropout = 0.1}\n'
        '[data]\nsource = "simulation"\nn = 50\nseed = 3\nside = 40\n'
        "[preprocessing]\nshape = 32\nsize_factor = 3\n"
        '[training]\nepochs = 2\nlearning_rate = 0.04\noptimizer = "sgd"\n'
        "[augmentation]\nrotation = false\nzoom = 1\n"
    )
    assert config.options == {"dropout": 0.1}
    assert (config.data.seed, config.preprocessor.shape) == (3, 32)
    assert config.training.optimizer == "sgd"
    assert (config.augmentation.rotation, config.augmentation.flip) == (False, True)


def test_the_resolved_settings_are_plain_data(read):
    settings = read(LEAST).to_dict()
    assert json.loads(json.dumps(settings)) == settings
    assert settings["training"]["batch_size"] == 64


@pytest.mark.parametrize(
    "line, unknown, known",
    [
        ("[training]\nepoch = 3", "epoch", "epochs"),
        ("[augmentation]\nrotate = true", "rotate", "rotation"),
        ("[preprocessing]\nsize = 3", "size", "size_factor"),
        ("[trainings]\nepochs = 3", "trainings", "training"),
    ],
)
def test_an_unknown_key_is_named_with_the_known_ones(read, line, unknown, known):
    with pytest.raises(ConfigurationError, match=f"{unknown}'.*'{known}'") as error:
        read(LEAST + line)
    assert "run.toml" in str(error.value)


@pytest.mark.parametrize(
    "line, words",
    [
        ("[training]\nepochs = 0", "epochs: found 0"),
        ("[training]\nepochs = 2.5", "epochs: expected int, found 2.5"),
        ("[training]\nepochs = true", "epochs: expected int, found True"),
        ('[training]\noptimizer = "lion"', "optimizer: found 'lion'"),
        ("[training]\nlearning_rate = 0", "learning_rate: found 0"),
        ("[training]\nvalidation = 0.6\ntest = 0.5", "nothing is left"),
        ("[augmentation]\nzoom = 0.5", "zoom"),
        ("[preprocessing]\nshape = 80", "side: found 64"),
        ('[preprocessing]\nstretch = "log"', "stretch: found 'log'"),
    ],
)
def test_a_wrong_value_is_named_with_its_key(read, line, words):
    with pytest.raises(ConfigurationError, match=words):
        read(LEAST + line)


@pytest.mark.parametrize(
    "text, words",
    [
        ('[model]\nname = "m"\n', "needs n"),
        ("[data]\nn = 100\n", "needs a name"),
        ('[model]\nname = "m"\n[data]\nsource = "sky"\nn = 9\n', "source: found 'sky'"),
        ('[model]\nname = "m"\nscheme = "x"\n[data]\nn = 100\n', "no 'x'"),
        ("training = 3\n" + LEAST, "write it as a section"),
        ("[model\n", "not valid TOML"),
    ],
)
def test_a_file_that_describes_no_run_is_refused(read, text, words):
    with pytest.raises(ConfigurationError, match=words):
        read(text)


def test_a_missing_file_is_named(tmp_path):
    with pytest.raises(ConfigurationError, match="absent.toml"):
        read_config(tmp_path / "absent.toml")


@pytest.mark.skipif(not RECIPES.is_dir(), reason="recipes are in the repository only")
def test_the_recipes_of_the_repository_are_valid():
    recipes = sorted(RECIPES.glob("*/train.toml"))
    assert [read_config(path).name for path in recipes]
