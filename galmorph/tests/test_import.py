# Licensed under a 3-clause BSD style license - see licenses/LICENSE.rst
"""
Importing galmorph is quick and loads nothing heavy.
"""

import subprocess
import sys

import pytest

HEAVY = ("tensorflow", "keras", "matplotlib", "galsim")

IMPORTS = [
    "import galmorph",
    "from galmorph import MorphologyClassifier",
    "import galmorph.cli",
]

ROOMS = ["core", "images", "models", "tables", "simulation", "evaluation"]


def loaded_and_seconds(statement):
    """The heavy packages that a fresh interpreter loads, and the time it takes."""
    code = (
        "import sys, time; start = time.perf_counter();"
        f"{statement}; seconds = time.perf_counter() - start;"
        f"print([name for name in {HEAVY!r} if name in sys.modules]); print(seconds)"
    )
    run = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True
    )
    loaded, seconds = run.stdout.split("\n")[:2]
    return loaded, float(seconds)


@pytest.mark.parametrize("statement", IMPORTS)
def test_import_takes_less_than_a_second(statement):
    # the quickest of several, as the machine may be busy with something else
    for _ in range(5):
        loaded, seconds = loaded_and_seconds(statement)
        assert loaded == "[]"
        if seconds < 1:
            return
    pytest.fail(f"{statement!r} took {seconds:.2f} s in the last of 5 trials")


@pytest.mark.parametrize("room", ROOMS)
def test_room_is_imported_without_heavy_packages(room):
    # the names of models are loaded when they are used, and need Keras
    names = "" if room == "models" else f"; from galmorph.{room} import *"
    loaded, _ = loaded_and_seconds(f"import galmorph.{room}{names}")
    assert loaded == "[]"


def test_every_public_name_is_there():
    import galmorph

    for name in galmorph.__all__:
        assert getattr(galmorph, name) is not None
    assert set(galmorph.__all__) <= set(dir(galmorph))
    with pytest.raises(AttributeError, match="no_such_name"):
        galmorph.no_such_name  # noqa: B018
