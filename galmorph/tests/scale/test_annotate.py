# Licensed under a 3-clause BSD style license - see licenses/LICENSE.rst
import numpy as np
import pytest
from astropy.io import fits
from astropy.table import Table

from galmorph.core import CatalogError, ConfigurationError, ImageError, decode_flags
from galmorph.scale import Tile, annotate, find_tiles, open_tile
from galmorph.tables import read_table, write_table
from galmorph.tests.scale.server import served

ROUNDING = 1e-6  # of the network, where a row stands elsewhere in a batch


def assert_same(table, other, atol=0.0):
    """All columns the same, bit by bit but for the network's rounding."""
    assert table.colnames == other.colnames
    for name in table.colnames:
        one, two = (
            np.asarray(getattr(t[name], "value", t[name])) for t in (table, other)
        )
        if name.startswith("f_") or name == "morph_domain_distance":
            np.testing.assert_allclose(one, two, rtol=0, atol=atol, err_msg=name)
        else:
            np.testing.assert_array_equal(one, two, err_msg=name)


@pytest.fixture(scope="module")
def whole(tile):
    """The whole image in memory."""
    with open_tile(tile) as opened:
        return opened.read()


@pytest.fixture(scope="module")
def expected(classifier, catalog, whole):
    """What the whole image in memory gives."""
    return classifier.annotate(catalog, whole)


@pytest.fixture(scope="module")
def tile(files):
    return Tile(
        files / "mosaic_sci.fits",
        rms=files / "mosaic_rms.fits",
        mask=files / "mosaic_mask.fits",
    )


@pytest.mark.parametrize("n_workers", [0, 2])
@pytest.mark.parametrize("suffix", [".parquet", ".ecsv", ".fits"])
def test_a_mosaic_on_disk_gives_the_table_of_the_one_in_memory(
    suffix, n_workers, tile, catalog, classifier, expected, tmp_path
):
    if suffix == ".parquet":
        pytest.importorskip("pyarrow")
    out = tmp_path / f"out{suffix}"
    summary = annotate(catalog, tile, out, classifier=classifier, n_workers=n_workers)
    table = read_table(out)
    assert_same(table, expected, ROUNDING)
    assert table.meta["galmorph"] == expected.meta["galmorph"]
    assert table.meta["survey"] == "made"
    assert table["petrosian_radius_angle"].unit == "arcsec"
    assert [path.name for path in tmp_path.iterdir()] == [out.name]
    assert summary.rows == len(catalog) and summary.path == out
    assert summary.classified == sum(table["morph_class"] != "")
    flags = [name for names in decode_flags(table["morph_flags"]) for name in names]
    assert summary.flags == {name: flags.count(name) for name in set(flags)}
    assert {"reading", "preprocessing", "network", "writing"} == set(summary.rates)


def tiled(files):
    rows = Table(
        {
            kind: [f"tile_{y}_{x}_{kind}.fits" for y in (0, 200) for x in (0, 400)]
            for kind in ("sci", "rms", "mask")
        }
    )
    rows.write(files / "tiles.csv", overwrite=True)
    return find_tiles(files / "tiles.csv")


def run(catalog, tiles, out, classifier, **options):
    """The table that is written."""
    options = {"n_workers": 0, **options}
    annotate(catalog, tiles, out, classifier=classifier, **options)
    return read_table(out)


def test_the_table_depends_on_no_patch_batch_or_process(
    tile, catalog, classifier, expected, tmp_path, monkeypatch
):
    monkeypatch.setattr("galmorph.scale.plan.PATCH_SIDE", 200)
    monkeypatch.setattr("galmorph.scale.plan.TASK_ROWS", 7)
    monkeypatch.setattr("galmorph.scale.annotating.PART_ROWS", 20)
    monkeypatch.setattr("galmorph.scale.annotating.CHUNK_ROWS", 50)
    first = run(catalog, tile, tmp_path / "a.ecsv", classifier, batch_size=1)
    assert_same(first, expected, ROUNDING)
    second = run(catalog, tile, tmp_path / "b.ecsv", classifier, n_workers=3)
    assert_same(second, first)  # the same bits


def test_an_image_in_memory_gives_the_same(
    whole, catalog, classifier, expected, tmp_path
):
    for n_workers in (0, 1):
        out = tmp_path / f"{n_workers}.ecsv"
        table = run(catalog, whole, out, classifier, n_workers=n_workers)
        assert_same(table, expected, ROUNDING)


def test_a_compressed_mosaic_gives_the_same(
    files, catalog, classifier, expected, tmp_path, monkeypatch
):
    monkeypatch.setattr("galmorph.scale.plan.PATCH_SIDE", 200)
    paths = {}
    for kind in ("sci", "rms", "mask"):
        paths[kind] = tmp_path / f"{kind}.fits.fz"
        with fits.open(files / f"mosaic_{kind}.fits") as hdus:
            fits.CompImageHDU(
                hdus[0].data,
                hdus[0].header,
                compression_type="GZIP_2",
                quantize_level=0,
            ).writeto(paths[kind])
    table = run(catalog, Tile(**paths), tmp_path / "out.ecsv", classifier)
    assert_same(table, expected, ROUNDING)


