# Licensed under a 3-clause BSD style license - see licenses/LICENSE.rst
"""
``python -m galmorph``: the same as the command ``galmorph``.
"""

import sys

from galmorph.cli import main

if __name__ == "__main__":
    sys.exit(main())
