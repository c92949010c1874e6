# Licensed under a 3-clause BSD style license - see licenses/LICENSE.rst
"""Tiles without a catalogue: sources are detected, then classified."""

import functools
import json

import numpy as np
import pytest
from astropy.io import fits
from scipy.spatial import cKDTree

from galmorph.core import ConfigurationError, ImageError
from galmorph.images import DetectionConfig
from galmorph.scale import Tile, annotate, searching
from galmorph.tables import read_table
from galmorph.tests.tiny import write_fits


@pytest.fixture
def tile(files):
    kinds = {kind: files / f"mosaic_{kind}.fits" for kind in ("sci", "rms", "mask")}
    return Tile(**kinds)


def places(table):
    return np.transpose([table["x_centroid"].value, table["y_centroid"].value])


@pytest.fixture
def small_parts(monkeypatch):
    small = functools.partial(searching.detect_parts, part_size=150)
    monkeypatch.setattr(searching, "detect_parts", small)


@pytest.mark.usefixtures("small_parts")
def test_sources_are_those_of_the_whole_image(mosaic, tile, classifier, tmp_path):
    out = tmp_path / "out.fits"
    summary = annotate(None, tile, out, classifier=classifier, n_workers=2)
    assert not (tmp_path / "out.fits.parts").exists()
    found = read_table(out)
    whole = classifier.classify_image(mosaic[0])
    assert summary.rows == len(found) == len(whole) > 50
    assert summary.stages["detection"] > 0 and "detection" in str(summary)
    assert found.colnames == whole.colnames
    assert found.meta["galmorph"]["detection"] == DetectionConfig().to_dict()
    distance, row = cKDTree(places(whole)).query(places(found))
    assert distance.max() < 0.01 and len(set(row.tolist())) == len(whole)
    for name in ("f_disk", "f_disk_err", "petrosian_radius"):
        wanted = np.asarray(whole[name])[row]
        np.testing.assert_allclose(np.asarray(found[name]), wanted, rtol=1e-4)
    assert (found["morph_flags"] == whole["morph_flags"][row]).all()


def test_classify_image_takes_files_part_by_part(mosaic, tile, classifier):
    settings = DetectionConfig(n_sigma=100)
    found = classifier.classify_image(tile, detection=settings)
    whole = classifier.classify_image(mosaic[0], detection=settings)
    assert found.colnames == whole.colnames and len(found) == len(whole)
    assert found.meta == whole.meta
    areas = classifier.classify_image(mosaic[0])["area"]
    assert found["area"].sum() < 0.5 * areas.sum()


def test_sources_of_tiles_that_overlap_are_found_once(
    mosaic, classifier, tmp_path, capsys
):
    image = mosaic[0]
    for name, columns in (("a", np.s_[:520]), ("b", np.s_[400:])):
        wcs = image.wcs.slice((np.s_[:], columns))
        write_fits(tmp_path / f"{name}.fits", image.data[:, columns], wcs)
    (tmp_path / "c.fits").write_bytes(b"no image")
    pattern = str(tmp_path / "?.fits")
    shards = tmp_path / "shards"
    summary = annotate(None, pattern, shards, classifier=classifier)
    assert list(summary.bad_tiles) == ["c"]
    assert "tile c was not used" in str(summary)
    found = read_table(shards / "shard-000000.parquet")
    assert set(found["tile"]) == {"a", "b"}
    on_sky = found["sky_centroid"]
    near = on_sky[:, None].separation(on_sky[None]).arcsec
    assert near[~np.eye(len(found), dtype=bool)].min() > 0.05
    assert len(found) == pytest.approx(len(classifier.classify_image(image)), abs=3)
    with fits.open(shards / "segments-0000.fits") as hdus:
        labels = hdus[0].data[hdus[0].data > 0]
    assert set(labels.tolist()) == set(found["label"][found["tile"] == "a"].tolist())
    # again, nothing is searched
    assert annotate(None, pattern, shards, classifier=classifier).stages == {
        "detection": 0.0
    }
    # and with other settings it is another run
    with pytest.raises(ConfigurationError, match="differs in catalog"):
        annotate(
            None,
            pattern,
            shards,
            classifier=classifier,
            detection=DetectionConfig(n_sigma=9),
        )


@pytest.mark.usefixtures("small_parts")
def test_parts_that_cannot_be_searched_are_told_and_remembered(
    mosaic, classifier, tmp_path
):
    path = tmp_path / "mosaic.fits"
    fits.CompImageHDU(
        mosaic[0].data, compression_type="GZIP_1", tile_shape=(40, 900)
    ).writeto(path)
    content = bytearray(path.read_bytes())
    content[len(content) // 2 :] = b"\0" * (len(content) - len(content) // 2)
    path.write_bytes(content)
    out = tmp_path / "out"
    summary = annotate(None, path, out, classifier=classifier)
    assert summary.rows > 0 and summary.bad_tiles
    assert all(name.startswith("mosaic[") for name in summary.bad_tiles)
    assert json.loads((out / "unsearched.json").read_text()) == summary.bad_tiles
    again = annotate(None, path, out, classifier=classifier)
    assert again.bad_tiles == summary.bad_tiles and again.resumed == again.rows


def test_an_image_without_sources_gives_no_rows(classifier, tmp_path):
    write_fits(tmp_path / "sky.fits", np.random.default_rng(3).normal(size=(150, 150)))
    out = tmp_path / "out.ecsv"
    summary = annotate(None, tmp_path / "sky.fits", out, classifier=classifier)
    assert summary.rows == 0
    assert "f_disk" in read_table(out).colnames


def test_a_segmentation_map_needs_its_catalogue(tile, files, classifier, tmp_path):
    segments = np.zeros((620, 900), np.int32)
    bad = Tile(tile.sci, segmentation=segments)
    with pytest.raises(ImageError, match="segmentation: .* give the catalogue too"):
        annotate(None, bad, tmp_path / "out.fits", classifier=classifier)
