# Licensed under a 3-clause BSD style license - see licenses/LICENSE.rst
"""
The folder of a run: its results so far, and what it is a run of.
"""

import contextlib
import json
import os
import shutil
import uuid
from pathlib import Path

from galmorph.core import ConfigurationError, MissingDependencyError, import_optional
from galmorph.tables import read_table, write_table

__all__ = ["Memory", "RunFolder", "shard_suffix"]

MANIFEST = "manifest.json"
_LOCK = ".lock"


def shard_suffix():
    """
    Suffix of shards: Parquet where pyarrow is installed, else FITS.

    Returns
    -------
    suffix : str
    """
    try:
        import_optional("pyarrow.parquet", "all")
    except MissingDependencyError:
        return ".fits"
    return ".parquet"


class RunFolder:
    """
    A folder in which a run that was interrupted finds what it had done.

    Parameters
    ----------
    path : path-like
        The folder; it is made where it is not there.
    manifest : dict
        What the run is a run of, as plain data for JSON. A folder with another
        manifest is refused.
    overwrite : bool, optional
        Whether a folder of another run is emptied instead.

    Raises
    ------
    ConfigurationError
        If the folder holds another run or other files, or if the same run is
        under way in another process.

    Examples
    --------
    >>> from galmorph.scale.shards import RunFolder
    >>> with RunFolder("run", {"model": "hc15"}) as run:  # doctest: +SKIP
    ...     run.write("part-0", table)
    """

    def __init__(self, path, manifest, *, overwrite=False):
        self.path = Path(path)
        self._manifest = json.loads(json.dumps(manifest, default=str))
        self._overwrite = overwrite
        self._lock = None

    def __enter__(self):
        try:
            self.path.mkdir(exist_ok=True)
        except FileNotFoundError:
            raise ConfigurationError(
                f"out: there is no folder {str(self.path.parent)!r}"
            ) from None
        self._lock = _locked(self.path)
        try:
            self._check()
        except BaseException:
            self._unlock()
            raise
        return self

    def __exit__(self, *exception):
        self._unlock()

    def _unlock(self):
        if self._lock is not None:
            self._lock.close()
            self._lock = None

    def _check(self):
        found = self.manifest
        others = [entry.name for entry in self.path.iterdir() if entry.name != _LOCK]
        if found is None and any(not n.startswith(".") for n in others):
            raise ConfigurationError(
                f"out: the folder {str(self.path)!r} holds other files; give another"
            )
        if found is not None and found != self._manifest:
            if not self._overwrite:
                names = sorted(set(found) | set(self._manifest))
                differ = [n for n in names if found.get(n) != self._manifest.get(n)]
                raise ConfigurationError(
                    f"out: the folder {str(self.path)!r} holds a run that differs in"
                    f" {', '.join(differ)}; give another name, remove the folder, or"
                    " give overwrite=True"
                )
            self._empty()
        # what was being written when a run was killed
        for entry in self.path.iterdir():
            if entry.name.startswith(".") and entry.name != _LOCK:
                entry.unlink()
        if self.manifest is None:
            _write(self.path / MANIFEST, json.dumps(self._manifest, indent=1))

    def _empty(self):
        for entry in self.path.iterdir():
            if entry.name not in (_LOCK, MANIFEST):
                entry.unlink()
        # the last to go, so that what is left is known to be ours
        (self.path / MANIFEST).unlink()

    @property
    def manifest(self):
        """The manifest in the folder, or `None`."""
        with contextlib.suppress(FileNotFoundError, ValueError):
            return json.loads((self.path / MANIFEST).read_text("utf-8"))
        return None

    def file(self, name):
        """
        Path of a shard.

        Parameters
        ----------
        name : str

        Returns
        -------
        path : `~pathlib.Path`
        """
        return self.path / f"{name}{shard_suffix()}"

    def has(self, name):
        """Whether a shard is complete."""
        return self.file(name).exists()

    def names(self, prefix):
        """Names of the shards that are complete and begin so."""
        suffix = shard_suffix()
        found = sorted(self.path.glob(f"{prefix}*{suffix}"))
        return [path.name.removesuffix(suffix) for path in found]

    def write(self, name, table):
        """
        Write a shard, which appears when it is complete.

        Parameters
        ----------
        name : str
        table : `~astropy.table.QTable`
        """
        write_table(table, self.file(name), overwrite=True)

    def read(self, name):
        """
        Read a shard.

        Parameters
        ----------
        name : str

        Returns
        -------
        table : `~astropy.table.QTable`
        """
        return read_table(self.file(name))

    def remove(self, name):
        """Remove a shard that is not needed any more."""
        self.file(name).unlink(missing_ok=True)

    def dissolve(self):
        """Remove the folder with all shards."""
        self._empty()
        self._unlock()
        shutil.rmtree(self.path)


class Memory:
    """
    What stands for the folder of a run whose results stay in memory.

    Examples
    --------
    >>> from galmorph.scale.shards import Memory
    >>> store = Memory()
    >>> store.write("part-0", "a table")
    >>> store.has("part-0"), store.has("part-1")
    (True, False)
    """

    def __init__(self):
        self._tables = {}

    def has(self, name):
        """Whether a shard is there."""
        return name in self._tables

    def names(self, prefix):
        """Names of the shards that begin so."""
        return [name for name in self._tables if name.startswith(prefix)]

    def write(self, name, table):
        """Keep a shard."""
        self._tables[name] = table

    def read(self, name):
        """Give a shard."""
        return self._tables[name]

    def remove(self, name):
        """Forget a shard."""
        del self._tables[name]


def _write(path, text):
    part = path.with_name(f".{uuid.uuid4().hex}")
    with open(part, "w", encoding="utf-8") as file:
        file.write(text)
        file.flush()
        os.fsync(file.fileno())
    os.replace(part, path)


def _locked(folder):
    """An open file that no other run has; the system frees it when a run dies."""
    file = open(folder / _LOCK, "a")  # noqa: SIM115
    with contextlib.suppress(ImportError):  # not on every system
        import fcntl

        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            file.close()
            raise ConfigurationError(
                f"out: another run is writing to {str(folder)!r}"
            ) from None
    return file
