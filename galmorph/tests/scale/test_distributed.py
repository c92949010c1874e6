# Licensed under a 3-clause BSD style license - see licenses/LICENSE.rst
"""
Partitions on a real scheduler with two worker processes, over TCP.
"""

import os
import signal

import numpy as np
import pytest
from astropy.io import fits
from astropy.table import QTable, vstack

from galmorph.cli import main
from galmorph.core import CatalogError, ConfigurationError
from galmorph.scale import (
    FrameAnnotator,
    Tile,
    annotate,
    annotate_partitions,
)
from galmorph.scale.partitions import partition_files
from galmorph.tables import read_table, write_table

distributed = pytest.importorskip("distributed", reason="Dask is not installed")
pd = pytest.importorskip("pandas", reason="pandas is not installed")
pa = pytest.importorskip("pyarrow", reason="pyarrow is not installed")


@pytest.fixture(scope="module")
def cluster():
    with distributed.LocalCluster(
        n_workers=2,
        threads_per_worker=1,
        processes=True,
        host="127.0.0.1",
        dashboard_address=None,
        memory_limit=None,
    ) as cluster:
        yield cluster


@pytest.fixture
def client(cluster):
    with distributed.Client(cluster.scheduler_address) as client:
        client.wait_for_workers(2)
        yield client


@pytest.fixture(scope="module")
def tiles(files):
    return [
        Tile(files / f"tile_{y}_{x}_sci.fits", rms=files / f"tile_{y}_{x}_rms.fits")
        for y in (0, 200)
        for x in (0, 400)
    ]


@pytest.fixture(scope="module")
def folder(catalog, tmp_path_factory):
    """The catalogue in twelve Parquet files, in strips of declination."""
    folder = tmp_path_factory.mktemp("catalog")
    order = np.argsort(np.nan_to_num(catalog["dec"].value))
    for number, rows in enumerate(np.array_split(order, 12)):
        write_table(catalog[rows], folder / f"strip-{number:02d}.parquet")
    return folder


@pytest.fixture(scope="module")
def expected(folder, tiles, classifier, tmp_path_factory):
    """What one machine makes of the whole."""
    whole = vstack([read_table(path) for path in partition_files(folder)])
    out = tmp_path_factory.mktemp("whole") / "whole.parquet"
    annotate(whole, tiles, out, classifier=classifier, n_workers=0)
    return read_table(out)


def results(folder):
    return vstack(
        [read_table(path) for path in sorted(folder.glob("part-*.parquet"))],
        metadata_conflicts="silent",
    )


def assert_same_bits(table, expected):
    assert table.colnames == expected.colnames
    for name in expected.colnames:
        one, two = (
            np.asarray(getattr(t[name], "value", t[name])) for t in (table, expected)
        )
        if one.dtype.kind == "U":
            assert one.tolist() == two.tolist(), name
        else:
            assert one.dtype == two.dtype and one.tobytes() == two.tobytes(), name
        assert table[name].unit == expected[name].unit


def test_partitions_are_the_bits_of_one_machine(
    folder, tiles, classifier, expected, client, tmp_path
):
    seen = []
    summary = annotate_partitions(
        folder,
        tiles,
        tmp_path / "out",
        classifier=classifier,
        client=client,
        progress=lambda *n: seen.append(n),
    )
    assert_same_bits(results(tmp_path / "out"), expected)
    assert summary.rows == len(expected) and not summary.bad_partitions
    assert summary.classified == sum(expected["morph_class"] != "")
    assert summary.flags["outside_image"] == 2 and summary.n_workers == 2
    assert seen[-1] == (12, 12)
    first = read_table(tmp_path / "out" / "part-000000.parquet")
    assert first.meta["survey"] == "made"
    assert first.meta["galmorph"]["sha256"] == classifier.sha256
    assert {"reading", "preprocessing", "network"} <= set(summary.stages)


def test_the_model_is_loaded_once_by_each_worker(client, classifier, tiles, folder):
    annotator = FrameAnnotator(tiles, classifier=classifier, client=client)
    frames = [read_table(path).to_pandas() for path in partition_files(folder)[:6]]
    loaded = client.map(
        lambda frame, annotator: (annotator(frame), _predictor_of(annotator))[1],
        frames,
        annotator=annotator,
        pure=False,
    )
    found = set(client.gather(loaded))
    assert len(found) == len({pid for pid, _ in found})


def _predictor_of(annotator):
    from galmorph.scale.plugin import annotator_here

    return os.getpid(), id(annotator_here(annotator._key)._classifier.predictor)


def test_a_worker_that_is_killed_loses_its_partition_only(
    folder, tiles, classifier, expected, client, tmp_path
):
    before = client.run(os.getpid)
    killed = []

    def kill(done, total):
        busy = [worker for worker, tasks in client.processing().items() if tasks]
        if done in (2, 6) and busy:
            pid = client.run(os.getpid)[busy[0]]
            os.kill(pid, signal.SIGKILL)
            killed.append(pid)

    summary = annotate_partitions(
        folder,
        tiles,
        tmp_path / "out",
        classifier=classifier,
        client=client,
        progress=kill,
    )
    assert len(killed) == 2 and killed[0] in before.values()
    assert not summary.bad_partitions
    assert_same_bits(results(tmp_path / "out"), expected)
    client.wait_for_workers(2)
    assert not set(killed) & set(client.run(os.getpid).values())


