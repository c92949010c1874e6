# Licensed under a 3-clause BSD style license - see licenses/LICENSE.rst
"""
Catalogues in partitions -> partitions of results, by the workers of a Dask cluster.
"""

import contextlib
import time
from pathlib import Path

from galmorph.core import ConfigurationError, GalmorphError, import_optional
from galmorph.core.exceptions import reason
from galmorph.scale.annotating import MOST_FAILURES
from galmorph.scale.partitions import PartitionAnnotator, partition_files
from galmorph.scale.shards import RunFolder
from galmorph.scale.summary import ProgressLine, Summary

__all__ = ["FrameAnnotator", "annotate_partitions"]

RETRIES = 2
"""How often a partition that fails is tried again, as where a disk was away."""


def annotate_partitions(
    catalog,
    tiles,
    out,
    *,
    classifier,
    client=None,
    position=None,
    overwrite=False,
    overwrite_columns=False,
    progress=False,
):
    """
    Add morphologies to a catalogue in partitions, on many machines.

    Each partition is done by one worker of a Dask cluster, by the function of one
    machine, `~galmorph.scale.annotate`: the results are the same, and each tile
    near the partition is visited once. The model is loaded once by each worker. A
    partition whose worker dies is given to another. Finished partitions are kept,
    so that the same call goes on where it was interrupted.

    Parameters
    ----------
    catalog : path-like, list, `dask.dataframe.DataFrame` or `lsdb.catalog.Catalog`
        The Parquet files, one a partition: their folder, a pattern, a list, or a
        HATS catalogue; or a dataframe. Partitions should be compact on the sky.
    tiles : path-like, str, `~galmorph.scale.Tile`, table or list
        Tiles in files, see `~galmorph.scale.find_tiles`.
    out : path-like
        Folder of the results, ``part-000000.parquet`` and so on, in the order of
        the partitions. The rows of each are in the order of its catalogue.
    classifier : `~galmorph.classifier.MorphologyClassifier`
    client : `distributed.Client` or str, optional
        The cluster, or the address of its scheduler such as
        ``'tcp://127.0.0.1:8786'``; by default the client that was made last.
    position : str, pair or dict, optional
        Names of columns, as for `~galmorph.tables.pixel_positions`.
    overwrite : bool, optional
        Whether to replace another run that is in the folder.
    overwrite_columns : bool, optional
        Whether to replace columns of the catalogue that have the same names.
    progress : bool or callable, optional
        Whether to show progress on standard error; or a function of the number of
        partitions done and of all.

    Returns
    -------
    summary : `~galmorph.scale.Summary`
        Of all partitions. Those that could not be done are in ``bad_partitions``;
        the same call tries them again.

    Raises
    ------
    ImageError
        If no tile can be read.
    CatalogError
        If there are no partitions. If none can be done, as where there are no
        positions, the error of one of them is raised.
    ConfigurationError
        If no scheduler answers, if tiles are in memory, or if there is another run
        in the folder.
    MissingDependencyError
        If Dask is not installed.

    Notes
    -----
    All machines must see the files of the tiles, the catalogue, the model and the
    results under the same paths. Workers should have one thread each.

    Examples
    --------
    >>> from distributed import Client  # doctest: +SKIP
    >>> from galmorph import MorphologyClassifier
    >>> from galmorph.scale import annotate_partitions
    >>> summary = annotate_partitions(
    ...     "catalog/",
    ...     "tiles.ecsv",
    ...     "morphologies/",
    ...     classifier=MorphologyClassifier(),
    ...     client=Client("tcp://127.0.0.1:8786"),
    ... )  # doctest: +SKIP
    """
    start = time.monotonic()
    plugin = _plugin_module()
    if hasattr(catalog, "to_dask_dataframe"):  # LSDB
        catalog = catalog.to_dask_dataframe()
    if hasattr(catalog, "to_delayed"):
        from dask.base import tokenize

        sources, known_as = catalog.to_delayed(), tokenize(catalog)
    else:
        sources = known_as = partition_files(catalog)
    annotator = PartitionAnnotator(tiles, classifier, position, overwrite_columns)
    folder = RunFolder(
        Path(out).absolute(), annotator.describe(known_as), overwrite=overwrite
    )
    summary = Summary(path=Path(out))
    with (
        _connected(client) as client,
        folder as store,
        ProgressLine(progress, len(sources), of="partitions") as line,
    ):
        client.register_plugin(plugin.AnnotatorPlugin(annotator))
        try:
            tasks = _submitted(client, annotator.key, sources, store)
            _collect(client, tasks, summary, line)
        finally:
            # fails where a worker has just died, after the others have obeyed
            with contextlib.suppress(OSError):
                client.unregister_worker_plugin(annotator.key)
        summary.n_workers = len(client.nthreads())
    summary.seconds = time.monotonic() - start
    return summary


