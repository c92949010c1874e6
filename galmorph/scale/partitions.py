# Licensed under a 3-clause BSD style license - see licenses/LICENSE.rst
"""
One partition of a catalogue -> its morphologies, in the process that is asked.
"""

import os
import re
import threading
import time
import uuid
from dataclasses import replace
from pathlib import Path

import numpy as np

from galmorph.core import CatalogError, ConfigurationError, conf, import_optional
from galmorph.scale.annotating import CHUNK_ROWS, MOST_FAILURES, Run
from galmorph.scale.footprints import Footprints
from galmorph.scale.manifest import describe_run
from galmorph.scale.shards import Memory
from galmorph.scale.summary import ProgressLine, Summary
from galmorph.scale.tiles import find_tiles
from galmorph.tables import LongTable, write_chunks
from galmorph.tables._formats import from_parquet, split, to_parquet

__all__ = ["PartitionAnnotator", "partition_files"]


class PartitionAnnotator:
    """
    Annotate partitions by the function of one machine.

    It is sent to each worker once and keeps there what partitions have in common:
    the network, and the footprints of tiles that have been near.

    Parameters
    ----------
    tiles, classifier, position, overwrite_columns
        As for `~galmorph.scale.annotate_partitions`.

    Attributes
    ----------
    key : str
        Tells it from others that a worker may have.

    Raises
    ------
    ConfigurationError
        If tiles are in memory, or if positions are not given by names of columns.
    ImageError
        If no tile can be read.
    """

    def __init__(self, tiles, classifier, position=None, overwrite_columns=False):
        self._tiles = [_for_all_machines(tile) for tile in find_tiles(tiles)]
        names = position.values() if isinstance(position, dict) else position
        names = [names] if isinstance(names, str) else names
        if names is not None and not all(isinstance(name, str) for name in names):
            raise ConfigurationError(
                "position: give names of columns, since each partition has its own"
                " positions"
            )
        self._classifier, self._position = classifier, position
        self._overwrite = overwrite_columns
        self._footprints = Footprints(self._tiles, classifier.bands)
        self.key = f"galmorph-{uuid.uuid4().hex}"
        self._lock = threading.Lock()

    def __getstate__(self):
        return {**self.__dict__, "_lock": None}

    def __setstate__(self, state):
        self.__dict__.update(state, _lock=threading.Lock())

    def describe(self, catalog):
        """
        Describe a run by all that its results depend on.

        Parameters
        ----------
        catalog : list of `~pathlib.Path` or str

        Returns
        -------
        manifest : dict
        """
        return describe_run(
            catalog,
            self._tiles,
            self._classifier,
            position=self._position,
            overwrite_columns=self._overwrite,
            partitions=True,
        )

    def load(self):
        """Make the network ready."""
        with self._lock:
            return self._classifier.predictor

    def write(self, catalog, path):
        """
        Annotate a partition and write it, unless it is there already.

        Parameters
        ----------
        catalog : path-like or `pandas.DataFrame`
            The partition.
        path : path-like
            The file to write, which appears when it is complete.

        Returns
        -------
        summary : `~galmorph.scale.Summary`
        """
        if os.path.exists(path):
            return _count(path)
        catalog = LongTable(catalog if _is_path(catalog) else _table_of(catalog))
        run, store = self._run(catalog)
        began = time.process_time()
        write_chunks(run.joined(store), path, overwrite=True)
        run.summary.spend("writing", time.process_time() - began)
        return run.summary

    def frame(self, frame):
        """
        Add morphologies to a partition in memory.

        Parameters
        ----------
        frame : `pandas.DataFrame`

        Returns
        -------
        frame : `pandas.DataFrame`
            A new one, with the columns of results after its own.
        """
        pa = import_optional("pyarrow", "dask")
        pd = import_optional("pandas", "dask")
        catalog = LongTable(_table_of(frame))
        run, store = self._run(catalog)
        parts = []
        for table in run.joined(store):
            names = store.read("shard-000000").colnames
            wanted = [n for n in table.colnames if n in names]
            if not self._overwrite:
                wanted = [n for n in wanted if n not in catalog.table.colnames]
            parts.append(to_parquet(pa, *split(table[wanted])))
        arrow = pa.concat_tables(parts)
        # these types do not depend on the values, so that partitions agree
        columns = {
            name: pd.array(arrow[name], dtype=pd.ArrowDtype(arrow[name].type))
            for name in arrow.column_names
        }
        return frame.assign(**columns)

    def _run(self, catalog):
        # what a worker's second thread would only slow down
        with self._lock, ProgressLine(False, 0) as line:
            run = Run(
                catalog,
                self._tiles,
                self._footprints,
                self._classifier,
                position=self._position,
                n_workers=0,
                batch_size=conf.batch_size,
                overwrite_columns=self._overwrite,
                line=line,
            )
            store = Memory()
            for number, chunk in enumerate(catalog.chunks(CHUNK_ROWS)):
                run.shard(number, chunk, store, joined=False)
            return run, store