def test_the_same_call_goes_on(folder, tiles, classifier, expected, client, tmp_path):
    out = tmp_path / "out"
    options = {"classifier": classifier, "client": client}
    first = annotate_partitions(folder, tiles, out, **options)
    (out / "part-000004.parquet").unlink()
    kept = {path: path.stat().st_mtime_ns for path in out.glob("part-*")}
    again = annotate_partitions(folder, tiles, out, **options)
    assert again.resumed == len(expected) - 7
    assert (again.rows, again.flags) == (first.rows, first.flags)
    assert kept == {path: path.stat().st_mtime_ns for path in kept}
    assert_same_bits(results(out), expected)
    with pytest.raises(ConfigurationError, match="differs in catalog, position"):
        annotate_partitions(
            partition_files(folder)[:3], tiles, out, position=("ra", "dec"), **options
        )


def test_a_bad_partition_does_not_end_the_run(
    folder, tiles, classifier, client, tmp_path
):
    good, other = partition_files(folder)[:2]
    bad = tmp_path / "bad.parquet"
    bad.write_bytes(other.read_bytes()[:-100])
    options = {"classifier": classifier, "client": client}
    summary = annotate_partitions([bad, good], tiles, tmp_path / "out", **options)
    assert list(summary.bad_partitions) == ["part-000000"] and summary.rows == 7
    assert "partition part-000000 was not done: path:" in str(summary)
    with pytest.raises(CatalogError, match="could not be read"):
        annotate_partitions([bad], tiles, tmp_path / "none", **options)


def as_hats(folder, path):
    """The partitions as HATS writes them."""
    (path / "dataset").mkdir(parents=True)
    (path / "hats.properties").write_text("obs_collection=made\n")
    for number, file in enumerate(partition_files(folder)):
        frame = read_table(file).to_pandas()
        frame["_healpix_29"] = np.arange(len(frame), dtype=np.int64) + number * 1000
        name = f"Norder={3 + number % 2}/Dir=0/Npix={number + 5}.parquet"
        file = path / "dataset" / name
        file.parent.mkdir(parents=True, exist_ok=True)
        frame.to_parquet(file, index=False)
    # what is beside the partitions
    for name in ("dataset/data_thumbnail.parquet", "per_partition_statistics.parquet"):
        frame[:1].to_parquet(path / name)
    return [pd.read_parquet(file, partitioning=None) for file in partition_files(path)]


def test_hats_catalogues(folder, tiles, classifier, client, tmp_path):
    frames = as_hats(folder, tmp_path / "collection" / "made")
    (tmp_path / "collection" / "collection.properties").write_text(
        "#HATS Collection\nobs_collection=made\nhats_primary_table_url=made\n"
    )
    summary = annotate_partitions(
        tmp_path / "collection",
        tiles,
        tmp_path / "out",
        classifier=classifier,
        client=client,
    )
    assert summary.rows == 84 and not summary.bad_partitions
    parts = sorted((tmp_path / "out").glob("part-*"))
    for part, frame in zip(parts, frames, strict=True):
        table = read_table(part)
        assert table["_healpix_29"].tolist() == frame["_healpix_29"].tolist()
        assert table["name"].tolist() == frame["name"].tolist()


# Dask's own, of newer versions of pandas
@pytest.mark.filterwarnings("ignore:.*inplace keyword in DataFrame.set_index")
def test_dataframes(folder, tiles, classifier, expected, client, tmp_path):
    dask_frames = pytest.importorskip("dask.dataframe")
    frames = as_hats(folder, tmp_path / "made")
    files = [str(path) for path in partition_files(tmp_path / "made")]
    frame = dask_frames.read_parquet(
        files, index="_healpix_29", calculate_divisions=False
    )
    options = {"classifier": classifier, "client": client}
    annotator = FrameAnnotator(tiles, **options)
    mapped = frame.map_partitions(annotator).compute()
    assert mapped.index.tolist() == pd.concat(frames)["_healpix_29"].tolist()
    assert mapped.index.name == "_healpix_29"
    summary = annotate_partitions(frame, tiles, tmp_path / "out", **options)
    assert summary.rows == 84
    table = results(tmp_path / "out")
    assert table["_healpix_29"].tolist() == mapped.index.tolist()
    rows = {name: row for row, name in enumerate(expected["name"])}
    order = [rows[name] for name in table["name"]]
    for name in expected.colnames:
        want = np.asarray(getattr(expected[name], "value", expected[name]))[order]
        for found in (table[name], mapped[name]):
            found = np.asarray(getattr(found, "value", found))
            if want.dtype.kind == "U":
                assert found.tolist() == want.tolist(), name
            else:
                np.testing.assert_array_equal(found.astype(want.dtype), want, name)
    again = annotate_partitions(frame, tiles, tmp_path / "out", **options)
    assert again.resumed == 84


