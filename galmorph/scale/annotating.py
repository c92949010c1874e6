# Licensed under a 3-clause BSD style license - see licenses/LICENSE.rst
"""
Catalogues and mosaics of any size -> the catalogue with morphologies.
"""

import contextlib
import tempfile
import time
from pathlib import Path

import numpy as np
from astropy.table import Column, QTable, vstack

from galmorph.core import CatalogError, ConfigurationError, conf
from galmorph.images import DetectionConfig
from galmorph.scale.footprints import Footprints, on_disk
from galmorph.scale.manifest import describe_run, part_of_position
from galmorph.scale.plan import Placed, place_sources, plan_tasks
from galmorph.scale.prediction import Collector, not_placed
from galmorph.scale.resources import choose_workers
from galmorph.scale.searching import search_tiles
from galmorph.scale.shards import Memory, RunFolder
from galmorph.scale.summary import ProgressLine, Summary
from galmorph.scale.tiles import find_tiles
from galmorph.scale.workers import stamps_of_tasks
from galmorph.tables import (
    LongTable,
    annotate_table,
    find_positions,
    without_clashes,
    write_chunks,
)
from galmorph.tables.io import SUFFIXES

__all__ = ["Run", "annotate", "annotated"]

CHUNK_ROWS = 1 << 18
"""Rows of the catalogue that are held, and ordered on the sky, at a time."""

PART_ROWS = 1 << 13
"""Rows of which the results are written at a time; a run that dies loses fewer."""

MOST_FAILURES = 1000


def annotate(
    catalog,
    tiles,
    out,
    *,
    classifier,
    position=None,
    label=None,
    detection=None,
    n_workers=None,
    batch_size=None,
    memory_limit=None,
    overwrite=False,
    overwrite_columns=False,
    progress=False,
):
    """
    Add morphologies to a catalogue of any length, from tiles of any size.

    The table is that of `~galmorph.MorphologyClassifier.annotate`. The
    work is done by processes beside this one in bounded memory, and results are
    written as they come: where a run was killed, the same call goes on and gives
    the same table.

    Parameters
    ----------
    catalog : `~astropy.table.Table`, path-like or None
        The catalogue, or its file; Parquet and FITS are read in parts. `None` for
        the sources that `detect_parts` finds in the tiles.
    tiles : path-like, str, image, `~galmorph.scale.Tile`, table or list
        The mosaic or its tiles, see `~galmorph.scale.find_tiles`.
    out : path-like
        The table to write, in the format of its suffix; or, without a suffix, a
        folder of shards. Until a table is complete, results are in the folder
        ``out + '.parts'``.
    classifier : `~galmorph.classifier.MorphologyClassifier`
    position : str, pair, dict or `~astropy.coordinates.SkyCoord`, optional
        As for `~galmorph.tables.pixel_positions`. With several tiles, positions in
        pixels need a column ``tile`` with the tiles' names.
    label : str, optional
        Column with the labels of the sources in the tiles' segmentation maps; by
        default a source is the segment at its position.
    detection : `~galmorph.images.DetectionConfig`, optional
        Settings of the detection, where there is no catalogue.
    n_workers : int, optional
        Number of processes that make stamps, 0 for none but this one; by default
        one for each processor, none for few galaxies or images in memory.
    batch_size : int, optional
        Number of stamps that the network is given at a time; by default
        ``conf.batch_size``. Results do not depend on it.
    memory_limit : int, str or `~astropy.units.Quantity`, optional
        Most memory of all processes together, such as ``'4 GiB'``.
    overwrite : bool, optional
        Whether to replace a table, or another run, that is there.
    overwrite_columns : bool, optional
        Whether to replace columns of the catalogue that have the same names.
    progress : bool or callable, optional
        Whether to show progress on standard error; or a function of the number of
        rows done and of all.

    Returns
    -------
    summary : `~galmorph.scale.Summary`

    Raises
    ------
    ImageError
        If no tile can be read. One of several that cannot is listed in the summary
        and in ``meta['galmorph']['bad_tiles']``.
    CatalogError
        If the catalogue cannot be read, has no positions or has columns of these
        names already, or if ``out`` is there already.
    ConfigurationError
        If a setting is out of its range, or if there is another run in the folder.

    Examples
    --------
    >>> from galmorph import MorphologyClassifier
    >>> from galmorph.scale import annotate
    >>> summary = annotate(
    ...     "catalog.parquet",
    ...     "mosaics/*_sci.fits",
    ...     "morphologies.parquet",
    ...     classifier=MorphologyClassifier(),
    ... )  # doctest: +SKIP
    >>> print(summary)  # doctest: +SKIP
    """
    start = time.monotonic()
    out = Path(out)
    in_shards = not out.name.lower().endswith(tuple(SUFFIXES))
    tiles = find_tiles(tiles)
    if catalog is None:
        described = (detection or DetectionConfig()).to_dict()
    else:
        catalog = LongTable(catalog)
        described = catalog.path or catalog.table
    folder = RunFolder(
        out if in_shards else out.with_name(f"{out.name}.parts"),
        describe_run(
            described,
            tiles,
            classifier,
            position=position,
            label=label,
            overwrite_columns=overwrite_columns,
            in_shards=in_shards,
            rows=[CHUNK_ROWS, PART_ROWS],
        ),
        overwrite=overwrite,
    )
    # a run that was killed may have been about to remove its folder
    if not in_shards and out.exists() and not overwrite and folder.manifest is None:
        raise CatalogError(
            f"out: {str(out)!r} is there already; give another name or overwrite=True"
        )
    found = None
    if catalog is None:
        Footprints(tiles, classifier.bands)  # before there is a folder
        with folder as store:
            found = search_tiles(
                tiles,
                detection,
                store.path,
                n_workers=n_workers,
                memory_limit=memory_limit,
                progress=progress,
            )
        catalog, tiles = LongTable(found.catalog), found.tiles
        position, label = found.columns
    with _begun(
        catalog,
        tiles,
        classifier,
        memory_limit,
        progress,
        position=position,
        label=label,
        n_workers=n_workers,
        batch_size=batch_size,
        overwrite_columns=overwrite_columns,
    ) as run:
        summary = run.summary
        if found is not None:
            found.tell(summary)
        with folder as store:
            for number, chunk in enumerate(catalog.chunks(CHUNK_ROWS)):
                run.shard(number, chunk, store, joined=in_shards)
            if not in_shards:
                began = time.process_time()
                write_chunks(run.joined(store), out, overwrite=True)
                summary.spend("writing", time.process_time() - began)
                store.dissolve()
    summary.path, summary.seconds = out, time.monotonic() - start
    return summary


