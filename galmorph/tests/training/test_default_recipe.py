# Licensed under a 3-clause BSD style license - see licenses/LICENSE.rst
"""
The recipe of the default model, on a few made galaxies.
"""

import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
from astropy.table import Table

from galmorph import MorphologyClassifier
from galmorph.core import CANDELS
from galmorph.models import load_bundle
from galmorph.simulation import simulate_galaxies
from galmorph.training.trainer import predict

RECIPE = Path(__file__).parents[3] / "recipes" / "default"
pytestmark = pytest.mark.skipif(
    not RECIPE.is_dir(), reason="recipes are in the repository only"
)


@pytest.fixture(scope="module")
def recipe():
    sys.path.insert(0, str(RECIPE))
    try:
        import labels
        import stamps
    finally:
        sys.path.remove(str(RECIPE))
    yield SimpleNamespace(labels=labels, stamps=stamps)
    for name in ("labels", "stamps", "outliers"):
        sys.modules.pop(name)


@pytest.fixture(scope="module")
def labels(recipe):
    return recipe.labels


def pictures(n, side, seed):
    """Made galaxies as pictures of 8 bits."""
    made = simulate_galaxies(n, seed=seed, kinds={"disk": 1.0}, n_workers=1)
    images = []
    for image in made.cutouts:
        data = np.nan_to_num(np.asarray(image.data, float))
        middle = (len(data) - side) // 2
        part = data[middle : middle + side, middle : middle + side]
        part = np.arcsinh(np.clip(part / np.median(np.abs(part)), 0, None))
        images.append((255 * part / part.max()).astype(np.uint8))
    return np.array(images)


def write_data(folder, n=24, images=False):
    """Sets as the real ones are, of made galaxies."""
    rows = np.arange(n)
    classes = ["elliptical", "spiral_clockwise", "edge_on", "merger", "dont_know"]
    (folder / "sdss_gz1").mkdir(parents=True)
    Table({"gz1_class": np.array(classes)[rows % 5], "fold": rows % 5}).write(
        folder / "sdss_gz1" / "labels.ecsv"
    )
    (folder / "gz_ceers_f200w").mkdir()
    votes = Table({"f_smooth": rows / n, "f_featured": 0.8 * (1 - rows / n)})
    votes["f_artifact"] = 0.2 * (1 - rows / n)
    votes["f_merger_or_disturbed"] = np.ma.masked_equal(rows[::-1] / n, 0)
    votes["total_votes"], votes["total_votes_merging_question"] = 30, 20
    votes["fold"] = rows % 5
    votes.write(folder / "gz_ceers_f200w" / "votes.ecsv")
    (folder / "candels_labels").mkdir()
    random = np.random.default_rng(1)
    real = {
        output.replace("f_", "any_"): random.beta(1, 2, 500)
        for output in CANDELS.outputs
    }
    Table(real).write(folder / "candels_labels" / "kartaltepe_fractions.ecsv")
    if images:
        for seed, name in enumerate(("sdss_gz1", "gz_ceers_f200w"), 1):
            np.savez(folder / name / "images.npz", images=pictures(n, 64, seed))
    return folder


def test_votes_of_volunteers_move_fractions_about_those_of_candels(labels, tmp_path):
    data = write_data(tmp_path / "data", n=200)
    real = Table.read(data / "candels_labels" / "kartaltepe_fractions.ecsv")
    relation = {"more": "f_smooth", "less": "f_featured", "correlation": 0.6}
    config = {"weight": 0.5, "votes": 2, "fractions": {"f_spheroid": relation}}
    table = labels.gz_ceers_labels(
        data / "gz_ceers_f200w" / "votes.ecsv",
        config,
        data / "candels_labels" / "kartaltepe_fractions.ecsv",
    )
    expected = np.asarray(table["f_spheroid"])
    assert np.all(np.diff(expected) > 0)
    assert expected.mean() == pytest.approx(real["any_spheroid"].mean(), abs=0.01)
    # less than all of the real scatter, since smooth is not spheroid
    assert 0.4 < expected.std() / real["any_spheroid"].std() < 0.7
    assert np.isnan(table["f_disk"]).all()
    votes = dict(zip(labels.SCHEME.outputs, table["votes"][0], strict=True))
    assert votes["f_spheroid"] == 2
    assert votes["f_smooth"] == 15
    assert votes["f_merger_or_disturbed"] == 10


