# Licensed under a 3-clause BSD style license - see licenses/LICENSE.rst
"""
The quality bits of the ``morph_flags`` column.

Each bit is defined once, here; the documentation's table, the decoder and the
checks elsewhere all read this definition.
"""

from dataclasses import dataclass
from enum import IntFlag

import numpy as np

__all__ = ["FLAGS", "FlagDefinition", "MorphFlag", "decode_flags"]


@dataclass(frozen=True)
class FlagDefinition:
    """
    One quality bit.

    Parameters
    ----------
    value : int
        The bit, a power of two.
    name : str
        Its name, in lower case.
    description : str
        One line that says what it means when the bit is set.

    Examples
    --------
    >>> from galmorph.core import FLAGS
    >>> FLAGS[0].name, FLAGS[0].value
    ('bad_position', 1)
    """

    value: int
    name: str
    description: str


FLAGS = tuple(
    FlagDefinition(1 << bit, name, description)
    for bit, (name, description) in enumerate(
        [
            (
                "bad_position",
                "The position is masked, not finite, or cannot be converted to"
                " pixels; not classified.",
            ),
            (
                "outside_image",
                "The position lies outside of the image; not classified.",
            ),
            (
                "no_data",
                "Every pixel around the position is masked or not finite; not"
                " classified.",
            ),
            (
                "failed",
                "The image could not be read or measured; the reason is in the"
                " table's meta; not classified.",
            ),
            (
                "partial_stamp",
                "The stamp reaches beyond the edge of the image; the missing"
                " part was filled with sky.",
            ),
            (
                "masked_pixels",
                "Masked or non-finite pixels lie within the target's segment.",
            ),
            (
                "no_source",
                "No segment above the threshold lies at the position; the stamp"
                " has a default size.",
            ),
            (
                "recenter_limit",
                "The centroid lies further from the given position than the"
                " limit allows; the given position was kept.",
            ),
            (
                "petrosian_limit",
                "The Petrosian radius was not reached within the measured area;"
                " the stamp's size is a substitute.",
            ),
            ("low_snr", "The signal-to-noise ratio of the target is below 10."),
            (
                "unresolved",
                "The target or the image is so small that its shape rests on"
                " very few pixels.",
            ),
            (
                "neighbour",
                "A neighbour that is brighter than the target lies within the stamp.",
            ),
            (
                "out_of_domain",
                "The image is unlike those that the model learned from"
                " (morph_domain_distance above 1); do not rely on the fractions.",
            ),
        ]
    )
)
"""Definitions of all the quality bits, lowest bit first."""

MorphFlag = IntFlag("MorphFlag", {flag.name.upper(): flag.value for flag in FLAGS})
MorphFlag.__module__ = __name__
MorphFlag.__doc__ = """
The quality bits by name, e.g. ``MorphFlag.LOW_SNR``.

Examples
--------
>>> from galmorph.core import MorphFlag
>>> int(MorphFlag.BAD_POSITION | MorphFlag.NO_DATA)
5
"""


def decode_flags(flags):
    """
    Give the names of the bits that are set.

    Parameters
    ----------
    flags : int or array_like of int
        One value, or any number of values, of the ``morph_flags`` column.
        Masked values have no names.

    Returns
    -------
    names : list of str or list of list of str
        The names of the bits that are set, lowest bit first; one list for a
        scalar, a list of lists for an array.

    Raises
    ------
    ValueError
        If a value is negative or has a bit that is not defined.

    Examples
    --------
    >>> from galmorph import decode_flags
    >>> decode_flags(18)
    ['outside_image', 'partial_stamp']
    >>> decode_flags([0, 512])
    [[], ['low_snr']]
    """
    values = np.ma.filled(np.ma.asanyarray(flags), 0)
    if values.size and not np.issubdtype(values.dtype, np.integer):
        raise ValueError(f"flags: expected integers, found {values.dtype}")
    known = sum(flag.value for flag in FLAGS)
    if np.any((values < 0) | (values & ~known)):
        raise ValueError(
            f"flags: found a value outside of 0..{known}; is this the"
            " morph_flags column of a newer version of galmorph?"
        )

    def names(value):
        return [flag.name for flag in FLAGS if value & flag.value]

    if values.ndim == 0:
        return names(int(values))
    return [names(int(value)) for value in values.ravel()]