def test_each_source_is_measured_on_the_tile_that_holds_most_around_it(
    files, catalog, classifier, expected, tmp_path
):
    table = run(catalog, tiled(files), tmp_path / "out.ecsv", classifier)
    assert table.colnames == [*expected.colnames, "tile"]
    seen = expected["morph_class"] != ""
    np.testing.assert_array_equal(table["morph_class"] != "", seen)
    assert set(table["tile"][seen]) == {t.name for t in tiled(files)}
    assert set(table["tile"][~seen]) <= {"", *table["tile"][seen]}
    partial = decode_flags(table["morph_flags"])
    # the middle of the mosaic lies deep in a tile: it is as on the whole
    middle = [n for n, f in enumerate(partial) if seen[n] and "partial_stamp" not in f]
    assert len(middle) > 40
    difference = np.abs(table["f_disk"] - expected["f_disk"])[middle]
    assert np.median(difference) < 1e-4
    np.testing.assert_array_equal(
        table["morph_flags"][~seen], expected["morph_flags"][~seen]
    )


def test_positions_in_pixels_need_the_name_of_the_tile(files, classifier, tmp_path):
    tiles = tiled(files)
    catalog = Table({"x": [100.0, 100.0], "y": [100.0, 100.0]})
    with pytest.raises(CatalogError, match="give a column 'tile'"):
        annotate(catalog, tiles, tmp_path / "a.ecsv", classifier=classifier)
    catalog["tile"] = [tiles[2].name, "no such tile"]
    table = run(catalog, tiles, tmp_path / "b.ecsv", classifier)
    assert decode_flags(table["morph_flags"])[1] == ["outside_image"]
    alone = run(catalog[:1], tiles[2], tmp_path / "c.ecsv", classifier)
    assert table["x_centroid"][0] == alone["x_centroid"][0]


def test_a_bad_tile_does_not_end_the_run(files, catalog, classifier, tmp_path):
    tiles = tiled(files)
    (tmp_path / "bad.fits").write_text("This is no image.")
    (tmp_path / "gone.fits").touch()
    summary = annotate(
        catalog,
        [*tiles, tmp_path / "bad.fits"],
        tmp_path / "out.ecsv",
        classifier=classifier,
    )
    assert list(summary.bad_tiles) == ["bad"]
    assert "tile bad was not used: image:" in str(summary)
    table = read_table(tmp_path / "out.ecsv")
    assert table.meta["galmorph"]["bad_tiles"] == summary.bad_tiles
    with pytest.raises(ImageError, match="cannot be read as FITS"):
        annotate(
            catalog, tmp_path / "bad.fits", tmp_path / "b.ecsv", classifier=classifier
        )


@pytest.mark.filterwarnings("ignore:File may have been truncated")
@pytest.mark.parametrize("n_workers", [0, 1])
def test_a_damaged_part_of_a_file_costs_its_own_rows_only(
    n_workers, files, catalog, classifier, tmp_path
):
    content = (files / "mosaic_sci.fits").read_bytes()
    damaged = tmp_path / "damaged.fits"
    damaged.write_bytes(content[: int(0.7 * len(content))])
    summary = annotate(
        catalog,
        damaged,
        tmp_path / "out.ecsv",
        classifier=classifier,
        n_workers=n_workers,
    )
    table = read_table(tmp_path / "out.ecsv")
    assert 5 < summary.flags["failed"] < 40
    assert summary.classified > 40
    failed = [
        n for n, f in enumerate(decode_flags(table["morph_flags"])) if "failed" in f
    ]
    assert [failure["row"] for failure in summary.failures] == failed
    assert "cannot be read in rows" in summary.failures[0]["reason"]
    assert table.meta["galmorph"]["failures"] == summary.failures


def test_shards_are_in_the_order_of_the_catalogue(
    tile, catalog, classifier, expected, tmp_path, monkeypatch
):
    monkeypatch.setattr("galmorph.scale.annotating.CHUNK_ROWS", 30)
    folder = tmp_path / "shards"
    options = {"classifier": classifier, "n_workers": 0}
    annotate(catalog, tile, folder, **options)
    shards = sorted(p for p in folder.glob("*-*"))
    assert [len(read_table(path)) for path in shards] == [30, 30, 24]
    for number, path in enumerate(shards):
        rows = np.s_[30 * number : 30 * number + 30]
        assert_same(read_table(path), expected[rows], ROUNDING)
    shards[1].unlink()
    summary = annotate(catalog, tile, folder, **options)
    assert summary.resumed == 54 and summary.rows == 84
    assert summary.flags == annotate(catalog, tile, folder, **options).flags