def annotated(
    catalog,
    tiles,
    *,
    classifier,
    position=None,
    label=None,
    detection=None,
    n_workers=None,
    batch_size=None,
    memory_limit=None,
    overwrite_columns=False,
    progress=False,
):
    """
    The same with the table in memory, for a catalogue that has room there.

    Parameters
    ----------
    catalog, tiles, classifier, position, label, detection, n_workers, batch_size
        As for `annotate`.
    memory_limit, overwrite_columns, progress
        As for `annotate`.

    Returns
    -------
    table : `~astropy.table.QTable`
    """
    tiles = find_tiles(tiles)
    with contextlib.ExitStack() as stack:
        found = None
        if catalog is None:
            Footprints(tiles, classifier.bands)
            folder = tempfile.TemporaryDirectory(prefix="galmorph-")
            found = search_tiles(
                tiles,
                detection,
                stack.enter_context(folder),
                n_workers=n_workers,
                memory_limit=memory_limit,
                progress=progress,
            )
            catalog, tiles = found.catalog, found.tiles
            position, label = found.columns
        catalog = LongTable(catalog)
        run = stack.enter_context(
            _begun(
                catalog,
                tiles,
                classifier,
                memory_limit,
                progress,
                position=position,
                label=label,
                n_workers=n_workers,
                batch_size=batch_size,
                overwrite_columns=overwrite_columns,
            )
        )
        if found is not None:
            found.tell(run.summary)
        store = Memory()
        for number, chunk in enumerate(catalog.chunks(CHUNK_ROWS)):
            run.shard(number, chunk, store, joined=False)
        tables = list(run.joined(store))
    meta = tables[0].meta
    table = vstack(tables, "exact", metadata_conflicts="silent")
    table.meta = meta
    return table


@contextlib.contextmanager
def _begun(
    catalog, tiles, classifier, memory_limit, progress, *, n_workers, batch_size, **rest
):
    """A run, with the files and the line of progress that it needs."""
    batch_size = conf.batch_size if batch_size is None else batch_size
    if not batch_size >= 1:
        raise ConfigurationError(
            f"batch_size: found {batch_size!r}; it must be 1 or more"
        )
    in_memory = any(tile.in_memory for tile in tiles)
    n_workers = choose_workers(n_workers, memory_limit, len(catalog), in_memory)
    with (
        tempfile.TemporaryDirectory(prefix="galmorph-") as temporary,
        ProgressLine(progress, len(catalog)) as line,
    ):
        stored = on_disk(tiles, temporary, n_workers > 0)
        # an image in memory has its WCS there
        pairs = zip(tiles, stored, strict=True)
        opened = [tile if tile.in_memory else copy for tile, copy in pairs]
        yield Run(
            catalog,
            stored,
            Footprints(opened, classifier.bands),
            classifier,
            n_workers=n_workers,
            batch_size=batch_size,
            line=line,
            **rest,
        )


