# Licensed under a 3-clause BSD style license - see licenses/LICENSE.rst
"""Labelled stamps that a small network learns in seconds."""

import numpy as np
from astropy.table import Table

from galmorph import LabelScheme, Preprocessor

SHAPES = LabelScheme(
    "shapes", outputs=["f_round", "f_flat"], descriptions=["Round", "Flat"]
)
PREPROCESSOR = Preprocessor(shape=16)
SETTINGS = {
    "name": "shapes",
    "scheme": SHAPES,
    "architecture": "dense_ann",
    "options": {"units": [24, 12], "dropout": 0.1},
    "preprocessor": PREPROCESSOR,
    "description": "Tells round from flat.",
    "epochs": 4,
    "seed": 3,
    "batch_size": 32,
    "learning_rate": 3e-3,
    "patience": 4,
}
TIMES = ("seconds", "images_per_second", "waiting")


def shapes(n=400, seed=1, side=24):
    """Ellipses on noise whose fractions follow from their axis ratios."""
    random = np.random.default_rng(seed)
    ratio, angle = random.uniform(0.2, 1, n), random.uniform(0, np.pi, n)
    grid = np.arange(side) - (side - 1) / 2
    c, s = np.cos(angle)[:, None, None], np.sin(angle)[:, None, None]
    major = c * grid + s * grid[:, None]
    minor = (c * grid[:, None] - s * grid) / ratio[:, None, None]
    stamps = 5 * np.exp(-(major**2 + minor**2) / 18)
    stamps += random.normal(0, 0.1, stamps.shape)
    return stamps.astype(np.float32), Table({"f_round": ratio, "f_flat": 1 - ratio})


def without_times(history):
    """The numbers of a history that do not depend on the machine's load."""
    return np.array(
        [
            list(row[name] for name in history.colnames if name not in TIMES)
            for row in history
        ]
    )
