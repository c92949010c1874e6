# Licensed under a 3-clause BSD style license - see licenses/LICENSE.rst
"""
A preprocessor that ends its process, as a fault in a library would.
"""

import os
import signal
from pathlib import Path

from galmorph.images import Preprocessor


class Deadly(Preprocessor):
    """Kills its process at a source in column 13, or once where a file is not."""

    file = None

    def cutouts(self, image, x, y, **options):
        first = self.file is not None and not Path(self.file).exists()
        if first:
            Path(self.file).touch()
        if first or (self.file is None and int(x[0]) == 13):
            os.kill(os.getpid(), signal.SIGKILL)
        return super().cutouts(image, x, y, **options)


def deadly_once(file):
    """One that kills the first process that uses it, and no other."""
    preprocessor = Deadly()
    object.__setattr__(preprocessor, "file", str(file))
    return preprocessor
