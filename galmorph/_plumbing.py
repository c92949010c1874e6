# Licensed under a 3-clause BSD style license - see licenses/LICENSE.rst
"""
What joins the rooms for `galmorph.classifier`: one image or many, positions,
failures, batches put together again.
"""

import contextlib
import itertools
import math
import os
import sys
import time
from collections.abc import Iterable, Sized

import numpy as np

from galmorph.core import CatalogError, ImageError

__all__ = [
    "annotate_tiles",
    "check_number",
    "in_files",
    "is_one_image",
    "join_stamps",
    "join_tables",
    "length",
    "list_failures",
    "pair_up",
    "predict_usable",
    "progress_line",
    "read_bands",
    "stamps_in_batches",
    "to_pixels",
]

# reasons kept in the meta of a table; beyond that the flags alone tell
MOST_FAILURES = 1000

# pixels that are held at a time (float32: 256 MiB), however large the images
MOST_PIXELS = 1 << 26


def is_one_image(images):
    """Whether this is an image, and not several."""
    from astropy.io.fits import HDUList

    if isinstance(images, (str, bytes, HDUList)):
        return True
    if hasattr(images, "__array__"):
        # an array of names, or of objects, holds several
        kind = getattr(getattr(images, "dtype", None), "kind", "")
        return getattr(images, "ndim", 2) != 1 or kind not in ("U", "O", "T")
    return not isinstance(images, Iterable)


def annotate_tiles(classifier, catalog, tiles, given, **settings):
    """A table of the sources of tiles, of which ``given`` is known."""
    from galmorph.scale import find_tiles
    from galmorph.scale.annotating import annotated

    return annotated(
        catalog, find_tiles(tiles, **given), classifier=classifier, **settings
    )


def in_files(image):
    """Whether windows can be read of an image, or of the tiles that it is given as."""
    from galmorph.scale import Tile

    return isinstance(image, (str, os.PathLike, list, tuple, Tile))


def read_bands(image, pixel_scale, bands, model):
    """An image as NDData, with the number of bands that a model reads."""
    from astropy.nddata import NDData

    from galmorph.images import as_nddata

    # of NDData of three axes the last has the bands
    many = isinstance(image, NDData) and np.ndim(image.data) == 3
    image = as_nddata(image, pixel_scale=pixel_scale, band_axis=-1 if many else None)
    found = image.data.shape[2] if image.data.ndim == 3 else 1
    if found != bands:
        raise ImageError(
            f"image: it has {found} bands, and the model {model!r} reads {bands}"
        )
    return image


def length(things):
    """How many there are, or `None` where that is not known."""
    return len(things) if isinstance(things, Sized) else None


def check_number(what, things, n):
    """Refuse a sequence that has not one element for each galaxy."""
    if len(things) != n:
        raise CatalogError(f"{what}: found {len(things)} for {n} galaxies")


def pair_up(images, what, things):
    """Images with what belongs to each, or with `None`."""
    if things is None:
        yield from ((image, None) for image in images)
        return
    if length(images) is not None and length(things) is not None:
        check_number(what, things, len(images))
    missing = object()
    for image, thing in itertools.zip_longest(images, things, fillvalue=missing):
        if image is missing or thing is missing:
            raise CatalogError(f"{what}: expected one for each image")
        yield image, thing


def to_pixels(positions, wcs):
    """Positions as two arrays of pixels."""
    from astropy.coordinates import SkyCoord
    from astropy.table import Table

    from galmorph.tables import pixel_positions

    if isinstance(positions, SkyCoord):
        positions = positions.reshape(1) if positions.isscalar else positions
        rows = Table({"row": np.arange(len(positions))})
        return pixel_positions(rows, wcs, positions)
    pairs = np.ma.filled(np.ma.asarray(positions, dtype=float), np.nan)
    if pairs.ndim not in (1, 2) or pairs.shape[-1] != 2:
        raise CatalogError(
            "positions: expected a SkyCoord, or x and y as an array of shape (2,) or"
            f" (n, 2); found the shape {pairs.shape}"
        )
    return pairs.reshape(-1, 2).T


def list_failures(failures, ids):
    """Failures of rows as a list for the meta of a table."""
    listed = [{"row": row, "reason": failures[row]} for row in sorted(failures)]
    for failure in listed if ids is not None else ():
        failure["id"] = str(ids[failure["row"]])
    return listed[:MOST_FAILURES]


def join_stamps(parts):
    """Stamps that come in parts, together."""
    from galmorph.images import Stamps

    parts, failures, first = list(parts), {}, 0
    for part in parts:
        failures |= {first + row: why for row, why in part.failures.items()}
        first += len(part)
    return Stamps(
        np.concatenate([part.data for part in parts]),
        np.concatenate([part.flags for part in parts]),
        join_tables([part.measurements for part in parts]),
        failures,
    )


def join_tables(tables):
    """Tables one below the other; a column that one of them lacks is NaN there."""
    from astropy.table import QTable

    if len(tables) == 1:
        return tables[0]
    joined = QTable()
    for name in dict.fromkeys(n for table in tables for n in table.colnames):
        columns = [table.columns.get(name) for table in tables]
        like = next(column for column in columns if column is not None)
        lacking = np.nan if like.info.unit is None else np.nan * like.info.unit
        joined[name] = np.concatenate(
            [
                np.repeat(lacking, len(table)) if column is None else column
                for table, column in zip(tables, columns, strict=True)
            ]
        )
        joined[name].info.description = like.info.description
    return joined


def predict_usable(classifier, stamps):
    """What the model says of stamps, NaN where there is nothing to classify."""
    n, n_outputs = len(stamps), classifier.scheme.n_outputs
    found = [
        np.full(shape, np.nan, np.float32)
        for shape in ((n, n_outputs), (n, n_outputs), n)
    ]
    usable = stamps.usable
    if usable.any():
        predicted = classifier.predictor.predict(stamps.data[usable])
        for values, new in zip(found, predicted, strict=True):
            values[usable] = new
    return found


def stamps_in_batches(cutouts, preprocessor, batch_size):
    """Stamps, of no more images at a time than memory is meant to hold."""
    batch, held, last, empty = [], 0, None, True
    for cutout in cutouts:
        batch.append(cutout)
        image = cutout.data if cutout.parent is None else cutout.parent
        held += 0 if image is last else math.prod(image.shape)
        last = image
        if len(batch) >= batch_size or held >= MOST_PIXELS:
            yield preprocessor(batch)
            batch, held, empty = [], 0, False
    if batch or empty:
        yield preprocessor(batch)


@contextlib.contextmanager
def progress_line(wanted, total):
    """A function that is told how many more galaxies are done."""
    done, start = 0, time.monotonic()

    def advance(more):
        nonlocal done
        done += more
        rate = done / max(time.monotonic() - start, 1e-3)
        line = f"classified {done:,}" + (f" of {total:,}" if total else "")
        print(f"\r{line}, {rate:,.0f}/s ", end="", file=sys.stderr, flush=True)

    yield advance if wanted else lambda more: None
    if wanted:
        print(file=sys.stderr)
