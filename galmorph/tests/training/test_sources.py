# Licensed under a 3-clause BSD style license - see licenses/LICENSE.rst
import numpy as np
import pytest
from astropy import units as u
from astropy.io import fits
from astropy.table import QTable, Table
from astropy.utils.masked import Masked

from galmorph import LabelScheme, MorphFlag, Preprocessor
from galmorph.core import ConfigurationError, get_scheme
from galmorph.images import as_nddata
from galmorph.tables import read_table
from galmorph.tests.tiny import galaxy_image, tan_wcs, write_fits
from galmorph.training import as_dataset, as_stamps, read_config
from galmorph.training.sources import load

HEAD = """
[model]
name = "own"

[scheme]
name = "bars"
outputs = ["f_bar", "f_ring"]

[preprocessing]
shape = 32

[data]
side = 40
"""
PREPROCESSOR = Preprocessor(shape=32)
TABLE = 'table = "labels.ecsv"\n'
BAD = int(MorphFlag.FAILED)


def labels(n, **more):
    return Table(
        {"f_bar": np.linspace(0, 1, n), "f_ring": np.full(n, 0.25), **more},
    )


@pytest.fixture
def loaded(tmp_path):
    """Load the data that a file in a folder describes; gives them and the lines."""

    def loaded(text, resume=False):
        path = tmp_path / "run.toml"
        path.write_text(HEAD + text)
        lines = []
        found = load(read_config(path), tmp_path / "run", resume, lines.append)
        return found, "\n".join(lines)

    return loaded


# arrays


ARRAYS = 'source = "arrays"\nimages = "images.npz"\n' + TABLE


@pytest.fixture
def pictures(tmp_path):
    """Eight pictures of 8 bits, 53 x 53, the first with a bright corner."""
    images = np.random.default_rng(1).integers(20, 200, (8, 53, 53), dtype=np.uint8)
    images[0, :10, :10] = 255
    np.savez(tmp_path / "images.npz", images=images, id=np.arange(8))
    labels(8, id=np.arange(8)).write(tmp_path / "labels.ecsv")
    return images


def test_pictures_are_only_resampled_where_they_are_prepared(loaded, pictures):
    found, told = loaded(ARRAYS + "prepared = true")
    stamps, table = found["data"]
    assert stamps.shape == (8, 40, 40, 1)
    # what is brightest has the value that stamps have at their peak
    assert stamps[0, 2, 2, 0] == pytest.approx(PREPROCESSOR.peak)
    ratio = stamps.mean(axis=(1, 2, 3)) / pictures.mean(axis=(1, 2))
    assert ratio == pytest.approx(np.full(8, PREPROCESSOR.peak / 255), rel=0.02)
    assert list(table["f_bar"]) == pytest.approx(list(np.linspace(0, 1, 8)))
    assert "8 of 8 galaxies can be used" in told


def test_stamps_of_the_right_size_are_not_changed(loaded, tmp_path):
    stamps = np.random.default_rng(1).normal(size=(8, 40, 40, 2)).astype(np.float32)
    stamps[5, 3, 3] = np.nan
    np.save(tmp_path / "stamps.npy", stamps)
    labels(8).write(tmp_path / "labels.ecsv")
    text = ARRAYS.replace("images.npz", "stamps.npy")
    found, told = loaded(text + "prepared = true")
    good = np.arange(8) != 5
    assert np.array_equal(found["data"][0][good], stamps[good])
    assert "row 5: no_data" in told and "7 of 8 galaxies can be used" in told


def test_images_of_a_camera_go_through_the_preprocessor(loaded, tmp_path):
    images = np.stack([galaxy_image((64, 64), [(32, 31)], seed=i) for i in range(5)])
    images[3] = np.nan
    np.savez(tmp_path / "images.npz", images)
    labels(5).write(tmp_path / "labels.ecsv")
    found, told = loaded(ARRAYS)
    stamps, table = found["data"]
    expected = as_stamps(list(images), PREPROCESSOR, 40)
    assert np.array_equal(stamps, expected.data)
    assert stamps[0].max() == pytest.approx(PREPROCESSOR.peak, rel=0.01)
    assert table["morph_flags"][3] & MorphFlag.NO_DATA
    assert "row 3: " in told and "4 of 5 galaxies can be used" in told


