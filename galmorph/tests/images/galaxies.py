# Licensed under a 3-clause BSD style license - see licenses/LICENSE.rst
"""
Made galaxies, and short ways to preprocess them.
"""

import numpy as np
from astropy import units as u

from galmorph.core import decode_flags
from galmorph.images import Preprocessor, as_nddata, cutout_from_image

PREPROCESS = Preprocessor()


def galaxy(x, y, amplitude=100.0, length=4.0, axis_ratio=0.6, shape=(101, 101)):
    rows, columns = np.indices(shape)
    radius = np.hypot(columns - x, (rows - y) / axis_ratio)
    return amplitude * np.exp(-radius / length)


def noise(seed=0, shape=(101, 101)):
    return np.random.default_rng(seed).normal(size=shape)


def stamps_of(*images, preprocess=PREPROCESS, **options):
    return preprocess(cutout_from_image(as_nddata(i, **options)) for i in images)


def flags_of(stamps, row=0):
    return set(decode_flags(stamps.flags[row]))


def measured(stamps, name, row=0):
    return float(u.Quantity(stamps.measurements[name][row]).value)