class FrameAnnotator:
    """
    A function of one partition, for ``map_partitions`` of Dask and LSDB.

    Workers load the model once. Where there is no cluster, it works in this process.

    Parameters
    ----------
    tiles, classifier, client, position, overwrite_columns
        As for `annotate_partitions`. Workers that are to be used belong to
        ``client``.

    Examples
    --------
    >>> import lsdb  # doctest: +SKIP
    >>> from galmorph import MorphologyClassifier
    >>> from galmorph.scale import FrameAnnotator
    >>> annotate = FrameAnnotator(
    ...     "tiles.ecsv", classifier=MorphologyClassifier()
    ... )  # doctest: +SKIP
    >>> catalog = lsdb.open_catalog("catalog")  # doctest: +SKIP
    >>> catalog.map_partitions(annotate).write_catalog("annotated")  # doctest: +SKIP
    """

    def __init__(
        self, tiles, *, classifier, client=None, position=None, overwrite_columns=False
    ):
        plugin = _plugin_module()
        self._annotator = PartitionAnnotator(
            tiles, classifier, position, overwrite_columns
        )
        self._key = self._annotator.key
        with contextlib.suppress(_NoClient), _connected(client) as client:
            client.register_plugin(plugin.AnnotatorPlugin(self._annotator))

    def __getstate__(self):
        # workers have it
        return {"_annotator": None, "_key": self._key}

    def __dask_tokenize__(self):
        return self._key

    def __call__(self, frame):
        """
        Add morphologies to a partition.

        Parameters
        ----------
        frame : `pandas.DataFrame`

        Returns
        -------
        frame : `pandas.DataFrame`
            Its columns and index, and the columns of results, held by pyarrow.
        """
        annotator = self._annotator or _plugin_module().annotator_here(self._key)
        return annotator.frame(frame)


class _NoClient(ConfigurationError):
    """There is no cluster to work with."""


def _plugin_module():
    for name in ("dask", "distributed", "pandas", "pyarrow"):
        import_optional(name, "dask")
    from galmorph.scale import plugin

    return plugin


@contextlib.contextmanager
def _connected(client):
    import distributed

    if client is None:
        try:
            client = distributed.default_client()
        except ValueError:
            raise _NoClient(
                "client: there is none; give a distributed.Client, or the address of"
                " a scheduler"
            ) from None
    if not isinstance(client, str):
        yield client
        return
    try:
        connection = distributed.Client(client, set_as_default=False)
    except (OSError, ValueError) as error:
        raise ConfigurationError(
            f"client: no scheduler answers at {client!r} ({reason(error)})"
        ) from error
    with connection:
        yield connection


def _write(key, source, path):
    """What a worker does."""
    from galmorph.scale.plugin import annotator_here

    return annotator_here(key).write(source, path)


def _submitted(client, key, sources, store):
    """Names of the partitions by their tasks."""
    import dask

    tasks = {}
    for number, source in enumerate(sources):
        name = f"part-{number:06d}"
        path = str(store.file(name))
        if store.has(name):
            source = None  # it is only counted, and its partition not read
        task = dask.delayed(_write, pure=False)(key, source, path)
        tasks[client.compute(task, retries=RETRIES)] = name
    return tasks


def _collect(client, tasks, summary, line):
    """Add up what partitions tell as they are done."""
    import distributed

    n_tasks, last = len(tasks), None
    for task in distributed.as_completed(list(tasks), loop=client.loop):
        name = tasks.pop(task)
        try:
            done = task.result()
        except Exception as error:
            summary.bad_partitions[name], last = reason(error), error
        else:
            summary.add(done, name)
            summary.failures = summary.failures[:MOST_FAILURES]
        line.advance(1)
    if last is not None and len(summary.bad_partitions) == n_tasks:
        if isinstance(last, GalmorphError):
            raise last
        raise GalmorphError(f"out: no partition could be done: {reason(last)}")