def test_images_of_several_bands_give_stamps_of_several_bands(loaded, tmp_path):
    image = galaxy_image((64, 64), [(32, 31)])
    np.save(tmp_path / "images.npy", np.stack([image, image / 2], axis=-1)[None])
    labels(1).write(tmp_path / "labels.ecsv")
    found, _ = loaded(ARRAYS.replace(".npz", ".npy"))
    assert found["data"][0].shape == (1, 40, 40, 2)
    assert found["data"][0].any()


# cutouts


CUTOUTS = 'source = "cutouts"\nimages = "fits"\n' + TABLE
NAMES = ("a.fits", "b.fits.gz", "c.fit", "d.fits", "other.fits")


@pytest.fixture
def folder(tmp_path):
    """FITS files, of which d is broken and one is in no table, and the labels."""
    folder = tmp_path / "fits"
    folder.mkdir()
    for seed, name in enumerate(NAMES):
        write_fits(folder / name, galaxy_image((64, 64), [(32, 31)], seed))
    (folder / "d.fits").write_bytes(b"SIMPLE = no FITS at all")
    (folder / "readme.txt").write_text("no image")
    names = ["a", "c", "b", "d", "absent"]
    files = ["a.fits", "c.fit", "b.fits.gz", "d.fits", "absent.fits"]
    labels(5, id=names, image=files).write(tmp_path / "labels.ecsv", overwrite=True)
    return folder


@pytest.mark.parametrize("more", ["", 'file = "image"', 'id = "image"'])
def test_a_folder_of_cutouts_is_matched_by_name(loaded, folder, more):
    found, told = loaded(CUTOUTS + more)
    stamps, table = found["data"]
    files = [folder / NAMES[i] for i in (0, 2, 1)]
    assert np.array_equal(stamps[:3], as_stamps(files, PREPROCESSOR, 40).data)
    assert list(table["morph_flags"] & BAD) == [0, 0, 0, BAD, BAD]
    assert not stamps[3:].any()
    assert "row 3 (d): " in told and "row 4 (absent): " in told
    assert "3 of 5 galaxies can be used" in told
    if "file" not in more:
        assert "1 files" in told and "are not in the table" in told


def test_the_galaxies_are_listed_with_the_reasons(loaded, folder, tmp_path):
    loaded(CUTOUTS)
    table = read_table(tmp_path / "run" / "data.ecsv")
    failures = table.meta["galmorph"]["failures"]
    assert [(f["row"], f["id"]) for f in failures] == [(3, "d"), (4, "absent")]
    assert "no FITS file of this name" in failures[1]["reason"]


def test_cutouts_of_other_bands_are_listed(tmp_path):
    image = galaxy_image((64, 64), [(32, 31)])
    stamps = as_stamps([image, as_nddata([image, image], band_axis=0)], PREPROCESSOR)
    assert list(stamps.usable) == [True, False]
    assert "found 2 bands; others have 1" in stamps.failures[1]


def test_a_run_that_is_resumed_does_not_read_the_images_again(loaded, folder):
    first, _ = loaded(CUTOUTS)
    for path in folder.iterdir():
        path.unlink()
    again, told = loaded(CUTOUTS, resume=True)
    assert np.array_equal(again["data"][0], first["data"][0])
    assert told == ""
    with pytest.raises(ConfigurationError, match="other settings"):
        loaded(CUTOUTS + "pixel_scale = 0.06", resume=True)
    with pytest.raises(ConfigurationError, match="none of the 5 galaxies"):
        loaded(CUTOUTS)


# mosaic


MOSAIC = 'source = "mosaic"\nimage = "field.fits[SCI]"\n' + TABLE
POSITIONS = [(40.0, 42.0), (110.0, 50.0), (70.0, 115.0), (400.0, 10.0)]


