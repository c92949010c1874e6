# Licensed under a 3-clause BSD style license - see licenses/LICENSE.rst
"""
What a worker of a Dask cluster is given once, and where its tasks find it.

Imported by those who use Dask only, as that takes its time.
"""

import asyncio

from galmorph.core import ConfigurationError

try:
    from distributed import WorkerPlugin, get_worker
except ModuleNotFoundError:  # so that this page can be read without
    WorkerPlugin = object

__all__ = ["AnnotatorPlugin", "annotator_here"]


class AnnotatorPlugin(WorkerPlugin):
    """
    Load the model when a worker starts, before it is given work.

    Parameters
    ----------
    annotator : `~galmorph.scale.partitions.PartitionAnnotator`
    """

    def __init__(self, annotator):
        self.name, self.annotator = annotator.key, annotator

    async def setup(self, worker):
        """
        Load the model beside the worker's own loop, which has to answer meanwhile.

        Parameters
        ----------
        worker : `distributed.Worker`
        """
        await asyncio.to_thread(self.annotator.load)


def annotator_here(key):
    """
    The annotator that this worker was given.

    Parameters
    ----------
    key : str

    Returns
    -------
    annotator : `~galmorph.scale.partitions.PartitionAnnotator`

    Raises
    ------
    ConfigurationError
        If it was given none of that key, or if this process is no worker.
    """
    try:
        return get_worker().plugins[key].annotator
    except (KeyError, ValueError):
        raise ConfigurationError(
            "client: this process was not given the model; make the annotator with"
            " the client that works with it"
        ) from None
