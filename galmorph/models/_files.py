# Licensed under a 3-clause BSD style license - see licenses/LICENSE.rst
"""
Files of a bundle, in a folder or in a ``.zip`` file: read with care, written
all or nothing.
"""

import contextlib
import hashlib
import os
import shutil
import tempfile
import zipfile
from pathlib import Path

from galmorph.core import BundleError

__all__ = ["copy_files", "digest_of", "list_files", "read_file", "write_files"]

# what a damaged or cut zip file raises
_ZIP_ERRORS = (
    zipfile.BadZipFile,
    EOFError,
    NotImplementedError,
    OSError,
    RuntimeError,
    ValueError,
)
_BLOCK = 1 << 20


def list_files(path):
    """
    Names of the files of a bundle.

    Parameters
    ----------
    path : `~pathlib.Path`
        Folder or ``.zip`` file.

    Returns
    -------
    names : list of str

    Raises
    ------
    BundleError
        If it is neither, or if it holds anything but plain files.
    """
    if path.is_dir():
        names = sorted(entry.name for entry in path.iterdir())
        for name in names:
            if (path / name).is_symlink() or not (path / name).is_file():
                raise BundleError(f"{path}: {name!r} is not a plain file")
        return names
    with _open_zip(path) as archive:
        infos = archive.infolist()
    names = sorted(info.filename for info in infos)
    for info in infos:
        name = info.filename
        kind = info.external_attr >> 28
        if (
            name in (".", "..")
            or any(c in name for c in "/\\:\0")
            or kind not in (0, 8)
        ):
            raise BundleError(f"{path}: {name!r} is not a plain file within the bundle")
    if len(set(names)) != len(names):
        raise BundleError(f"{path}: a file occurs more than once")
    return names


@contextlib.contextmanager
def _open_zip(path):
    if not path.exists():
        raise BundleError(f"{path}: there is no such file or folder")
    try:
        with zipfile.ZipFile(path) as archive:
            yield archive
    except BundleError:
        raise
    except _ZIP_ERRORS as error:
        raise BundleError(
            f"{path}: not a model bundle: cannot be read as a folder or zip file:"
            f" {error}"
        ) from error


@contextlib.contextmanager
def _open_file(path, name):
    if path.is_dir():
        try:
            with open(path / name, "rb") as file:
                yield file
        except OSError as error:
            raise BundleError(f"{path}: {name} cannot be read: {error}") from error
    else:
        with _open_zip(path) as archive, archive.open(name) as file:
            yield file


def read_file(path, name, most=1 << 32):
    """
    Content of one file of a bundle.

    Parameters
    ----------
    path : `~pathlib.Path`
        Folder or ``.zip`` file.
    name : str
        Name of the file.
    most : int, optional
        Number of bytes that it may have.

    Returns
    -------
    content : bytes

    Raises
    ------
    BundleError
        If it cannot be read, or is larger.
    """
    with _open_file(path, name) as file:
        content = file.read(most + 1)
    if len(content) > most:
        raise BundleError(f"{path}: {name} has more than {most} bytes")
    return content


def digest_of(path, name=None):
    """
    SHA-256 of a file.

    Parameters
    ----------
    path : `~pathlib.Path`
        Folder or ``.zip`` file of a bundle.
    name : str, optional
        Name of a file of the bundle; by default that of ``path`` itself.

    Returns
    -------
    digest : str
        In hexadecimal.
    """
    opened = open(path, "rb") if name is None else _open_file(path, name)
    digest = hashlib.sha256()
    with opened as file:
        while block := file.read(_BLOCK):
            digest.update(block)
    return digest.hexdigest()


def write_files(path, files, *, overwrite, marker):
    """
    Write files as a folder, or as a zip file if the path ends in ``.zip``.

    They appear at once, when all is written. Zip files have no compression
    (weights are compressed already), no times and sorted names: the same files
    give the same bytes.

    Parameters
    ----------
    path : `~pathlib.Path`
        Folder or ``.zip`` file to make.
    files : dict of bytes
        Contents by name.
    overwrite : bool
        Whether to replace what is there.
    marker : str
        File that a folder must have, or be empty, to be replaced.

    Raises
    ------
    BundleError
        If something is there that may not be replaced, or if it cannot be
        written.
    """
    with _in_place(path, overwrite, marker) as made:
        if path.suffix == ".zip":
            _write_zip(made, files)
        else:
            made.mkdir()
            for name, content in files.items():
                (made / name).write_bytes(content)


@contextlib.contextmanager
def _in_place(path, overwrite, marker):
    """Give a path to write to; what is written there then moves to ``path``."""
    _check_target(path, overwrite, marker)
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(
            prefix=f".{path.name}-", dir=path.parent
        ) as scratch:
            made = Path(scratch) / "new"
            yield made
            if path.is_dir():
                os.replace(path, Path(scratch) / "old")
            os.replace(made, path)
    except OSError as error:
        raise BundleError(f"{path}: cannot be written: {error}") from error


def _check_target(path, overwrite, marker):
    if not path.exists():
        return
    is_zip = path.suffix == ".zip"
    if path.is_dir() == is_zip:
        raise BundleError(
            f"{path}: there is a {'folder' if is_zip else 'file'} of that name; give"
            " another path"
        )
    if path.is_dir() and not any(path.iterdir()):
        return
    if not overwrite:
        raise BundleError(f"{path}: exists already; give overwrite=True to replace it")
    if path.is_dir() and not (path / marker).is_file():
        raise BundleError(
            f"{path}: is a folder but no model bundle, and is not replaced"
        )


def _write_zip(path, files):
    with zipfile.ZipFile(path, "w") as archive:
        for name in sorted(files):
            info = zipfile.ZipInfo(name, (1980, 1, 1, 0, 0, 0))
            info.create_system = 3
            info.external_attr = 0o100644 << 16
            archive.writestr(info, files[name])


def copy_files(source, path, *, overwrite, marker):
    """
    Write the files of a bundle elsewhere.

    Parameters
    ----------
    source, path : `~pathlib.Path`
        Folder or ``.zip`` file to read and to make.
    overwrite, marker
        As for `write_files`.
    """
    if source.is_file() and path.suffix == ".zip":
        # the same bytes, hence the same SHA-256
        with _in_place(path, overwrite, marker) as made:
            shutil.copyfile(source, made)
        return
    files = {name: read_file(source, name) for name in list_files(source)}
    write_files(path, files, overwrite=overwrite, marker=marker)