@pytest.fixture
def field(tmp_path):
    """A mosaic with noise, mask and segmentation, and a catalogue of four galaxies."""
    image = galaxy_image((150, 150), POSITIONS[:3])
    y, x = np.indices(image.shape)
    segments = np.zeros(image.shape, np.int16)
    for label, (x0, y0) in enumerate(POSITIONS[:3], 11):
        segments[np.hypot(x - x0, y - y0) < 12] = label
    header = tan_wcs().to_header()
    mask = np.zeros(image.shape, np.uint8)
    mask[60:, 15:125] = 1
    fits.HDUList(
        [
            fits.PrimaryHDU(),
            fits.ImageHDU(image, header, name="SCI"),
            fits.ImageHDU(np.ones_like(image), name="RMS"),
            fits.ImageHDU(mask, name="MASKED"),
            fits.ImageHDU(segments, name="SEG"),
        ]
    ).writeto(tmp_path / "field.fits")
    write_fits(tmp_path / "small.fits", np.ones((9, 9)))
    sky = tan_wcs().pixel_to_world(*np.transpose(POSITIONS))
    labels(
        4,
        id=list("wxyz"),
        x=[p[0] for p in POSITIONS],
        y=[p[1] for p in POSITIONS],
        ra=sky.ra.deg,
        dec=sky.dec.deg,
        segment=[11, 12, 13, 14],
    ).write(tmp_path / "labels.ecsv")
    return as_nddata(image, wcs=tan_wcs())


@pytest.mark.parametrize("position", ["", '["x", "y"]', '["ra", "dec"]'])
def test_galaxies_are_cut_out_of_a_mosaic(loaded, field, position):
    more = f"position = {position}" if position else ""
    found, told = loaded(MOSAIC + more)
    stamps, table = found["data"]
    preprocessor = PREPROCESSOR.with_margin(40)
    x, y = np.transpose(POSITIONS)
    expected = preprocessor(preprocessor.cutouts(field, x, y))
    assert stamps == pytest.approx(expected.data, abs=1e-3)
    assert list(table["morph_flags"]) == list(expected.flags)
    assert "row 3 (z): outside_image" in told


def test_noise_mask_and_segmentation_of_a_mosaic_are_used(loaded, field):
    found, told = loaded(
        MOSAIC + 'rms = "field.fits[2]"\nmask = "field.fits[MASKED]"\n'
        'segmentation = "field.fits[SEG]"\nlabel = "segment"\n'
    )
    flags = found["data"][1]["morph_flags"]
    # the third galaxy is behind the mask
    assert list((flags & MorphFlag.NO_DATA) != 0) == [False, False, True, False]
    assert "2 of 4 galaxies can be used" in told
    weighted, _ = loaded(MOSAIC + 'weight = "field.fits[RMS]"\n')
    assert not weighted["data"][1]["morph_flags"][:3].any()


# labels


def test_columns_may_have_other_names(loaded, pictures, tmp_path):
    table = labels(8, any_ring=np.linspace(0, 0.7, 8), bar_2=np.full(8, 0.5))
    table["bar_2"] = np.ma.masked_array(table["bar_2"], np.arange(8) == 2)
    table.write(tmp_path / "labels.ecsv", overwrite=True)
    found, _ = loaded(
        ARRAYS + 'prepared = true\nprefix = "any_"\ncolumns = { f_bar = "bar_2" }'
    )
    scheme = get_scheme(LabelScheme("bars", outputs=["f_bar", "f_ring"]))
    dataset = as_dataset(found["data"], scheme)
    assert list(dataset.labels[:, 1]) == pytest.approx(list(np.linspace(0, 0.7, 8)))
    assert list(np.isnan(dataset.labels[:, 0])) == [i == 2 for i in range(8)]


