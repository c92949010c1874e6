# Licensed under a 3-clause BSD style license - see licenses/LICENSE.rst
"""
Sections of a TOML file become dataclasses, with errors that name file and key.
"""

from dataclasses import fields
from typing import get_args

from galmorph.core import ConfigurationError

__all__ = ["check_integer", "check_keys", "check_types", "read_section"]


def read_section(path, name, kind, values, also_known=(), **more):
    """Make a dataclass from a section, and from what is not written in the file."""
    types = {entry.name: entry.type for entry in fields(kind) if entry.name not in more}
    values = {
        key: tuple(value) if isinstance(value, list) else value
        for key, value in values.items()
    }
    check_keys(path, f"[{name}]", values, [*also_known, *types])
    check_types(path, f"[{name}]", values, types)
    try:
        return kind(**values, **more)
    except (ConfigurationError, TypeError) as error:
        raise ConfigurationError(f"{path}: [{name}] {error}") from error


def check_keys(path, where, values, known):
    """Refuse keys that mean nothing."""
    unknown = sorted(set(values) - set(known))
    if unknown:
        raise ConfigurationError(
            f"{path}: {where} has unknown keys {unknown}; known are {list(known)}"
        )


def check_types(path, where, values, types):
    """Refuse values of another type than the annotations say."""
    for key, value in values.items():
        allowed = get_args(types[key]) or (types[key],)
        right = isinstance(value, allowed)
        if isinstance(value, bool):
            right = bool in allowed
        elif isinstance(value, int) and float in allowed:
            # an integer is as good as the float that it stands for
            right = True
        if not right:
            names = [_NAMES.get(a, a.__name__) for a in allowed if a is not type(None)]
            raise ConfigurationError(
                f"{path}: {where} {key}: expected {' or '.join(names)}, found {value!r}"
            )


_NAMES = {tuple: "list", dict: "table"}


def check_integer(name, value, least):
    """Refuse what is no integer or too small."""
    if isinstance(value, bool) or not isinstance(value, int) or value < least:
        raise ConfigurationError(
            f"{name}: found {value!r}; it must be an integer, {least} or more"
        )