def _for_all_machines(tile):
    """A tile whose paths do not depend on the folder that a process works in."""
    if tile.in_memory or isinstance(tile.segmentation, np.ndarray):
        raise ConfigurationError(
            f"tiles: {tile.name} is in memory; write it to a FITS file that all"
            " workers can read"
        )
    files = ("sci", "rms", "weight", "mask", "segmentation")
    paths = {name: getattr(tile, name) for name in files}
    return replace(
        tile,
        **{
            name: path if "://" in os.fspath(path) else os.path.abspath(path)
            for name, path in paths.items()
            if path is not None
        },
    )


def _is_path(catalog):
    return isinstance(catalog, (str, os.PathLike))


def _table_of(frame):
    pa = import_optional("pyarrow", "dask")
    named = any(name is not None for name in frame.index.names)
    frame = frame.reset_index(drop=not named)
    return from_parquet(pa, pa.Table.from_pandas(frame, preserve_index=False))


def _count(path):
    """What a finished partition holds."""
    summary = Summary()
    for chunk in LongTable(path).chunks(CHUNK_ROWS):
        summary.count(chunk["morph_flags"], chunk["morph_class"])
        summary.failures = chunk.meta["galmorph"]["failures"][:MOST_FAILURES]
    summary.resumed = summary.rows
    return summary


def partition_files(catalog):
    """
    List the files of a partitioned catalogue.

    Parameters
    ----------
    catalog : path-like or list of path-like
        A folder, of which all files ``.parquet`` are taken; a HATS catalogue or
        collection; a pattern; one file; or a list of files.

    Returns
    -------
    files : list of `~pathlib.Path`
        Absolute; where they are not given as a list in the order of their names,
        with numbers in these as numbers.

    Raises
    ------
    CatalogError
        If there is none.
    """
    if isinstance(catalog, (list, tuple)):
        files = [Path(path) for path in catalog]
    else:
        files = sorted(_files_of(Path(catalog)), key=_natural)
    if not files:
        raise CatalogError(f"catalog: no Parquet file found in {str(catalog)!r}")
    for path in files:
        if not path.is_file():
            raise CatalogError(f"catalog: there is no file {str(path)!r}")
    return [path.absolute() for path in files]


def _files_of(path):
    if path.is_file():
        return [path]
    if not path.exists():
        # a pattern; the part before it is a folder that is there
        return Path(path.anchor).glob(str(path.relative_to(path.anchor)))
    collection = path / "collection.properties"
    if collection.is_file():
        lines = dict(
            line.split("=", 1)
            for line in collection.read_text("utf-8").splitlines()
            if "=" in line
        )
        path = path / lines.get("hats_primary_table_url", "")
    if (path / "hats.properties").is_file() or (path / "properties").is_file():
        # beside its partitions a HATS catalogue has other Parquet files
        return (path / "dataset").glob("Norder=*/**/*.parquet")
    return [
        file
        for file in path.rglob("*.parquet")
        if not any(p.startswith((".", "_")) for p in file.relative_to(path).parts)
    ]


def _natural(path):
    parts = re.split(r"(\d+)", str(path))
    return [int(part) if part.isdecimal() else part for part in parts]