def test_labels_may_be_per_cent(loaded, pictures, tmp_path):
    table = QTable(labels(8))
    table["f_ring"] = Masked(np.full(8, 40.0), mask=np.arange(8) == 3) * u.percent
    table.write(tmp_path / "labels.ecsv", overwrite=True)
    found, _ = loaded(ARRAYS + "prepared = true")
    rings = found["data"][1]["f_ring"]
    assert np.isnan(rings[3])
    assert np.delete(rings, 3) == pytest.approx(np.full(7, 0.4))


def test_votes_groups_and_folds_come_from_columns(loaded, pictures, tmp_path):
    more = {
        "n_bar": np.arange(8) + 1,
        "n_ring": [4] * 8,
        "field": list("aabbccdd"),
        "fold": [0, 1, 2, 3] * 2,
    }
    labels(8, **more).write(tmp_path / "labels.ecsv", overwrite=True)
    keys = 'group = "field"\nfold = "fold"\ntest_fold = 2\n'
    found, _ = loaded(ARRAYS + 'prepared = true\nvotes = "n_bar"\n' + keys)
    scheme = LabelScheme("bars", outputs=["f_bar", "f_ring"])

    def dataset(found):
        names = {k: v for k, v in found.items() if k not in ("data", "source")}
        return as_dataset(found["data"], scheme, **names)

    assert list(dataset(found).votes) == list(range(1, 9))
    assert list(dataset(found).groups) == list("aabbccdd")
    assert list(np.flatnonzero(dataset(found).test)) == [2, 6]
    found, _ = loaded(ARRAYS + 'prepared = true\nvotes = { f_ring = "n_ring" }\n')
    assert dataset(found).votes.tolist() == [[1, 4]] * 8
    assert set(found) == {"data", "source", "votes"}


def test_galaxies_without_a_label_are_counted(loaded, pictures, tmp_path):
    table = labels(8)
    table["f_bar"][:3] = table["f_ring"][:3] = np.nan
    table["f_bar"][4] = np.nan
    table.write(tmp_path / "labels.ecsv", overwrite=True)
    _, told = loaded(ARRAYS + "prepared = true")
    assert "5 of 8 galaxies can be used; 3 have no label" in told


def test_rows_of_one_galaxy_stay_together(loaded, pictures, tmp_path):
    labels(8, id=list("aabbbcde")).write(tmp_path / "labels.ecsv", overwrite=True)
    found, told = loaded(ARRAYS + "prepared = true")
    assert list(found["data"][1][found["groups"]]) == list("aabbbcde")
    assert "5 groups of galaxies stay whole" in told


def test_several_sources_are_put_together(tmp_path, pictures, folder):
    # one table lacks an output, the other has votes and a split
    bars = labels(8, id=list("abcdefgh"), n_bar=np.arange(8) + 1, half=[0, 1] * 4)
    bars.remove_column("f_ring")
    bars.write(tmp_path / "bars.ecsv")
    arrays = ARRAYS.replace("labels", "bars") + (
        'side = 40\nprepared = true\nmissing = ["f_ring"]\n'
        'votes = { f_bar = "n_bar" }\ngroup = "id"\nfold = "half"\ntest_fold = 1\n'
    )
    path = tmp_path / "run.toml"
    head = HEAD.split("[data]")[0]
    path.write_text(f"{head}[[data]]\n{CUTOUTS}side = 40\n[[data]]\n{arrays}")
    config, lines = read_config(path), []
    for resume in (False, True):
        found = load(config, tmp_path / "run", resume, lines.append)
        names = {k: v for k, v in found.items() if k not in ("data", "source")}
        data = as_dataset(found["data"], config.scheme, **names)
        # of the cutouts two are bad
        assert list(data.rows) == [0, 1, 2, *range(5, 13)]
        assert list(np.isnan(data.labels[:, 1])) == [False] * 3 + [True] * 8
        assert data.votes[:, 0].tolist() == [1, 1, 1, *range(1, 9)]
        assert list(np.flatnonzero(data.test)) == [4, 6, 8, 10]
        assert len(set(data.groups)) == 11
    assert [source["source"] for source in found["source"]["sources"]] == [
        "cutouts",
        "arrays",
    ]
    table = read_table(tmp_path / "run" / "data.ecsv")
    assert [f["row"] for f in table.meta["galmorph"]["failures"]] == [3, 4]
    told = "\n".join(lines)
    assert "source 2 of 2: arrays" in told and "11 of 13 galaxies can be used" in told
    path.write_text(f"{head}[[data]]\n{CUTOUTS}side = 40\n[[data]]\n{ARRAYS}")
    with pytest.raises(ConfigurationError, match=r"run.toml: \[\[data\]\] side"):
        read_config(path)


