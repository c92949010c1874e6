# Licensed under a 3-clause BSD style license - see licenses/LICENSE.rst
import pytest

from galmorph.cli import main
from galmorph.tests.tiny import galaxy_image, save_tiny_bundle, tan_wcs, write_fits

POSITIONS = ((40.0, 42.0), (110.0, 50.0), (70.0, 115.0))


@pytest.fixture(scope="session")
def model(tmp_path_factory):
    """Path of the bundle of an untrained network, as a word."""
    return str(save_tiny_bundle(tmp_path_factory.mktemp("model") / "tiny.zip"))


@pytest.fixture
def galmorph(capsys):
    """Run the command line; gives code, standard output and standard error."""

    def run(*words):
        code = main([str(word) for word in words])
        return code, *capsys.readouterr()

    return run


@pytest.fixture
def cutout(tmp_path):
    return write_fits(tmp_path / "cutout.fits", galaxy_image())


@pytest.fixture
def mosaic(tmp_path):
    """A mosaic of three galaxies with a WCS, and with noise of 1."""
    image = galaxy_image((150, 150), POSITIONS)
    return write_fits(tmp_path / "mosaic.fits", image, tan_wcs())
