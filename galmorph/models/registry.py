# Licensed under a 3-clause BSD style license - see licenses/LICENSE.rst
"""
Registered models: what there is, and how to get a file that is right.

Files are kept in astropy's download cache, under the package name 'galmorph'.
"""

import http.client
import os
import urllib.error
import warnings
from dataclasses import dataclass
from pathlib import Path

from galmorph.core import (
    BundleError,
    DownloadError,
    GalmorphWarning,
    UnknownModelError,
    conf,
)
from galmorph.models._entries import ModelEntry, read_entries
from galmorph.models._files import digest_of

__all__ = [
    "REGISTRY",
    "ModelEntry",
    "ModelReport",
    "fetch_model",
    "get_entry",
    "list_models",
    "verify_model",
]

REGISTRY = Path(__file__).parents[1] / "data" / "registry.json"
"""The registry that comes with the package."""

PACKAGE = "galmorph"
GONE = "it is gone"

# what a source that is away, slow or cut off raises
_SOURCE_ERRORS = (OSError, http.client.HTTPException, ValueError)


@dataclass(frozen=True)
class ModelReport:
    """
    A model's file that was found to be right.

    Parameters
    ----------
    name : str
        Name of the model.
    path : `~pathlib.Path`
        The file.
    size : int
        Its size, in bytes.
    sha256 : str
        Its SHA-256, which is the registered one.
    """

    name: str
    path: Path
    size: int
    sha256: str

    def __str__(self):
        return (
            f"{self.name}: OK\n  file     {self.path}\n  size     {self.size:,} bytes"
            f"\n  SHA-256  {self.sha256}"
        )


def _entries(registry):
    return read_entries(REGISTRY if registry is None else registry)


def get_entry(name=None, *, registry=None):
    """
    Find a registered model.

    Parameters
    ----------
    name : str, optional
        Its name; by default ``conf.default_model``, or where that is empty the
        registry's default.
    registry : path-like, optional
        Another registry than the package's.

    Returns
    -------
    entry : `ModelEntry`

    Raises
    ------
    UnknownModelError
        If no model of that name is registered, or if there is no default.
    BundleError
        If the registry itself is not valid.
    """
    entries = _entries(registry)
    known = ", ".join(sorted(entries)) or "none"
    whose = "model"
    if name is None and conf.default_model:
        name, whose = conf.default_model, "conf.default_model"
    if name is None:
        for entry in entries.values():
            if entry.default:
                return entry
        raise UnknownModelError(
            "model: there is no default model; give the name of a registered model"
            f" (registered: {known}), or read a bundle of your own with"
            " MorphologyClassifier.from_file"
        )
    try:
        return entries[name]
    except (KeyError, TypeError):
        raise UnknownModelError(
            f"{whose}: no model {name!r} is registered; registered: {known}. A"
            " bundle's file or folder is read with MorphologyClassifier.from_file"
        ) from None


def list_models(*, registry=None):
    """
    The registered models.

    Parameters
    ----------
    registry : path-like, optional
        Another registry than the package's.

    Returns
    -------
    models : `~astropy.table.QTable`
        A row per model: ``name``, ``size`` (bytes), ``licence``, ``bundled``
        (whether its file comes with the package), ``default`` and
        ``description``.

    Examples
    --------
    >>> from galmorph.models import list_models
    >>> list_models().colnames
    ['name', 'size', 'licence', 'bundled', 'default', 'description']
    """
    import astropy.units as u
    import numpy as np
    from astropy.table import QTable

    entries = list(_entries(registry).values())
    table = QTable()
    table["name"] = np.array([entry.name for entry in entries], dtype=str)
    table["size"] = np.array([entry.size for entry in entries], dtype=float) * u.byte
    table["licence"] = np.array([entry.licence for entry in entries], dtype=str)
    table["bundled"] = np.array([entry.file is not None for entry in entries], bool)
    table["default"] = np.array([entry.default for entry in entries], bool)
    table["description"] = np.array([entry.description for entry in entries], str)
    return table


def _mistake(path, entry):
    """What is wrong with a file, or `None`."""
    try:
        size = os.path.getsize(path)
        if size != entry.size:
            return f"it has {size} bytes instead of {entry.size}"
        digest = digest_of(path)
    except FileNotFoundError:
        return GONE
    if digest != entry.sha256:
        return f"its SHA-256 is {digest} instead of {entry.sha256}"
    return None


def _cached(entry):
    """Path of the entry in astropy's download cache, or `None`."""
    from astropy.utils.data import CacheMissingWarning, download_file

    with warnings.catch_warnings():
        # that there is no cache matters, and is told, when a file is to be kept
        warnings.simplefilter("ignore", CacheMissingWarning)
        try:
            # without sources it looks into the cache only
            return download_file(
                entry.cache_key, cache=True, sources=[], pkgname=PACKAGE
            )
        except KeyError:
            return None


