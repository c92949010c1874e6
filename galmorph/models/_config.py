# Licensed under a 3-clause BSD style license - see licenses/LICENSE.rst
"""
The ``config.json`` of a model bundle: what it must hold.
"""

from galmorph import __version__
from galmorph.core import BundleError, ConfigurationError, LabelScheme
from galmorph.models.errors import ErrorModel

__all__ = ["CONFIG", "FORMAT", "check_config", "is_name"]

CONFIG = "config.json"
"""Name of the file."""

FORMAT = 1
"""Version of the format that is written, and the only one that is read."""

_KEYS = {
    "format": int,
    "name": str,
    "galmorph_version": str,
    "scheme": dict,
    "preprocessing": dict,
    "architecture": dict,
    "members": list,
    "views": int,
    "calibration": (dict, type(None)),
    "training": (dict, type(None)),
    "domain": (dict, type(None)),
}
# keys that bundles of earlier versions have not
_LATER = {"domain": None}


def check_config(config, where):
    """
    Refuse a config that is not exactly as expected.

    Parameters
    ----------
    config : object
        What the file holds.
    where : path-like
        The bundle, for the message.

    Returns
    -------
    scheme : `~galmorph.core.LabelScheme`

    Raises
    ------
    BundleError
        If a key is missing, unknown or has a wrong value.
    """

    def refuse(why):
        raise BundleError(f"{where}: {CONFIG}: {why}")

    if not isinstance(config, dict):
        refuse(f"expected an object, found {type(config).__name__}")
    if config.get("format") != FORMAT:
        refuse(
            f"format {config.get('format')!r} is not known to galmorph {__version__},"
            f" which reads format {FORMAT}; upgrade galmorph:"
            " python -m pip install --upgrade astro-galmorph"
        )
    for key, value in _LATER.items():
        config.setdefault(key, value)
    if set(config) != set(_KEYS):
        refuse(
            f"missing keys: {sorted(set(_KEYS) - set(config))}, unknown keys:"
            f" {sorted(set(config) - set(_KEYS))}"
        )
    for key, kind in _KEYS.items():
        if not isinstance(config[key], kind) or isinstance(config[key], bool):
            refuse(f"{key}: found {config[key]!r}")
    if not is_name(config["name"]):
        refuse(f"name: {config['name']!r} has other than letters, digits, . _ and -")
    if config["views"] not in range(1, 9):
        refuse(f"views: expected 1 to 8, found {config['views']}")
    architecture = config["architecture"]
    if (
        set(architecture) != {"name", "options", "input_shape"}
        or not isinstance(architecture["options"], dict)
        or not isinstance(architecture["input_shape"], list)
        or len(architecture["input_shape"]) != 3
        or not all(type(n) is int and n > 0 for n in architecture["input_shape"])
    ):
        refuse(f"architecture: found {architecture!r}")
    try:
        scheme = LabelScheme.from_dict(config["scheme"])
    except (ConfigurationError, KeyError, TypeError, ValueError) as error:
        refuse(f"scheme: {error}")
    if not config["members"]:
        refuse("members: there are none")
    for member in config["members"]:
        if not _is_file(member, ".weights.h5"):
            refuse(f"members: found {member!r}")
    if config["domain"] is not None and not _is_file(config["domain"], ".domain.h5"):
        refuse(f"domain: found {config['domain']!r}")
    if len({member["file"] for member in config["members"]}) != len(config["members"]):
        refuse("members: a file is named more than once")
    if config["calibration"] is not None:
        try:
            ErrorModel(config["calibration"], scheme.outputs)
        except (ConfigurationError, TypeError, ValueError) as error:
            refuse(f"calibration: {error}")
    return scheme


def _is_file(entry, suffix):
    return (
        isinstance(entry, dict)
        and set(entry) == {"file", "sha256"}
        and is_name(entry["file"])
        and entry["file"].endswith(suffix)
    )


def is_name(name):
    """
    Whether a text may name a model or a file of its bundle.

    Parameters
    ----------
    name : object

    Returns
    -------
    fits : bool
        ASCII letters, digits, ``.``, ``_`` and ``-`` only: no separators, no
        drive, no ``..``.
    """
    return (
        isinstance(name, str)
        and name.isascii()
        and bool(name)
        and name[0] not in ".-"
        and all(letter.isalnum() or letter in "._-" for letter in name)
    )
