# Licensed under a 3-clause BSD style license - see licenses/LICENSE.rst
"""
The whole road on real images of the Hubble Space Telescope.
"""

import numpy as np
import pytest
from astropy.nddata import InverseVariance

from galmorph import MorphologyClassifier
from galmorph.core import CANDELS, MorphFlag
from galmorph.images import as_nddata
from galmorph.tables import read_table
from galmorph.tests.tiny import save_tiny_bundle


@pytest.fixture(scope="module")
def classifier(tmp_path_factory):
    """An untrained network: enough to see that every pixel gets through."""
    path = tmp_path_factory.mktemp("model") / "tiny.zip"
    return MorphologyClassifier.from_file(save_tiny_bundle(path))


def candels_cutouts(real_data):
    folder = real_data / "candels_f160w"
    labels = read_table(folder / "labels.ecsv")
    return [folder / name for name in labels["file"]], labels


def test_cutouts_are_centred_on_their_galaxies(classifier, real_data):
    paths, labels = candels_cutouts(real_data)
    table = classifier.classify(paths, ids=labels["id"])
    assert list(table["id"]) == list(labels["id"])
    assert table.meta["galmorph"]["failures"] == []
    for name in ("x_centroid", "y_centroid"):
        np.testing.assert_allclose(table[name], 41.5, atol=2)
    assert np.all(table["petrosian_radius_angle"].to_value("arcsec") < 2)
    neighbour = np.asarray(table["morph_flags"]) & MorphFlag.NEIGHBOUR != 0
    assert neighbour[list(labels["id"]).index("GDS_wide2_208")]


def test_galaxies_of_a_mosaic_are_found_on_the_sky(classifier, real_data):
    name = "xdf_hst_wfc3ir_60mas_f160w_{}.fits"
    sci, rms = (real_data / "xdf_f160w" / name.format(kind) for kind in ("sci", "rms"))
    image = as_nddata(sci, uncertainty=as_nddata(rms).data)
    table = classifier.classify_image(image)
    assert len(table) > 20
    assert np.isfinite(table["f_disk"]).all()
    sky = image.wcs.pixel_to_world(table["x_centroid"], table["y_centroid"])
    assert np.all(sky.separation(table["sky_centroid"]).arcsec < 1e-3)


def test_a_catalogue_by_pixels_keeps_its_rows(classifier, real_data):
    folder = real_data / "hst_deep_500"
    catalog = read_table(folder / "catalogue_62.ecsv")
    weight = as_nddata(folder / "f160w_wht.fits.gz").data
    image = as_nddata(folder / "f160w_sci.fits.gz", uncertainty=InverseVariance(weight))
    table = classifier.annotate(catalog, image)
    assert table.colnames[: len(catalog.colnames)] == catalog.colnames
    np.testing.assert_array_equal(table["id"], catalog["id"])
    assert np.isfinite(table["f_disk"]).all()
    moved = np.hypot(
        table["x_centroid"] - catalog["x"].value,
        table["y_centroid"] - catalog["y"].value,
    )
    assert np.median(moved) < 0.5


def test_the_default_model_sees_that_spheroids_are_spheroids(real_data):
    paths, _ = candels_cutouts(real_data)
    table = MorphologyClassifier().classify(paths)
    means = {name: np.mean(table[name]) for name in CANDELS.outputs}
    assert max(means, key=means.get) == "f_spheroid"