@pytest.mark.parametrize(
    "text, words",
    [
        (ARRAYS.replace("labels", "no"), r"\[data\] table: there is no file .*no.ecsv"),
        (ARRAYS.replace("images.npz", "no.npz"), r"\[data\] images: .*no.npz"),
        (ARRAYS.replace("images.npz", "labels.ecsv"), "cannot be read as .npy or"),
        (ARRAYS + 'key = "id"', r"\[data\] images: expected the shape"),
        (ARRAYS + 'key = "x"', r"\[data\] key: .*images.npz.*'id'"),
        (ARRAYS + 'columns = { f_bar = "x" }', r"\[data\] columns: .* no column 'x'"),
        (
            ARRAYS + 'columns = { f_disk = "x" }',
            r"run.toml: \[data\] columns: .*f_disk",
        ),
        (ARRAYS + 'prefix = "any_"', r"\[data\] columns: .* no column 'any_bar'"),
        (ARRAYS + 'votes = "x"', r"\[data\] votes: .*labels.ecsv has no column 'x'"),
        (ARRAYS + 'votes = "name"', r"\[data\] votes: the column 'name'.*no numbers"),
        (ARRAYS + 'group = "x"', r"\[data\] group: .* no column 'x'"),
        (ARRAYS + 'fold = "id"', r"run.toml: \[data\] fold, test_fold"),
        (ARRAYS + 'fold = "id"\ntest_fold = 9', r"\[data\] test_fold: found 9; .*7\]"),
        (ARRAYS + 'prepared = "yes"', r"prepared: expected bool, found 'yes'"),
        (ARRAYS + "votes = 3", "votes: expected str or table, found 3"),
        (ARRAYS + "hdu = 1", r"run.toml: \[data\] has unknown keys \['hdu'\]"),
        ('source = "arrays"\n' + TABLE, r"run.toml: \[data\] needs images"),
        (CUTOUTS, r"\[data\] images: there is no folder .*fits"),
        (CUTOUTS.replace("fits", ".") + 'id = "x"', r"\[data\] id: .* no column 'x'"),
        (CUTOUTS.replace("fits", "."), "none of the 8 galaxies can be used; the first"),
        (MOSAIC, r"\[data\] image: the file .*field.fits"),
        (MOSAIC + 'label = "id"', "label: it needs a segmentation"),
        (MOSAIC + 'rms = "a"\nweight = "b"', "rms, weight: give one of them"),
        ('source = "sky"', r"source: found 'sky'; known are \['simulation', 'arrays'"),
    ],
)
def test_what_is_wrong_is_told_with_key_and_file(
    loaded, pictures, tmp_path, text, words
):
    table = labels(8, id=np.arange(8), name=list("abcdefgh"))
    table.write(tmp_path / "labels.ecsv", overwrite=True)
    with pytest.raises(ConfigurationError, match=words):
        loaded(text)
    assert not (tmp_path / "run").exists()


@pytest.mark.parametrize(
    "more, words",
    [
        ('rms = "small.fits"', r"\[data\] rms: .*small.fits has the shape \(9, 9\)"),
        ('segmentation = "small.fits"', r"\[data\] segmentation: .*\(9, 9\)"),
        ('mask = "no.fits"', r"\[data\] mask: .*no.fits"),
        ('position = ["x", "z"]', r"\[data\] position: there is no column 'z'"),
        ('segmentation = "field.fits[X]"', r"\[data\] segmentation: .*X.*SCI"),
    ],
)
def test_what_is_wrong_with_a_mosaic_is_told(loaded, field, more, words):
    with pytest.raises(ConfigurationError, match=words):
        loaded(MOSAIC + more)


