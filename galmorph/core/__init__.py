# Licensed under a 3-clause BSD style license - see licenses/LICENSE.rst
"""
Words that every room speaks: label schemes, quality bits, settings, errors.

In: nothing of galmorph. Out: `LabelScheme` (what outputs mean), `FLAGS` (what
the bits of ``morph_flags`` mean), ``conf`` (settings), the exceptions.
"""

from galmorph.core.config import *  # noqa: F403
from galmorph.core.config import __all__ as _config
from galmorph.core.exceptions import *  # noqa: F403
from galmorph.core.exceptions import __all__ as _exceptions
from galmorph.core.flags import *  # noqa: F403
from galmorph.core.flags import __all__ as _flags
from galmorph.core.optional import *  # noqa: F403
from galmorph.core.optional import __all__ as _optional
from galmorph.core.schemes import *  # noqa: F403
from galmorph.core.schemes import __all__ as _schemes

__all__ = sorted(_config + _exceptions + _flags + _optional + _schemes)
