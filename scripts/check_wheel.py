# Licensed under a 3-clause BSD style license - see licenses/LICENSE.rst
"""
Check that a wheel has every file of the package that git knows, and no other.

The file that setuptools_scm writes, ``galmorph/_version.py``, is the one exception.
"""

import subprocess
import sys
import zipfile
from pathlib import Path

ROOT = Path(__file__).parents[1]


def main(wheel):
    listed = subprocess.run(
        ["git", "ls-files", "-z", "galmorph"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=True,
    ).stdout
    wanted = {name for name in listed.split("\0") if name}
    wanted.add("galmorph/_version.py")
    with zipfile.ZipFile(wheel) as archive:
        found = {n for n in archive.namelist() if ".dist-info/" not in n}
    for name in sorted(wanted - found):
        print(f"missing in the wheel: {name}")
    for name in sorted(found - wanted):
        print(f"in the wheel, and not in git: {name}")
    if wanted == found:
        print(f"the wheel has the {len(found)} files of the package")
    return 0 if wanted == found else 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1]))