def _evict(entry):
    """Drop a wrong file from the cache; whether the cache can be used then."""
    from astropy.utils.data import clear_download_cache

    # another process may have put the right file there in the meantime
    if _cached_mistake(entry):
        clear_download_cache(entry.cache_key, pkgname=PACKAGE)
    return not _cached_mistake(entry)


def _cached_mistake(entry):
    path = _cached(entry)
    return path is not None and _mistake(path, entry) not in (None, GONE)


def _download(entry, source, cache):
    """The file from one source; kept in the cache if that is possible."""
    from astropy.utils.data import conf as data_conf
    from astropy.utils.data import download_file

    bundled = source.startswith("file:")

    def download(cache):
        return download_file(
            entry.cache_key,
            cache=cache,
            show_progress=not bundled,
            sources=[source],
            pkgname=PACKAGE,
        )

    # a file on this machine is no use of the internet
    allowed = data_conf.allow_internet or bundled
    with data_conf.set_temp("allow_internet", allowed):
        try:
            return download(cache)
        except (urllib.error.URLError, TimeoutError, ConnectionError):
            raise
        except OSError as error:
            # astropy copes with a cache that may not be written, but not with a
            # file system that is read-only or full
            if not cache:
                raise
            path = download(False)
            warnings.warn(
                f"model {entry.name!r} cannot be kept in the download cache"
                f" ({error}); it is in a temporary file",
                GalmorphWarning,
                stacklevel=4,
            )
            return path


def fetch_model(name=None, *, cache=True, registry=None):
    """
    Get a registered model's file, out of the download cache if it is there.

    The sources - the file that comes with the package, ``conf.model_mirrors``,
    the registered addresses - are tried in order until one delivers a file of
    the registered SHA-256. A wrong file does not stay in the cache.

    Parameters
    ----------
    name : str, optional
        Name of the model; by default the default model.
    cache : bool, optional
        Whether to use astropy's download cache.
    registry : path-like, optional
        Another registry than the package's.

    Returns
    -------
    path : `~pathlib.Path`
        The ``.zip`` file of the model bundle, verified.

    Raises
    ------
    UnknownModelError
        If no model of that name is registered.
    DownloadError
        If no source delivers the right file; the message says what each gave.
    """
    entry = get_entry(name, registry=registry)
    if cache:
        path = _cached(entry)
        if path is not None:
            mistake = _mistake(path, entry)
            if mistake is None:
                return Path(path)
            warnings.warn(
                f"model {entry.name!r}: its file in the download cache is wrong:"
                f" {mistake}; it is fetched again",
                GalmorphWarning,
                stacklevel=2,
            )
            cache = _evict(entry)
    answers = []
    for source in entry.sources():
        try:
            path = _download(entry, source, cache)
            mistake = _mistake(path, entry)
            if mistake is GONE:  # another process dropped a wrong file
                path = _download(entry, source, cache)
                mistake = _mistake(path, entry)
        except _SOURCE_ERRORS as error:
            answers.append(f"{source}: {type(error).__name__}: {error}")
            if isinstance(error, urllib.error.HTTPError):
                error.close()  # it holds the connection
            continue
        if mistake is None:
            return Path(path)
        answers.append(f"{source}: delivered a wrong file: {mistake}")
        if cache:
            cache = _evict(entry)
    raise DownloadError(
        f"model {entry.name!r}: no source delivered its file:\n  "
        + "\n  ".join(answers)
        + "\nCheck the network, or name a mirror in conf.model_mirrors."
    )


def verify_model(name=None, *, registry=None):
    """
    Compare a model's file on this machine with what is registered.

    Nothing is fetched: it looks at the file in the download cache, or else at
    the one that comes with the package.

    Parameters
    ----------
    name : str, optional
        Name of the model; by default the default model.
    registry : path-like, optional
        Another registry than the package's.

    Returns
    -------
    report : `ModelReport`

    Raises
    ------
    UnknownModelError
        If no model of that name is registered.
    DownloadError
        If the file is not on this machine.
    BundleError
        If the file is wrong.
    """
    from galmorph.models.bundle import load_bundle

    entry = get_entry(name, registry=registry)
    path, advice = _cached(entry), "fetch it again: galmorph models fetch"
    if path is None and entry.file is not None and entry.file.is_file():
        path, advice = entry.file, "install galmorph again"
    if path is None:
        raise DownloadError(
            f"model {entry.name!r}: its file is not on this machine; fetch it:"
            f" galmorph models fetch {entry.name}"
        )
    mistake = _mistake(path, entry)
    if mistake is not None:
        raise BundleError(f"model {entry.name!r}: {path}: {mistake}; {advice}")
    load_bundle(path)
    return ModelReport(entry.name, Path(path), entry.size, entry.sha256)
