# Licensed under a 3-clause BSD style license - see licenses/LICENSE.rst
"""
The ways to labelled stamps: simulations, arrays, cutouts, mosaics.
"""

import json
import re
from dataclasses import replace

import numpy as np
from astropy.table import QTable, vstack

from galmorph.core import ConfigurationError, GalmorphError, ImageError, get_scheme
from galmorph.images import as_nddata
from galmorph.tables import pixel_positions, read_table, write_table
from galmorph.training._labels import (
    GROUP,
    TEST,
    VOTES,
    existing,
    read_labels,
    tell,
    with_flags,
)
from galmorph.training._records import write_arrays
from galmorph.training.stamping import as_stamps, frame_stamps, stamps_of_cutouts

__all__ = ["load"]

_CACHE, _TABLE = "data.npz", "data.ecsv"
_FITS = re.compile(r"\.(fits|fit|fts)(\.gz|\.fz|\.bz2)?$", re.IGNORECASE)


def load(config, folder, resume, say):
    """
    Make or read the stamps and labels of a run.

    The galaxies are listed in ``data.ecsv`` in the folder of the run, with the
    flags and reasons of those that cannot be used. Stamps that were made are
    kept beside it, so that a run that was interrupted does not make them again.

    Parameters
    ----------
    config : `RunConfig`
    folder : `~pathlib.Path`
        Folder of the run.
    resume : bool
        Whether to take what an interrupted run has left there.
    say : callable
        Called with lines of text on what has been done.

    Returns
    -------
    data : dict
        Arguments of `train` that say what it learns from: ``data``, ``source``,
        ``groups``, ``votes`` and ``test_rows``.

    Raises
    ------
    ConfigurationError
        If a file or column is missing or cannot be used, if no galaxy can be
        used, or if the data to resume with were made with other settings.
    MissingDependencyError
        If GalSim is needed and not installed.
    """
    made_from = json.dumps([config.data.record(), config.preprocessor.to_dict()])
    cache, listing = folder / _CACHE, folder / _TABLE
    if resume and cache.exists():
        with np.load(cache, allow_pickle=False) as saved:
            if str(saved["made_from"]) != made_from:
                raise ConfigurationError(
                    f"{cache}: was made with other settings; they must be the same to"
                    " resume"
                )
            stamps = saved["stamps"]
        table = read_table(listing)
    else:
        stamps, table = _READERS[config.data.source](config, say)
        tell(table, get_scheme(config.scheme), say, listing=_TABLE)
        folder.mkdir(parents=True, exist_ok=True)
        write_table(table, listing, overwrite=True)
        # the last to be written: where it is, the table is complete too
        write_arrays(cache, {"stamps": stamps, "made_from": np.array(made_from)})
    given = {"votes": VOTES, "groups": GROUP, "test_rows": TEST}
    return {
        "data": (stamps, table),
        "source": config.data.record(),
        **{key: name for key, name in given.items() if name in table.colnames},
    }


def _simulated(config, say):
    from galmorph.simulation import get_instrument, simulate_stamps

    data, instrument = config.data, None
    if data.instrument is not None:
        try:
            instrument = get_instrument(data.instrument)
        except ConfigurationError as error:
            raise ConfigurationError(f"[data] {error}") from error
    stamps, table = simulate_stamps(
        data.n,
        seed=data.seed,
        preprocessor=config.preprocessor.with_margin(data.side),
        instrument=instrument,
        n_votes=data.n_votes,
        n_workers=data.n_workers or None,
        progress=_progress("simulated", data.n, say),
    )
    outputs = get_scheme(config.scheme).outputs
    if not set(outputs) & set(table.colnames):
        raise ConfigurationError(
            f"[data] source: simulated galaxies have none of the labels {outputs}"
        )
    for output in set(outputs) - set(table.colnames):
        table[output] = np.full(data.n, np.nan, np.float32)
    if data.n_votes is not None:
        table[VOTES] = data.n_votes
    return stamps, table


