# Licensed under a 3-clause BSD style license - see licenses/LICENSE.rst
"""
Print a command of README.rst as it stands there.

``python scripts/readme_command.py 2`` prints the line of the code block that
follows the comment ``.. command 2``, so that it is run and not paraphrased.
"""

import re
import sys
from pathlib import Path

README = Path(__file__).parents[1] / "README.rst"


def readme_command(number, text):
    """The one line of the code block after the comment of this number."""
    pattern = (
        rf"^\.\. command {number}\b.*\n\n"
        r"\.\. code-block:: bash\n\n"
        r"   (\S.*)\n\n(?=\S)"
    )
    found = re.findall(pattern, text, re.MULTILINE)
    if len(found) != 1:
        raise SystemExit(f"{README}: found {len(found)} blocks of command {number}")
    return found[0]


if __name__ == "__main__":
    print(readme_command(int(sys.argv[1]), README.read_text("utf-8")))
