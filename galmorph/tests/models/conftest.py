# Licensed under a 3-clause BSD style license - see licenses/LICENSE.rst
import numpy as np
import pytest

from galmorph.core import CANDELS
from galmorph.models import build, load_bundle, save_bundle

SHAPE = (12, 12, 1)
OPTIONS = {"units": [16]}


def small_network(seed=1, scheme=CANDELS):
    """A network with weights as large as those of a trained one."""
    model = build("dense_ann", input_shape=SHAPE, scheme=scheme, **OPTIONS)
    rng = np.random.default_rng(seed)
    model.set_weights(
        [rng.normal(scale=0.2, size=w.shape).astype(np.float32) for w in model.weights]
    )
    return model


def save_small_bundle(path, members=1, models=None, **changes):
    """A bundle of small networks, or of those given; gives its path."""
    arguments = {
        "name": "small",
        "scheme": CANDELS,
        "preprocessor": {"version": "1", "shape": 12},
        "architecture": "dense_ann",
        "input_shape": SHAPE,
        "options": OPTIONS,
        "card": "A small network.\n",
        **changes,
    }
    models = models or [small_network(seed) for seed in range(1, members + 1)]
    return save_bundle(path, models, **arguments)


@pytest.fixture
def make_bundle(tmp_path):
    """Function that saves a bundle of small networks and loads it."""

    def make(name="small.zip", **arguments):
        return load_bundle(save_small_bundle(tmp_path / name, **arguments))

    return make


@pytest.fixture
def stamps():
    """Seventy stamps, more than one batch."""
    return np.random.default_rng(2).normal(size=(70, *SHAPE)).astype(np.float32)


@pytest.fixture
def cache(tmp_path, monkeypatch):
    """A download cache of its own for the test and its processes; gives its folder.

    Not by `astropy.config.paths.set_temp_cache`, which since astropy 8 leaves the
    caches of other packages where they are.
    """
    folder = tmp_path / "cache" / "galmorph"
    folder.mkdir(parents=True)
    monkeypatch.setenv("XDG_CACHE_HOME", str(folder.parent))
    return folder