def _from_arrays(config, say):
    data = config.data
    table = read_labels(config)
    images = _images(data)
    if len(images) != len(table):
        raise ConfigurationError(
            f"[data] images: {data.root / data.images} has {len(images)} images, and"
            f" the table {len(table)} rows"
        )
    if data.prepared:
        made = frame_stamps(images, data.side, config.preprocessor.peak)
    else:
        made = as_stamps(
            images if images.shape[3] > 1 else images[..., 0],
            config.preprocessor,
            data.side,
            band_axis=-1 if images.shape[3] > 1 else None,
            pixel_scale=data.pixel_scale,
            progress=_progress("made stamps of", len(images), say),
        )
    return made.data, with_flags(table, made)


def _images(data):
    """The array of images of a file, of shape (n, side, side, bands)."""
    path = existing(data, "images")
    try:
        found = np.load(path, allow_pickle=False)
        if isinstance(found, np.lib.npyio.NpzFile):
            with found:
                arrays = {name: found[name] for name in found.files}
        else:
            arrays = {"": found}
    except (OSError, ValueError, EOFError) as error:
        raise ConfigurationError(
            f"[data] images: {path} cannot be read as .npy or .npz: {error}"
        ) from error
    names = [name for name, array in arrays.items() if array.ndim in (3, 4)]
    if data.key is not None:
        names = [name for name in arrays if name == data.key]
    if len(names) != 1:
        shapes = {name: array.shape for name, array in arrays.items()}
        raise ConfigurationError(
            f"[data] key: say which array of {path} has the images; found {shapes}"
        )
    images = arrays[names[0]]
    images = images[..., None] if images.ndim == 3 else images
    if images.ndim != 4 or images.shape[1] != images.shape[2]:
        raise ConfigurationError(
            f"[data] images: expected the shape (n, side, side[, bands]) in {path},"
            f" found {images.shape}"
        )
    if images.dtype.kind not in "uif":
        raise ConfigurationError(
            f"[data] images: expected numbers in {path}, found {images.dtype}"
        )
    return images


def _from_cutouts(config, say):
    data = config.data
    column = data.file or data.id
    table = read_labels(config, {"file" if data.file else "id": column})
    folder = existing(data, "images", folder=True)
    names = [str(name) for name in table[column]]
    if data.file:
        images = [folder / name for name in names]
    else:
        files = sorted(path for path in folder.iterdir() if _FITS.search(path.name))
        known = {_FITS.sub("", path.name): path for path in files}
        known |= {path.name: path for path in files}
        images = [
            known.get(
                name, ImageError(f"there is no FITS file of this name in {folder}")
            )
            for name in names
        ]
        found = {path for path in images if not isinstance(path, Exception)}
        if len(found) < len(files):
            say(f"{len(files) - len(found)} files in {folder} are not in the table")
    made = as_stamps(
        images,
        config.preprocessor,
        data.side,
        hdu=data.hdu,
        pixel_scale=data.pixel_scale,
        progress=_progress("made stamps of", len(images), say),
    )
    return made.data, with_flags(table, made)


def _from_mosaic(config, say):
    data = config.data
    try:
        catalog = read_table(existing(data, "table"))
        table = read_labels(
            config, {"label": data.label} if data.label else {}, catalog
        )
        image = _mosaic(data)
        position = data.position
        x, y = pixel_positions(catalog, image.wcs, position)
    except ConfigurationError:
        raise
    except GalmorphError as error:
        raise ConfigurationError(f"[data] {error}") from error
    segmentation = labels = None
    if data.segmentation is not None:
        segmentation = _plane(data, "segmentation", image.data.shape[:2])
        segmentation = np.nan_to_num(segmentation.data).astype(np.int32)
    if data.label is not None:
        labels = np.ma.filled(np.ma.asarray(catalog[data.label]), 0).astype(int)
    made = stamps_of_cutouts(
        config.preprocessor.with_margin(data.side).cutouts(
            image, x, y, segmentation=segmentation, labels=labels
        ),
        config.preprocessor,
        data.side,
        progress=_progress("made stamps of", len(table), say),
    )
    return made.data, with_flags(table, made)


