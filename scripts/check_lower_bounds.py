# Licensed under a 3-clause BSD style license - see licenses/LICENSE.rst
"""
Check that the factor oldestdeps of tox.ini pins the lower bounds of pyproject.toml.

Looked at are the dependencies and those of the extra ``all``. A pin agrees with
a bound if it begins with it: ``==7.0.0`` or ``==7.0.1`` with ``>=7.0``.
"""

import re
import sys
import tomllib
from pathlib import Path

ROOT = Path(__file__).parents[1]


def requirements(project):
    """Requirements of the package and of its extra ``all``."""
    extras = project["optional-dependencies"]
    found = list(project["dependencies"])
    for requirement in extras["all"]:
        own = re.fullmatch(re.escape(project["name"]) + r"\[(.*)\]", requirement)
        names = own[1].split(",") if own else []
        found += [r for name in names for r in extras[name]] if own else [requirement]
    return found


def main():
    project = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]
    bounds = dict(r.split(">=") for r in requirements(project))
    pins = dict(
        line.split("oldestdeps: ")[1].split("==")
        for line in (ROOT / "tox.ini").read_text("utf-8").splitlines()
        if re.match(r"\s+oldestdeps: \S+==", line)
    )
    wrong = [
        f"{name}: pyproject.toml says >={bounds.get(name)},"
        f" tox.ini installs =={pins.get(name)}"
        for name in sorted(bounds.keys() | pins.keys())
        if not f"{pins.get(name)}.".startswith(f"{bounds.get(name)}.")
    ]
    print("\n".join(wrong) or f"{len(bounds)} lower bounds agree with tox.ini")
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