def test_a_table_of_another_length_is_refused(loaded, pictures, tmp_path):
    labels(7).write(tmp_path / "labels.ecsv", overwrite=True)
    with pytest.raises(ConfigurationError, match="has 8 images, and the table 7 rows"):
        loaded(ARRAYS + "prepared = true")


# simulation


def test_simulated_votes_are_counted(tmp_path):
    pytest.importorskip("galsim")
    path = tmp_path / "run.toml"
    text = '[model]\nname = "m"\n[data]\nn = 10\nn_votes = 4\nn_workers = 1\n'
    path.write_text(text + 'instrument = "acs_f814w"\n')
    found = load(read_config(path), tmp_path / "run", False, str)
    scheme = get_scheme("candels")
    dataset = as_dataset(found["data"], scheme, votes=found["votes"])
    assert np.array_equal(dataset.labels * 4 % 1, np.zeros_like(dataset.labels))
    assert set(dataset.votes) == {4}
    # labels that are not simulated are missing, but not all of them
    scheme = '[scheme]\nname = "s"\noutputs = ["f_disk", "f_bar"]\n'
    path.write_text(scheme + text)
    config = read_config(path)
    found = load(config, tmp_path / "mixed", False, str)
    assert np.isnan(config.scheme.labels(found["data"][1])[:, 1]).all()
    path.write_text(scheme.replace("disk", "ring") + text)
    with pytest.raises(ConfigurationError, match="none of the labels"):
        load(read_config(path), tmp_path / "none", False, str)
    path.write_text(text + 'instrument = "eyes"\n')
    with pytest.raises(ConfigurationError, match=r"\[data\] instrument: found 'eyes'"):
        load(read_config(path), tmp_path / "run", False, str)


# real galaxies


def test_real_pictures_and_their_votes(tmp_path, real_data):
    folder = real_data / "gz_ceers_f200w"
    path = tmp_path / "run.toml"
    path.write_text(
        f"""
[model]
name = "ceers"
[scheme]
name = "ceers"
outputs = ["f_smooth", "f_featured", "f_artifact", "f_merger_or_disturbed"]
[data]
source = "arrays"
images = "{folder}/images.npz"
table = "{folder}/votes.ecsv"
prepared = true
fold = "fold"
test_fold = 0
[data.votes]
f_smooth = "total_votes"
f_featured = "total_votes"
f_artifact = "total_votes"
f_merger_or_disturbed = "total_votes_merging_question"
"""
    )
    config, lines = read_config(path), []
    found = load(config, tmp_path / "run", False, lines.append)
    data = as_dataset(
        found["data"], config.scheme, votes=found["votes"], test_rows=found["test_rows"]
    )
    assert data.stamps.shape == (3255, 64, 64, 1)
    assert 600 < data.test.sum() < 700
    assert data.votes.shape == (3255, 4)
    # fractions are whole numbers of votes
    counts = data.labels * data.votes
    assert np.nanmax(abs(counts - np.round(counts))) < 1e-3


def test_real_cutouts_and_their_fractions(tmp_path, real_data):
    path = tmp_path / "run.toml"
    folder = real_data / "candels_f160w"
    path.write_text(
        f"""
[model]
name = "candels"
[data]
source = "cutouts"
images = "{folder}"
table = "{folder}/labels.ecsv"
file = "file"
prefix = "any_"
pixel_scale = 0.06
"""
    )
    found = load(read_config(path), tmp_path / "run", False, str)
    stamps, table = found["data"]
    assert stamps.shape == (6, 64, 64, 1) and stamps.any(axis=(1, 2, 3)).all()
    assert not (table["morph_flags"] & BAD).any()
    assert np.mean(table["f_spheroid"]) > 0.5
