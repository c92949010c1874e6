# Licensed under a 3-clause BSD style license - see licenses/LICENSE.rst
import hashlib
import json
import shutil
import socket

import pytest
from astropy.config.paths import set_temp_cache


@pytest.fixture
def registry(tmp_path, monkeypatch, model):
    """A registry of a model that comes with the package and one that does not."""
    folder = tmp_path / "registry"
    folder.mkdir()
    file = shutil.copy(model, folder / "tiny.zip")
    content = file.read_bytes()
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        away = f"http://127.0.0.1:{free.getsockname()[1]}/away.zip"
    entry = {
        "urls": [],
        "sha256": hashlib.sha256(content).hexdigest(),
        "size": len(content),
        "licence": "BSD-3-Clause",
        "description": "An untrained network.",
    }
    models = {
        "tiny": entry | {"file": file.name},
        "away": entry | {"file": None, "urls": [away]},
    }
    path = folder / "registry.json"
    path.write_text(json.dumps({"format": 1, "default": "tiny", "models": models}))
    monkeypatch.setattr("galmorph.models.registry.REGISTRY", path)
    (tmp_path / "cache").mkdir()
    with set_temp_cache(tmp_path / "cache"):
        yield folder


def test_list_shows_every_model(galmorph, registry):
    code, out, err = galmorph("models", "list")
    assert (code, err) == (0, "")
    assert "tiny" in out and "away" in out and "BSD-3-Clause" in out


def test_show_prints_the_card(galmorph, registry):
    code, out, _ = galmorph("models", "show")
    assert code == 0
    assert "An untrained network, for tests." in out
    assert "f_spheroid" in out


def test_fetch_gives_the_path_of_a_verified_file(galmorph, registry, model):
    code, out, _ = galmorph("models", "fetch", "tiny")
    assert code == 0
    with open(out.strip(), "rb") as file, open(model, "rb") as original:
        assert file.read() == original.read()


def test_verify_tells_a_right_file_from_a_wrong_one(galmorph, registry):
    code, out, _ = galmorph("models", "verify")
    assert code == 0
    assert "tiny: OK" in out
    (registry / "tiny.zip").write_bytes(b"damaged")
    code, out, err = galmorph("models", "verify")
    assert (code, out) == (1, "")
    assert "7 bytes" in err


def test_the_default_model_classifies(galmorph, registry, cutout):
    code, out, _ = galmorph("classify", cutout)
    assert code == 0
    assert "1 galaxy, 1 classified" in out


def test_without_network_the_message_says_what_was_tried(galmorph, registry, cutout):
    for words in (["models", "fetch", "away"], ["classify", cutout, "--model", "away"]):
        code, out, err = galmorph(*words)
        assert (code, out) == (1, "")
        assert "http://127.0.0.1" in err and "model_mirrors" in err
        assert "Traceback" not in err
