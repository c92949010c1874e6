# Licensed under a 3-clause BSD style license - see licenses/LICENSE.rst
"""
What all tests share: a home of their own, and the real data where there are any.
"""

import os
import tempfile
from importlib.metadata import distributions
from pathlib import Path

import pytest

REAL_DATA = "GALMORPH_TEST_DATA"
# told by their metadata, as importing some of them takes seconds
PACKAGES = (
    "astro-galmorph",
    "numpy",
    "scipy",
    "astropy",
    "photutils",
    "scikit-image",
    "keras",
    "tensorflow",
    "galsim",
)
HOME = pytest.StashKey[tempfile.TemporaryDirectory]()


def pytest_configure(config):
    if HOME not in config.stash:
        config.stash[HOME] = move_home()


def pytest_report_header():
    found = {dist.name.lower(): dist.version for dist in distributions()}
    return "with " + ", ".join(f"{n} {found[n]}" for n in PACKAGES if n in found)


def move_home():
    """Give this process and its children a new home, with nobody's settings in it."""
    home = tempfile.TemporaryDirectory(
        prefix="galmorph-tests-", ignore_cleanup_errors=True
    )
    os.environ["HOME"] = os.environ["USERPROFILE"] = home.name
    for variable, folder in {
        "XDG_CACHE_HOME": "cache",
        "XDG_CONFIG_HOME": "config",
    }.items():
        os.environ[variable] = str(Path(home.name, folder))
        # before astropy 8, only folders that are there already are used
        for package in ("astropy", "galmorph"):
            Path(home.name, folder, package).mkdir(parents=True)
    for variable in ("ASTROPY_CACHE_DIR", "ASTROPY_CONFIG_DIR", "KERAS_HOME"):
        os.environ.pop(variable, None)
    return home


@pytest.fixture(scope="session")
def real_data():
    """Folder of real images and catalogues, which are not part of the package."""
    folder = os.environ.get(REAL_DATA)
    if not folder:
        pytest.skip(f"{REAL_DATA} is not set to the folder of real data")
    if not Path(folder).is_dir():
        pytest.fail(f"{REAL_DATA} is set to {folder!r}, which is no folder")
    return Path(folder)