class Run:
    """
    What the chunks of a catalogue have in common.

    Parameters
    ----------
    catalog : `~galmorph.tables.LongTable`
    tiles : list of `~galmorph.scale.Tile`
    footprints : `~galmorph.scale.footprints.Footprints`
    classifier : `~galmorph.classifier.MorphologyClassifier`
    position, label, n_workers, batch_size, overwrite_columns
        As for `annotate`.
    line : `~galmorph.scale.summary.ProgressLine`
    """

    def __init__(
        self,
        catalog,
        tiles,
        footprints,
        classifier,
        *,
        position,
        label=None,
        n_workers,
        batch_size,
        overwrite_columns,
        line,
    ):
        self.summary = Summary(n_workers=n_workers)
        self._catalog, self._tiles, self._classifier = catalog, tiles, classifier
        self._position, self._label, self._n_workers = position, label, n_workers
        self._overwrite, self._line = overwrite_columns, line
        self._footprints = footprints
        self.summary.bad_tiles = footprints.reasons
        self._collector = Collector(
            classifier, batch_size, self.summary.stages, line.advance
        )

    def shard(self, number, chunk, store, joined):
        """
        See that the results of a chunk of the catalogue are there, and count.

        Parameters
        ----------
        number : int
        chunk : `~astropy.table.Table`
        store : `~galmorph.scale.shards.RunFolder` or `~galmorph.scale.shards.Memory`
        joined : bool
            Whether the columns of the catalogue are stored, too.
        """
        name = f"shard-{number:06d}"
        if store.has(name):
            result = store.read(name)
            self._line.advance(len(result), resumed=True)
            self.summary.resumed += len(result)
        else:
            result = self._classify(number, chunk, store)
            if joined:
                result = self._annotated(chunk, result)
            began = time.process_time()
            store.write(name, result)
            self.summary.spend("writing", time.process_time() - began)
        for part in store.names(f"part-{number:06d}-"):
            store.remove(part)
        self.summary.count(result["morph_flags"], result["morph_class"])
        failures = result.meta["galmorph"]["failures"]
        self.summary.failures = (self.summary.failures + failures)[:MOST_FAILURES]

    def _classify(self, number, chunk, store):
        """Results of a chunk, in its order."""
        first = number * CHUNK_ROWS
        position = part_of_position(self._position, first, len(chunk))
        positions = find_positions(chunk, self._footprints.on_sky, position)
        if number == 0:
            self._check_columns(chunk)
        placed = place_sources(positions, chunk, self._footprints, self._label)
        window = self._classifier.preprocessor.window
        parts = _in_parts(plan_tasks(placed, self._footprints, window))
        names = [f"part-{number:06d}-{i:04d}" for i in range(len(parts))]
        todo = [not store.has(name) for name in names]
        stamped = stamps_of_tasks(
            (
                task
                for part, new in zip(parts, todo, strict=True)
                if new
                for task in part
            ),
            self._tiles,
            self._classifier.preprocessor,
            self._classifier.bands,
            self._n_workers,
        )
        tables = []
        try:
            for part, name, new in zip(parts, names, todo, strict=True):
                n = sum(len(task.rows) for task in part)
                if new:
                    table = self._collector.part(stamped, n)
                    began = time.process_time()
                    store.write(name, table)
                    self.summary.spend("writing", time.process_time() - began)
                else:
                    table = store.read(name)
                    self._line.advance(n, resumed=True)
                    self.summary.resumed += n
                tables.append(table)
        finally:
            stamped.close()
        rest = not_placed(placed)
        if len(rest.rows) or not tables:
            tables.append(self._collector.part(iter([rest]), len(rest.rows)))
        return self._in_order(tables, placed, first)

    def _check_columns(self, chunk):
        """Refuse columns that are there already before the work begins."""
        nothing = not_placed(Placed(*np.zeros((4, 0))))
        empty = self._collector.part(iter([nothing]), 0)
        self._annotated(chunk[:0], empty[empty.colnames[1:]])

    def _in_order(self, tables, placed, first):
        failures = [failure for table in tables for failure in table.meta["failures"]]
        for table in tables:
            table.meta = {}
        result = vstack(tables, "exact")
        order = np.argsort(result["row"])
        result = result[order]
        result.remove_column("row")
        if len(self._tiles) > 1:
            names = np.array([*(tile.name for tile in self._tiles), ""])
            result["tile"] = Column(names[placed.tile], description="Name of the tile")
        meta = dict(self._classifier.provenance)
        meta["failures"] = [
            {"row": int(row) + first, "reason": why} for row, why in sorted(failures)
        ][:MOST_FAILURES]
        if self.summary.bad_tiles:
            meta["bad_tiles"] = self.summary.bad_tiles
        result.meta["galmorph"] = meta
        return QTable(result)

    def _annotated(self, chunk, result):
        result = without_clashes(result, chunk, self._overwrite)
        return annotate_table(chunk, result, overwrite=self._overwrite)

    def joined(self, store):
        """
        The catalogue with the results, a chunk at a time.

        Parameters
        ----------
        store : `~galmorph.scale.shards.RunFolder` or `~galmorph.scale.shards.Memory`

        Yields
        ------
        table : `~astropy.table.QTable`
        """
        for number, chunk in enumerate(self._catalog.chunks(CHUNK_ROWS)):
            result = store.read(f"shard-{number:06d}")
            # the first has the meta of the whole table
            result.meta["galmorph"]["failures"] = self.summary.failures
            yield self._annotated(chunk, result)


def _in_parts(tasks):
    """Lists of tasks that have about so many rows together."""
    parts, n = [], PART_ROWS
    for task in tasks:
        if n >= PART_ROWS:
            parts.append([])
            n = 0
        parts[-1].append(task)
        n += len(task.rows)
    return parts
