# Licensed under a 3-clause BSD style license - see licenses/LICENSE.rst
"""
What the processor can compute in.
"""

import warnings
from pathlib import Path

from galmorph.core import GalmorphWarning
from galmorph.models._keras import keras

__all__ = ["lacks_bfloat16", "warn_of_bfloat16"]

# as Linux names them, on x86 and on ARM
_BFLOAT16 = {"avx512_bf16", "amx_bf16", "bf16"}


def lacks_bfloat16(cpuinfo="/proc/cpuinfo"):
    """
    Whether the processor is known to have no instructions for bfloat16.

    Parameters
    ----------
    cpuinfo : path-like, optional
        Where Linux tells what its processors can do; elsewhere nothing is known.

    Returns
    -------
    lacks : bool
    """
    try:
        lines = Path(cpuinfo).read_text().splitlines()
    except OSError:
        return False
    lists = [line for line in lines if line.startswith(("flags", "Features"))]
    known = {word for line in lists for word in line.partition(":")[2].split()}
    return bool(known) and not known & _BFLOAT16


def warn_of_bfloat16():
    """
    Warn where a processor will compute in bfloat16 that must imitate it.
    """
    if keras.backend.backend() not in ("tensorflow", "jax"):
        return
    devices = keras.distribution.list_devices()
    if all(name.startswith("cpu") for name in devices) and lacks_bfloat16():
        warnings.warn(
            "precision: this processor has no instructions for bfloat16, and is"
            " several times slower in it; use float32",
            GalmorphWarning,
            stacklevel=3,
        )
