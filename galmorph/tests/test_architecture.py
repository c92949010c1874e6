# Licensed under a 3-clause BSD style license - see licenses/LICENSE.rst
"""
The rooms of the package import each other in the agreed directions only.
"""

import ast
from pathlib import Path

import pytest

import galmorph

ROOT = Path(galmorph.__file__).parent

ROADS = {"core", "images", "models", "tables"}
# room -> the rooms that it may import
ALLOWED = {
    "core": set(),
    "images": {"core"},
    "models": {"core"},
    "tables": {"core"},
    "_plumbing": ROADS | {"scale"},
    "scale": ROADS,
    "classifier": ROADS | {"_plumbing", "scale"},
    "simulation": ROADS,
    "evaluation": ROADS | {"visualization"},
    "visualization": ROADS,
    "training": ROADS | {"simulation", "evaluation", "visualization"},
    "cli": ROADS
    | {
        "classifier",
        "simulation",
        "evaluation",
        "visualization",
        "training",
        "scale",
    },
}
NOT_ROOMS = {"tests", "conftest.py", "__init__.py", "_version.py"}
FILES = [
    path
    for path in sorted(ROOT.rglob("*.py"))
    if path.relative_to(ROOT).parts[0] not in NOT_ROOMS
]


def room_of(path):
    return path.relative_to(ROOT).parts[0].removesuffix(".py")


def imported_rooms(path):
    """Rooms of galmorph that a file imports, anywhere in it."""
    rooms = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            names = [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path}: relative import in line {node.lineno}"
            names = [node.module]
            if node.module == "galmorph":
                names = [f"galmorph.{alias.name}" for alias in node.names]
        elif isinstance(node, ast.Constant) and isinstance(node.value, str):
            # lazy imports name the module in a string
            names = [node.value] if node.value.isascii() else []
            names = [n for n in names if all(p.isidentifier() for p in n.split("."))]
        else:
            continue
        for name in names:
            parts = name.split(".")
            if parts[0] == "galmorph" and len(parts) > 1:
                rooms.add(parts[1])
    return rooms & (set(ALLOWED) | {"tests"})


@pytest.mark.parametrize("path", FILES, ids=lambda p: str(p.relative_to(ROOT)))
def test_file_imports_only_rooms_that_it_may(path):
    room = room_of(path)
    if room == "__main__":
        assert imported_rooms(path) == {"cli"}
        return
    assert room in ALLOWED, f"{path}: say in ALLOWED what the room {room!r} may import"
    assert imported_rooms(path) - {room} <= ALLOWED[room]


@pytest.mark.parametrize("path", FILES, ids=lambda p: str(p.relative_to(ROOT)))
def test_file_is_no_longer_than_a_module_should_be(path):
    assert len(path.read_text(encoding="utf-8").splitlines()) <= 500


def test_every_room_says_what_comes_in_and_what_goes_out():
    for room in set(ALLOWED) - {"_plumbing", "classifier"}:
        path = ROOT / room / "__init__.py"
        tree = ast.parse(path.read_text(encoding="utf-8"))
        document = ast.get_docstring(tree) or ""
        assert "In:" in document and "ut:" in document, f"{path}: In: ... Out: ..."
        names = {
            target.id
            for node in tree.body
            if isinstance(node, ast.Assign)
            for target in node.targets
            if isinstance(target, ast.Name)
        }
        assert "__all__" in names, path


def test_the_licence_stands_first_in_every_file():
    for path in ROOT.rglob("*.py"):
        if path.name == "_version.py" or not path.stat().st_size:
            continue
        first = path.read_text(encoding="utf-8").split("\n", 1)[0]
        assert first.startswith("# Licensed under a 3-clause BSD"), path