@pytest.mark.filterwarnings("ignore")  # LSDB's own
def test_lsdb(mosaic, classifier, client, tmp_path):
    lsdb = pytest.importorskip("lsdb", reason="LSDB is not installed")
    image, places = mosaic
    wcs = image.wcs.deepcopy()
    wcs.wcs.cdelt *= 20  # larger than a HEALPix pixel
    fits.PrimaryHDU(image.data, wcs.to_header()).writeto(tmp_path / "wide.fits")
    sky = wcs.pixel_to_world(*places.T)
    catalog = QTable({"name": [f"galaxy {i}" for i in range(len(places))]})
    catalog["ra"], catalog["dec"] = sky.ra.deg, sky.dec.deg
    options = {"classifier": classifier, "client": client}
    tile = tmp_path / "wide.fits"
    annotate(catalog, tile, tmp_path / "one.parquet", classifier=classifier)
    one = read_table(tmp_path / "one.parquet")
    expected = {name: row for row, name in enumerate(one["name"])}

    lsdb.from_dataframe(
        catalog.to_pandas(), catalog_name="made", partition_rows=20, highest_order=10
    ).write_catalog(tmp_path / "made")
    catalog = lsdb.open_catalog(tmp_path / "made")
    assert catalog.npartitions > 3
    annotator = FrameAnnotator(tile, **options)
    catalog.map_partitions(annotator).write_catalog(tmp_path / "annotated")
    annotated = lsdb.open_catalog(tmp_path / "annotated", columns="all").compute()
    annotate_partitions(catalog, tile, tmp_path / "a", **options)
    annotate_partitions(tmp_path / "made", tile, tmp_path / "b", **options)
    for table in (annotated, results(tmp_path / "a"), results(tmp_path / "b")):
        assert sorted(table["name"]) == sorted(one["name"])
        order = [expected[name] for name in table["name"]]
        for name in ("f_disk", "f_disk_err", "snr", "morph_flags", "morph_class"):
            found, wanted = np.asarray(table[name]), np.asarray(one[name][order])
            np.testing.assert_array_equal(found.astype(wanted.dtype), wanted, name)


def test_the_command_line(folder, files, bundle, expected, cluster, tmp_path, capsys):
    out = tmp_path / "out"
    command = ["annotate", str(folder), str(files / "mosaic_sci.fits")]
    command += ["--model", str(bundle), "--dask", cluster.scheduler_address]
    assert main([*command, "--shards", str(out)]) == 0
    captured = capsys.readouterr()
    assert "84 rows" in captured.out and f"written: {out}" in captured.err
    assert len(list(out.glob("part-*.parquet"))) == 12
    assert main([*command, "-o", str(tmp_path / "out.ecsv")]) == 2
    assert "--dask needs --shards FOLDER" in capsys.readouterr().err


def test_what_cannot_be_sent_is_told(folder, tiles, classifier, client, tmp_path):
    options = {"classifier": classifier, "client": client}
    out = tmp_path / "out"
    with pytest.raises(ConfigurationError, match="image is in memory; write it"):
        annotate_partitions(folder, np.zeros((99, 99)), out, **options)
    with pytest.raises(ConfigurationError, match="position: give names of columns"):
        annotate_partitions(folder, tiles, out, position=([1.0], [2.0]), **options)
    with pytest.raises(CatalogError, match="no Parquet file found"):
        annotate_partitions(tmp_path / "*.parquet", tiles, out, **options)
    with pytest.raises(CatalogError, match="no columns of positions"):
        write_table(
            read_table(partition_files(folder)[0])["name", "mag"],
            tmp_path / "a.parquet",
        )
        annotate_partitions(tmp_path / "a.parquet", tiles, out, **options)


def test_a_scheduler_that_does_not_answer_is_told(folder, tiles, classifier, tmp_path):
    import dask

    options = {"classifier": classifier}
    with pytest.raises(ConfigurationError, match="client: there is none; give"):
        annotate_partitions(folder, tiles, tmp_path / "out", **options)
    options["client"] = "tcp://127.0.0.1:9"
    with (
        dask.config.set({"distributed.comm.timeouts.connect": "1s"}),
        pytest.raises(ConfigurationError, match="no scheduler answers at 'tcp://127"),
    ):
        annotate_partitions(folder, tiles, tmp_path / "out", **options)


def test_frames_are_annotated_without_a_cluster(folder, tiles, classifier, expected):
    frame = read_table(partition_files(folder)[0]).to_pandas()
    table = FrameAnnotator(tiles, classifier=classifier)(frame)
    np.testing.assert_array_equal(table["f_disk"], expected["f_disk"][:7])
    assert table.columns.tolist() == expected.colnames
    empty = FrameAnnotator(tiles, classifier=classifier)(frame[:0])
    assert (empty.dtypes == table.dtypes).all()
