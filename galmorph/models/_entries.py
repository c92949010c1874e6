# Licensed under a 3-clause BSD style license - see licenses/LICENSE.rst
"""
The entries of a registry of models.
"""

import json
import re
from dataclasses import dataclass
from pathlib import Path

from galmorph.core import BundleError, conf

__all__ = ["ModelEntry", "read_entries"]

FORMAT = 1


@dataclass(frozen=True)
class ModelEntry:
    """
    One registered model.

    Parameters
    ----------
    name : str
        Its name.
    sha256 : str
        SHA-256 of its file, in hexadecimal.
    size : int
        Size of its file, in bytes.
    licence : str
        Licence of the model.
    description : str
        What it is, in one line.
    urls : tuple of str
        Where its file is to be had.
    file : `~pathlib.Path`, optional
        The file itself, if it comes with the package.
    default : bool
        Whether it is the registry's default.
    """

    name: str
    sha256: str
    size: int
    licence: str
    description: str
    urls: tuple
    file: Path | None
    default: bool

    @property
    def cache_key(self):
        """
        The URL under which the file is in astropy's download cache.

        It names the content too, so that the file of another version of
        galmorph, which may have the same address, is not taken for this one.
        """
        url = self.urls[0] if self.urls else self.file.as_uri()
        return f"{url}#sha256={self.sha256}"

    def sources(self):
        """
        Where to look for the file, in this order.

        Returns
        -------
        sources : list of str
            The file that comes with the package, ``conf.model_mirrors``, and
            the registered addresses.
        """
        bundled = [self.file.as_uri()] if self.file is not None else []
        mirrors = [f"{url.rstrip('/')}/{self.name}.zip" for url in conf.model_mirrors]
        return list(dict.fromkeys([*bundled, *mirrors, *self.urls]))


def read_entries(path):
    """
    Read a registry.

    Parameters
    ----------
    path : path-like
        The JSON file.

    Returns
    -------
    entries : dict of `ModelEntry`
        By name.

    Raises
    ------
    BundleError
        If it cannot be read or is not valid.
    """
    path = Path(path)

    def refuse(why):
        raise BundleError(f"registry {path}: {why}")

    try:
        content = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        refuse(f"cannot be read: {error}")
    if not isinstance(content, dict) or content.get("format") != FORMAT:
        refuse(f"not of format {FORMAT}; upgrade galmorph")
    default, models = content.get("default"), content.get("models")
    if not isinstance(models, dict) or (default is not None and default not in models):
        refuse("needs 'models', and as 'default' null or one of them")
    return {name: _entry(path, name, default, models[name], refuse) for name in models}


def _entry(path, name, default, values, refuse):
    try:
        file, urls = values["file"], tuple(values["urls"])
        sha256, size = values["sha256"], values["size"]
        texts = values["licence"], values["description"]
    except (KeyError, TypeError) as error:
        refuse(f"{name}: {error}")
    if not re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9._-]*", name):
        refuse(f"{name!r}: a name has letters, digits, '.', '_' and '-' only")
    if not re.fullmatch("[0-9a-f]{64}", str(sha256)) or type(size) is not int:
        refuse(f"{name}: needs a SHA-256 and a size in bytes")
    if file is None and not urls:
        refuse(f"{name}: needs a file or an address")
    if file is not None:
        folder = path.parent.resolve()
        file = (folder / file).resolve()
        if not file.is_relative_to(folder):
            refuse(f"{name}: its file lies outside of {folder}")
    return ModelEntry(name, sha256, size, *texts, urls, file, name == default)
