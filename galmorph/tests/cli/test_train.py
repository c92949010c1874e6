# Licensed under a 3-clause BSD style license - see licenses/LICENSE.rst
import pytest
from astropy.table import Table

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


SMALL = """
[model]
name = "own"
architecture = "dense_ann"
options = { units = [8] }

[training]
epochs = 2
batch_size = 8
test = 0.2
validation = 0.2

[data]
"""


def train_and_classify(galmorph, path, text, cutout):
    path.write_text(SMALL + text)
    code, out, err = galmorph("train", path, "--out", path.with_suffix(""))
    assert code == 0, err
    assert "20 of 21 galaxies can be used" in err and "epoch 2/2" in err
    assert "\nf_disk " in out and "\nall " in out
    bundle = path.with_suffix("") / "bundle"
    code, out, _ = galmorph("classify", cutout, "--model", bundle)
    assert code == 0 and "1 galaxy, 1 classified" in out


def test_train_with_a_folder_of_cutouts_and_a_table(galmorph, cutout, tmp_path):
    folder = tmp_path / "cutouts"
    galmorph("simulate", "galaxies", 21, "--seed", 1, "--votes", 5, "--out", folder)
    (folder / "galaxy_000007.fits").unlink()
    text = 'source = "cutouts"\nimages = "cutouts"\ntable = "cutouts/truth.ecsv"\n'
    text += 'votes = "n_votes"\n'
    train_and_classify(galmorph, tmp_path / "run.toml", text, cutout)


def test_train_with_a_mosaic_and_its_catalogue(galmorph, cutout, tmp_path):
    field = tmp_path / "field.fits"
    galmorph("simulate", "field", 21, "--shape", 400, 400, "--seed", 2, "--out", field)
    table = Table.read(field.with_suffix(".ecsv"))
    table["x_centroid"][3] = 900
    table["field"] = ["left" if x < 200 else "right" for x in table["x_centroid"]]
    table.write(field.with_suffix(".ecsv"), overwrite=True)
    text = (
        'source = "mosaic"\nimage = "field.fits[SCI]"\nrms = "field.fits[RMS]"\n'
        'table = "field.ecsv"\nposition = ["x_centroid", "y_centroid"]\n'
    )
    train_and_classify(galmorph, tmp_path / "run.toml", text, cutout)
    # two fields do not make three parts
    (tmp_path / "run.toml").write_text(SMALL + text + 'group = "field"')
    code, _, err = galmorph("train", tmp_path / "run.toml", "--out", tmp_path / "two")
    assert code == 1 and "in 2 groups are too few" in err


def test_a_missing_table_is_told_with_its_key(galmorph, tmp_path):
    (tmp_path / "run.toml").write_text(SMALL + 'source = "cutouts"\ntable = "no.ecsv"')
    code, _, err = galmorph("train", tmp_path / "run.toml", "--out", tmp_path / "run")
    assert code == 1
    assert "[data] table: there is no file" in err and "no.ecsv" in err