def test_classes_say_only_what_the_configuration_states(labels, tmp_path):
    data = write_data(tmp_path / "data")
    config = {"fractions": {"elliptical": {"f_spheroid": 0.9}, "spiral": {}}}
    table = labels.sdss_labels(data / "sdss_gz1" / "labels.ecsv", config, 10)
    assert table["f_spheroid"][0] == np.float32(0.9)
    assert table["sdss_elliptical"][0] == 1
    assert table["sdss_spiral"][1] == 1
    assert np.isnan(table["f_spheroid"][1:5]).all()
    assert np.isnan([table[f"sdss_{name}"][4] for name in ("spiral", "merger")]).all()


def test_peaks_count_in_the_noise_of_the_border(recipe):
    stamps = np.random.default_rng(4).normal(3, 0.5, (20, 92, 92, 1))
    stamps[:, 46, 46] = 3 + 0.5 * 30
    stamps[:, 20, 20] = 100  # a neighbour
    assert recipe.stamps.peaks(stamps) == pytest.approx(30, rel=0.1)


def test_one_command_makes_the_models_and_goes_on(labels, tmp_path):
    data = write_data(tmp_path / "data", images=True)
    config = (RECIPE / "config.toml").read_text()
    small = []
    changes = {
        "n": "n = 100",
        "epochs": "epochs = 1",
        "copies": "copies = 1",
        "folds": "folds = [0]",
        "options": "options = { widths = [2, 4] }",
    }
    for line in config.splitlines():
        key = line.partition(" ")[0]
        small.append(changes.get(key, line))
    (tmp_path / "small.toml").write_text("\n".join(small))
    command = [sys.executable, RECIPE / "make.py", "--data", data]
    command += ["--out", tmp_path / "out", "--config", tmp_path / "small.toml"]
    command += ["--workers", "2", "--only", "fold-0"]
    first = subprocess.run(command, check=True, capture_output=True, text=True)
    # simulated ones first, then all, and again
    assert first.stdout.count("epoch 1/1") == 3
    made = tmp_path / "out" / "fold-0" / "model"
    sha256 = load_bundle(made).sha256
    command += ["all", "ensemble", "volunteers"]
    again = subprocess.run(command, check=True, capture_output=True, text=True)
    assert again.stdout.count("epoch 1/1") == 2
    assert load_bundle(made).sha256 == sha256
    images = [image.astype(float) for image in pictures(2, 64, 3)]
    for name in ("fold-0", "ensemble", "volunteers"):
        model = MorphologyClassifier.from_file(tmp_path / "out" / name / "model")
        table = model.classify(images)
        errors = [table[f"{output}_err"] for output in model.scheme.outputs]
        assert np.isfinite(errors).all()
    assert model.scheme.outputs == labels.GALAXY_ZOO_CEERS.outputs
    figures = Table.read(tmp_path / "out" / "volunteers" / "figures.ecsv")
    assert figures["n"][-1] == 5  # those of the one fold
    one, narrow = (
        load_bundle(tmp_path / "out" / name).models()[0]
        for name in ("all/bundle", "volunteers/model")
    )
    some = np.random.default_rng(5).normal(size=(3, 64, 64, 1)).astype(np.float32)
    which = [labels.SCHEME.index(output) for output in model.scheme.outputs]
    seen = predict(one, some)[..., which]
    assert predict(narrow, some) == pytest.approx(seen, abs=1e-6)
    assert load_bundle(tmp_path / "out" / "ensemble" / "model").members == 2
