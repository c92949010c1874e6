# Licensed under a 3-clause BSD style license - see licenses/LICENSE.rst
"""
One galaxy that many tests preprocess.
"""

import pytest

from galmorph.tests.images.galaxies import galaxy, noise, stamps_of


@pytest.fixture
def image():
    return galaxy(50.3, 49.8) + noise()


@pytest.fixture
def reference(image):
    return stamps_of(image)
