# Licensed under a 3-clause BSD style license - see licenses/LICENSE.rst
"""
The pixels of one FITS image, read window by window.
"""

import bz2
import gzip
import lzma
import os
import shutil
import tempfile
import urllib.request
import warnings
from urllib.error import HTTPError
from urllib.parse import urlsplit

import numpy as np
from astropy.io import fits
from astropy.utils.data import download_file
from astropy.utils.exceptions import AstropyWarning

from galmorph.core import ImageError, MissingDependencyError
from galmorph.images.headers import choose_hdu, companions, header_unit, header_wcs

__all__ = ["FitsPlane", "unpack"]

# first bytes of files that are compressed as a whole
_UNPACKERS = {b"\x1f\x8b": gzip.open, b"BZh": bz2.open, b"\xfd7zXZ": lzma.open}
_TYPES = {8: "u1", 16: ">i2", 32: ">i4", 64: ">i8", -32: ">f4", -64: ">f8"}


def unpack(path, folder):
    """
    Unpack a file that is compressed as a whole.

    Parameters
    ----------
    path : path-like
        Any file.
    folder : path-like
        Where the unpacked file is written.

    Returns
    -------
    path : path-like
        The unpacked file; the file itself where it is not compressed.
    """
    with open(path, "rb") as file:
        start = file.read(6)
    opener = next((o for m, o in _UNPACKERS.items() if start.startswith(m)), None)
    if opener is None:
        return path
    with (
        tempfile.NamedTemporaryFile(
            dir=folder, suffix=".fits", delete=False
        ) as unpacked,
        opener(path) as packed,
    ):
        shutil.copyfileobj(packed, unpacked, 1 << 20)
    return unpacked.name


class FitsPlane:
    """
    One image of a FITS file; slices of it are read when they are asked for.

    Parameters
    ----------
    path : path-like or str
        File or address.
    hdu : int or str or None
        Which extension; by default the first image.
    fsspec_kwargs : dict
        Options of the remote file system.

    Attributes
    ----------
    shape : tuple of int
        (ny, nx).
    wcs, unit
        As the header tells them; `None` where it does not.
    in_strips : bool
        Whether whole rows cost no more than parts of them.

    Raises
    ------
    ImageError
        If it cannot be read as a FITS image of two axes.
    """

    def __init__(self, path, hdu, fsspec_kwargs):
        self._path = os.fspath(path)
        self._folder = self._hdus = None
        try:
            self._remote = self._open(fsspec_kwargs)
            self._hdu = choose_hdu(self._hdus, hdu, self._path)
            if not getattr(self._hdu, "is_image", False):
                raise ImageError(
                    f"image: expected an image in {self._path}, found a"
                    f" {type(self._hdu).__name__}; choose another extension with hdu"
                )
            self.shape = tuple(self._hdu.shape)
            if len(self.shape) != 2 or 0 in self.shape:
                raise ImageError(
                    f"image: expected 2 axes, found shape {self.shape} in {self._path}"
                )
            self._mask, self._uncertainty = companions(self._hdus, self._hdu)
        except BaseException as error:
            self.close()
            if isinstance(error, HTTPError):
                error.close()
            if isinstance(error, ImageError) or not isinstance(error, Exception):
                raise
            raise ImageError(
                f"image: {self._path} cannot be read as FITS: {error}"
            ) from error
        self.wcs = header_wcs(self._hdu.header)
        self.unit = header_unit(self._hdu.header)
        # pixels of compressed files come in blocks, by default of whole rows
        blocks = getattr(self._hdu, "tile_shape", (1, 1))
        self.in_strips = bool(self._remote or blocks[1] >= min(1024, self.shape[1]))

    def _open(self, fsspec_kwargs):
        """Open the file, and tell whether it stays where it is, on a server."""
        path = self._path
        if path.startswith("file:"):
            path = urllib.request.url2pathname(urlsplit(path).path)
        elif "://" in path:
            try:
                self._hdus = _open_remote(path, fsspec_kwargs)
                return True
            except Exception:
                # a server, or an installation, that cannot give parts of files
                if not path.startswith(("http", "ftp")):
                    raise
            path = download_file(path, cache=True, pkgname="galmorph")
        self._folder = tempfile.TemporaryDirectory(prefix="galmorph-")
        path = unpack(path, self._folder.name)
        # astropy's map would keep in memory all that was ever read
        self._hdus = fits.open(path, memmap=False, mode="readonly")
        return False

    def __getitem__(self, box):
        """Pixels of a window; of the file's own or native type."""
        return self._window(self._hdu, box)

    def companions(self, box):
        """
        The mask and uncertainty that CCDData wrote into the same file.

        Parameters
        ----------
        box : tuple of slice

        Returns
        -------
        mask : `~numpy.ndarray` of bool or None
        uncertainty : `~astropy.nddata.NDUncertainty` or None
        """
        mask = uncertainty = None
        if self._mask is not None:
            mask = self._window(self._mask, box) != 0
        if self._uncertainty is not None:
            hdu, kind = self._uncertainty
            uncertainty = kind(self._window(hdu, box))
        return mask, uncertainty

    def _window(self, hdu, box):
        rows, columns = box
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore", AstropyWarning)
                if self._is_plain(hdu):
                    return self._mapped(hdu, box)
                if isinstance(hdu, fits.CompImageHDU) or not self._remote:
                    return hdu.section[rows, columns]
                # one request for whole rows, not one for each row
                return hdu.section[rows][:, columns]
        except Exception as error:
            raise ImageError(
                f"image: {self._path} cannot be read in rows {rows.start} to"
                f" {rows.stop}: {type(error).__name__}: {error}"
            ) from error

    def _is_plain(self, hdu):
        scaled = hdu.header.get("BSCALE", 1) != 1 or hdu.header.get("BZERO", 0) != 0
        return not (
            self._remote
            or scaled
            or "BLANK" in hdu.header
            or isinstance(hdu, fits.CompImageHDU)
        )

    def _mapped(self, hdu, box):
        # mapped for a moment: pages that stay mapped count as memory in use
        rows, columns = box
        kind, width = np.dtype(_TYPES[hdu.header["BITPIX"]]), hdu.shape[1]
        pixels = np.memmap(
            self._hdus.filename(),
            dtype=kind,
            mode="r",
            offset=hdu.fileinfo()["datLoc"] + rows.start * width * kind.itemsize,
            shape=(rows.stop - rows.start, width),
        )
        return np.array(pixels[:, columns])

    def close(self):
        """Close the file, and remove its unpacked copy."""
        if self._hdus is not None:
            self._hdus.close()
            self._hdus = None
        if self._folder is not None:
            self._folder.cleanup()
            self._folder = None


def _open_remote(path, fsspec_kwargs):
    try:
        import fsspec  # noqa: F401
    except ImportError as error:
        raise MissingDependencyError(
            f"tiles: reading parts of {path} needs fsspec; install it with: python -m"
            ' pip install "astro-galmorph[remote]", or download the file'
        ) from error
    options = dict(fsspec_kwargs)
    try:
        return fits.open(path, use_fsspec=True, fsspec_kwargs=options)
    except Exception as error:
        # public data need no key, but s3fs wants to be told so
        if type(error).__name__ != "NoCredentialsError" or "anon" in options:
            raise
    return fits.open(path, use_fsspec=True, fsspec_kwargs={**options, "anon": True})