def _mosaic(data):
    """The mosaic with its noise and its mask."""
    image = _plane(data, "image")
    shape = image.data.shape[:2]
    mask, rms = np.zeros(shape, bool), None
    if data.mask is not None:
        bad = _plane(data, "mask", shape)
        mask |= (bad.data != 0) | bad.mask
    noise = "rms" if data.rms is not None else "weight"
    if getattr(data, noise) is not None:
        given = _plane(data, noise, shape)
        # neither a weight of zero nor a noise of zero is a measurement
        missing = given.mask | ~(given.data > 0)
        mask |= missing
        rms = np.where(missing, 1, given.data)
        rms = rms if noise == "rms" else 1 / np.sqrt(rms)
    return as_nddata(image, mask=mask, uncertainty=rms, pixel_scale=data.pixel_scale)


def _plane(data, key, shape=None):
    """Read one of the files of a mosaic, of which an extension may be named."""
    name, hdu = getattr(data, key), None
    found = re.fullmatch(r"(.+)\[(\w+)\]", name)
    if found:
        name, hdu = found.groups()
        hdu = int(hdu) if hdu.isdecimal() else hdu
    try:
        image = as_nddata(data.root / name, hdu=hdu)
    except ImageError as error:
        why = str(error).removeprefix("image: ")
        raise ConfigurationError(f"[data] {key}: {why}") from error
    if shape is not None and image.data.shape[:2] != shape:
        raise ConfigurationError(
            f"[data] {key}: {data.root / name} has the shape {image.data.shape[:2]},"
            f" and the image {shape}"
        )
    return image


def _from_several(config, say):
    stamps, tables = [], []
    for number, source in enumerate(config.data.sources):
        say(f"source {number + 1} of {len(config.data.sources)}: {source.source}")
        made, table = _READERS[source.source](replace(config, data=source), say)
        stamps.append(made)
        tables.append(_of_several(table, number, config))
    bands = {made.shape[3] for made in stamps}
    if len(bands) > 1:
        raise ConfigurationError(
            f"[data]: the sources have stamps of {sorted(bands)} bands"
        )
    table = vstack(tables, metadata_conflicts="silent")
    first = np.cumsum([0, *map(len, tables)])
    failures = [
        {**failure, "row": int(start) + failure["row"]}
        for start, each in zip(first, tables, strict=False)
        for failure in each.meta.get("galmorph", {}).get("failures", [])
    ]
    table.meta = {"galmorph": {"failures": failures}}
    if TEST in table.colnames:
        table[TEST] = np.ma.filled(table[TEST], False)
    return np.concatenate(stamps), table


def _of_several(table, number, config):
    """What the table of one source of several adds to that of all."""
    outputs = get_scheme(config.scheme).outputs
    kept = QTable({"source": np.full(len(table), number + 1)})
    if "id" in table.colnames:
        kept["id"] = np.asarray(table["id"]).astype(str)
    for name in (*outputs, VOTES, TEST, "morph_flags"):
        if name in table.colnames:
            kept[name] = table[name]
    if VOTES in kept.colnames and kept[VOTES].ndim == 1:
        kept[VOTES] = np.repeat(kept[VOTES][:, None], len(outputs), axis=1)
    if "morph_flags" not in kept.colnames:
        kept["morph_flags"] = np.zeros(len(table), np.int32)
    if GROUP in table.colnames:
        # groups of two sources may have one name
        names = np.ma.asarray(table[GROUP]).astype(str)
        names = [f"{number + 1}: {name}" for name in np.ma.filled(names, "")]
        kept[GROUP] = np.ma.masked_array(names, np.ma.getmaskarray(table[GROUP]))
    kept.meta = dict(table.meta)
    return kept


_READERS = {
    "several": _from_several,
    "simulation": _simulated,
    "arrays": _from_arrays,
    "cutouts": _from_cutouts,
    "mosaic": _from_mosaic,
}


def _progress(what, n, say):
    def report(done):
        if done == n or done % 512 == 0:
            say(f"{what} {done} of {n} galaxies")

    return report
