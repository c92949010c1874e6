# Licensed under a 3-clause BSD style license - see licenses/LICENSE.rst
"""
Check that CHANGES.rst has the form that its readers are used to.

Versions stand newest first, each with its date or, the first, as unreleased. A
version has the sections General, New Features, Bug Fixes and API Changes, those
that it needs and in that order. In all but General, entries stand below the name
of their subpackage, and subpackages in the order of the alphabet.
"""

import re
import sys
from pathlib import Path

ROOT = Path(__file__).parents[1]
VERSION = re.compile(r"(\d+(?:\.\d+)+) \((unreleased|\d{4}-\d{2}-\d{2})\)")
SECTIONS = ["General", "New Features", "Bug Fixes", "API Changes"]


def titles(lines, character):
    """Line numbers and texts of the titles that this character underlines."""
    for number, (title, below) in enumerate(zip(lines, lines[1:], strict=False), 1):
        if title.strip() and below and set(below) == {character}:
            yield number, title, len(below)


def check_order(found, wanted, what):
    """Complain where names are unknown, twice there, or out of order."""
    last = -1
    for number, name in found:
        if name not in wanted:
            yield number, f"{what} {name!r}: expected one of {wanted}"
        elif wanted.index(name) <= last:
            yield number, f"{what} {name!r} stands out of order, or twice"
        else:
            last = wanted.index(name)


def check(lines, rooms):
    """Pairs of a line number and of what is wrong there."""
    for character in "=-^":
        for number, title, length in titles(lines, character):
            if length != len(title):
                yield number, "the underline is not as long as the title"

    versions = []
    for number, title, _ in titles(lines, "-"):
        match = VERSION.fullmatch(title)
        if not match:
            yield (
                number,
                f"{title!r}: expected '1.2 (unreleased)' or '1.2 (2026-01-31)'",
            )
            continue
        if match[2] == "unreleased" and versions:
            yield number, "only the newest version can be unreleased"
        versions.append((number, tuple(map(int, match[1].split(".")))))
    if not versions:
        yield 1, "there is no version"
        return
    for (_, newer), (number, older) in zip(versions, versions[1:], strict=False):
        if older >= newer:
            yield number, "versions stand newest first"

    ends = [number for number, _ in versions[1:]] + [len(lines) + 1]
    for (start, _), end in zip(versions, ends, strict=True):
        sections = [
            (number, title)
            for number, title, _ in titles(lines, "^")
            if start < number < end
        ]
        yield from check_order(sections, SECTIONS, "section")
        stops = [number for number, _ in sections[1:]] + [end]
        for (first, name), stop in zip(sections, stops, strict=True):
            entries = [
                (number, lines[number - 1][2:])
                for number in range(first, min(stop, len(lines) + 1))
                if lines[number - 1].startswith("- ")
            ]
            if not entries:
                yield first, f"section {name!r} has no entry"
            if name != "General":
                named = [(number, entry.strip("`")) for number, entry in entries]
                yield from check_order(named, rooms, "subpackage")

    for number, line in enumerate(lines, 1):
        if line != line.rstrip() or "\t" in line or len(line) > 88:
            yield number, "trailing space, tabulator, or more than 88 characters"


def main():
    rooms = sorted(
        f"galmorph.{path.parent.name}"
        for path in (ROOT / "galmorph").glob("*/__init__.py")
        if path.parent.name != "tests"
    )
    lines = (ROOT / "CHANGES.rst").read_text("utf-8").splitlines()
    wrong = sorted(check(lines, rooms))
    for number, what in wrong:
        print(f"CHANGES.rst:{number}: {what}")
    if not wrong:
        print("CHANGES.rst is well formed")
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