def test_the_folder_of_another_run_is_refused(tile, catalog, classifier, tmp_path):
    folder = tmp_path / "shards"
    options = {"classifier": classifier, "n_workers": 0}
    annotate(catalog[:20], tile, folder, **options)
    with pytest.raises(ConfigurationError, match="differs in catalog;"):
        annotate(catalog[1:21], tile, folder, **options)
    annotate(catalog[1:21], tile, folder, overwrite=True, **options)
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "thesis.tex").touch()
    with pytest.raises(ConfigurationError, match="holds other files"):
        annotate(catalog, tile, tmp_path / "mine", **options)
    assert (tmp_path / "mine" / "thesis.tex").exists()
    with pytest.raises(ConfigurationError, match="no folder"):
        annotate(catalog, tile, tmp_path / "no" / "out.ecsv", **options)
    table = tmp_path / "table.ecsv"
    annotate(catalog[:5], tile, table, **options)
    with pytest.raises(CatalogError, match="is there already"):
        annotate(catalog[:5], tile, table, **options)
    annotate(catalog[:4], tile, table, overwrite=True, **options)
    assert len(read_table(table)) == 4


def test_two_runs_do_not_write_into_one_folder(tile, catalog, classifier, tmp_path):
    fcntl = pytest.importorskip("fcntl")
    folder = tmp_path / "out.ecsv.parts"
    folder.mkdir()
    with open(folder / ".lock", "w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        with pytest.raises(ConfigurationError, match="another run is writing"):
            annotate(catalog, tile, tmp_path / "out.ecsv", classifier=classifier)


@pytest.mark.parametrize("suffix", [".parquet", ".fits", ".ecsv"])
def test_a_catalogue_on_disk_and_one_without_rows(
    suffix, tile, catalog, classifier, tmp_path
):
    if suffix == ".parquet":
        pytest.importorskip("pyarrow")
    path, out = tmp_path / f"catalog{suffix}", tmp_path / f"out{suffix}"
    write_table(catalog[:3], path)
    from_file = run(path, tile, out, classifier)
    assert_same(from_file, run(catalog[:3], tile, tmp_path / "b.ecsv", classifier))
    write_table(catalog[:0], path, overwrite=True)
    table = run(path, tile, out, classifier, overwrite=True)
    assert len(table) == 0 and table.colnames == from_file.colnames


def test_columns_that_are_there_are_refused_before_the_work(
    tile, catalog, classifier, expected, tmp_path
):
    options = {"classifier": classifier, "n_workers": 0}
    with pytest.raises(CatalogError, match="are there already"):
        annotate(expected, tile, tmp_path / "a.ecsv", **options)
    out = tmp_path / "b.ecsv"
    annotate(expected[:5], tile, out, overwrite_columns=True, **options)
    assert read_table(out).colnames == expected.colnames


@pytest.mark.parametrize(
    "options, words",
    [
        ({"n_workers": -1}, "n_workers: found -1"),
        ({"n_workers": 1.5}, "n_workers: found 1.5"),
        ({"memory_limit": "much"}, "memory_limit: found 'much'"),
        ({"memory_limit": "100 MiB"}, "at least"),
        ({"memory_limit": "3 km"}, "memory_limit"),
        ({"batch_size": 0}, "batch_size: found 0"),
    ],
)
def test_bad_settings_are_told(options, words, tile, catalog, classifier, tmp_path):
    with pytest.raises(ConfigurationError, match=words):
        annotate(catalog, tile, tmp_path / "a.ecsv", classifier=classifier, **options)
    assert not any(tmp_path.iterdir())


def test_progress_tells_the_rate_and_what_is_left(
    tile, catalog, classifier, tmp_path, capsys
):
    seen = []
    options = {"classifier": classifier, "n_workers": 0}
    out = tmp_path / "a.ecsv"
    annotate(catalog, tile, out, progress=lambda *n: seen.append(n), **options)
    assert seen[-1] == (84, 84)
    annotate(catalog, tile, out, overwrite=True, progress=True, **options)
    line = capsys.readouterr().err.split("\r")[-1]
    assert "classified 84 of 84 (100%)" in line and "/s, 0 s left" in line


def test_the_classifier_reads_windows_of_files(
    tile, files, catalog, classifier, expected, monkeypatch
):
    monkeypatch.setattr("galmorph.scale.annotating.CHUNK_ROWS", 50)
    table = classifier.annotate(catalog, tile, n_workers=1)
    assert_same(table, expected, ROUNDING)
    assert table.meta["galmorph"] == expected.meta["galmorph"]
    table = classifier.annotate(catalog, tiled(files))
    assert set(table["tile"]) > {""}
    path = str(files / "mosaic_sci.fits")
    without_noise = classifier.annotate(catalog[:9], path)
    with open_tile(path) as opened:
        image = opened.read()
    assert_same(without_noise, classifier.annotate(catalog[:9], image), ROUNDING)


def test_a_mosaic_on_a_web_server_gives_the_same(
    files, catalog, classifier, expected, tmp_path
):
    pytest.importorskip("aiohttp")
    with served(files) as server:
        paths = {
            kind: f"{server.address}/mosaic_{kind}.fits"
            for kind in ("sci", "rms", "mask")
        }
        out = tmp_path / "out.ecsv"
        table = run(catalog, Tile(**paths), out, classifier, n_workers=1)
    assert_same(table, expected, ROUNDING)
