# Licensed under a 3-clause BSD style license - see licenses/LICENSE.rst
import hashlib
import io
import json
import pickle
import shutil
import subprocess
import sys
import zipfile

import h5py
import numpy as np
import pytest

from galmorph import __version__
from galmorph.core import CANDELS, GALAXY_ZOO_2, BundleError
from galmorph.models import build, copy_bundle, load_bundle, save_bundle
from galmorph.tests.models.conftest import (
    OPTIONS,
    SHAPE,
    save_small_bundle,
    small_network,
)

CALIBRATION = {
    "fraction": [0.0, 0.5, 1.0],
    "error": dict.fromkeys(CANDELS.outputs, [0.1, 0.2, 0.1]),
}


def sha256(path):
    return hashlib.sha256(path.read_bytes()).hexdigest()


@pytest.mark.parametrize("name", ["small", "small.zip"])
def test_what_is_saved_is_loaded(tmp_path, name):
    path = save_small_bundle(
        tmp_path / "new" / name,
        members=2,
        calibration=CALIBRATION,
        training={"seed": 5},
        views=4,
        weights_dtype="float32",
    )
    bundle = load_bundle(str(path))
    assert bundle.path == path
    assert bundle.name == "small"
    assert bundle.scheme == CANDELS
    assert bundle.preprocessing == {"version": "1", "shape": 12}
    assert bundle.card == "A small network.\n"
    assert bundle.members == 2
    assert bundle.input_shape == SHAPE
    assert bundle.calibration == CALIBRATION
    assert bundle.config["training"] == {"seed": 5}
    assert bundle.config["views"] == 4
    assert bundle.config["galmorph_version"] == __version__
    assert len(bundle.sha256) == 64
    for seed, model in enumerate(bundle.models(), 1):
        for found, expected in zip(
            model.get_weights(), small_network(seed).get_weights(), strict=True
        ):
            np.testing.assert_array_equal(found, expected)
    assert bundle.models() is bundle.models()


def test_a_bundle_holds_json_text_and_weights_only(tmp_path):
    path = save_small_bundle(tmp_path / "small", members=2)
    names = {"card.md", "config.json", "member-0.weights.h5", "member-1.weights.h5"}
    assert {p.name for p in path.iterdir()} == names
    with h5py.File(path / "member-0.weights.h5") as file:
        found = {f"{layer}/{name}" for layer in file for name in file[layer]}
        assert found == {
            "dense1/kernel",
            "dense1/bias",
            "output/kernel",
            "output/bias",
        }
        assert file["dense1/kernel"].dtype == np.float16
        assert file["dense1/kernel"].compression == "gzip"
        assert not file.attrs and not file["dense1/kernel"].attrs


def test_a_zip_file_is_the_same_bytes_each_time(tmp_path):
    first = save_small_bundle(tmp_path / "a.zip")
    second = save_small_bundle(tmp_path / "b.zip")
    assert first.read_bytes() == second.read_bytes()
    assert load_bundle(first).sha256 == sha256(first)


def test_copies_are_the_same_model(tmp_path):
    original = load_bundle(save_small_bundle(tmp_path / "a.zip"))
    folder = load_bundle(copy_bundle(original, tmp_path / "folder"))
    zipped = load_bundle(copy_bundle(folder, tmp_path / "b.zip"))
    same = load_bundle(copy_bundle(original, tmp_path / "c.zip"))
    assert original.sha256 == zipped.sha256 == same.sha256 != folder.sha256
    assert folder.config == original.config
    again = load_bundle(copy_bundle(original, tmp_path / "again"))
    assert again.sha256 == folder.sha256
    # a card that was changed is another bundle
    (tmp_path / "again" / "card.md").write_text("Other.")
    assert load_bundle(tmp_path / "again").sha256 != folder.sha256


def test_half_precision_loses_little():
    rng = np.random.default_rng(8)
    images = rng.normal(size=(64, 45, 45, 1)).astype(np.float32)
    model = build("hc15", scheme=CANDELS)
    # weights of the size that keeps the signal through the layers
    for layer in model.layers:
        if layer.weights:
            kernel, bias = layer.get_weights()
            scale = np.sqrt(2 / np.prod(kernel.shape[:-1]))
            layer.set_weights([rng.normal(scale=scale, size=kernel.shape), bias])
    expected = np.asarray(model(images))
    assert np.std(expected) > 0.1
    for weight in model.weights:
        weight.assign(np.asarray(weight).astype(np.float16).astype(np.float32))
    loss = np.abs(np.asarray(model(images)) - expected)
    assert loss.max() < 3e-3
    assert np.sqrt(np.mean(loss**2)) < 5e-4


def test_the_precision_in_the_file_is_what_was_asked_for(tmp_path):
    expected = small_network().get_weights()
    for dtype, tolerance in (("float16", 2.0**-11), ("float32", 0)):
        path = save_small_bundle(tmp_path / f"{dtype}.zip", weights_dtype=dtype)
        (model,) = load_bundle(path).models()
        for found, values in zip(model.get_weights(), expected, strict=True):
            assert found.dtype == np.float32
            np.testing.assert_allclose(found, values, rtol=tolerance, atol=1e-7)
    with pytest.raises(BundleError, match="weights_dtype.*'int8'"):
        save_small_bundle(tmp_path / "c.zip", weights_dtype="int8")


@pytest.mark.parametrize("value", [np.nan, np.inf, 1e6])
def test_weights_that_a_file_cannot_hold_are_refused(tmp_path, value):
    model = small_network()
    model.get_layer("output").bias.assign([value] * 5)
    with pytest.raises(BundleError, match="output/bias.*not finite as float16"):
        save_bundle(
            tmp_path / "bad.zip",
            [model],
            name="bad",
            scheme=CANDELS,
            preprocessor={},
            architecture="dense_ann",
            input_shape=SHAPE,
            options=OPTIONS,
        )
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"members": 0}, "at least one network"),
        ({"architecture": "resnet"}, "no 'resnet'"),
        ({"options": {"units": [17]}}, r"'dense1/kernel' has the shape \(144, 16\)"),
        ({"options": {}}, "weights missing"),
        ({"scheme": GALAXY_ZOO_2}, r"\(16, 5\)"),
        ({"input_shape": (11, 12, 1)}, r"\(144, 16\).*\(132, 16\)"),
        ({"name": "../small"}, "name"),
        ({"name": ""}, "name"),
        ({"views": 9}, "views"),
        ({"preprocessor": {"a": object()}}, "plain data"),
        ({"training": {"loss": np.nan}}, "plain data"),
        ({"calibration": {"fraction": [0, 1]}}, "calibration"),
        (
            {"calibration": {**CALIBRATION, "fraction": [0, 1, 0.5]}},
            "fractions must increase",
        ),
        (
            {"calibration": {**CALIBRATION, "error": {"f_disk": [1, 2, 3]}}},
            "expected the outputs",
        ),
        (
            {"calibration": {**CALIBRATION, "fraction": [0, 1]}},
            "3 errors for 2 fractions",
        ),
    ],
)
def test_a_description_that_does_not_fit_is_refused(tmp_path, changes, message):
    with pytest.raises(BundleError, match=message):
        save_small_bundle(tmp_path / "bad.zip", **changes)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("name", ["small", "small.zip"])
def test_what_is_there_is_replaced_only_if_told(tmp_path, name):
    path = save_small_bundle(tmp_path / name)
    with pytest.raises(BundleError, match="overwrite=True"):
        save_small_bundle(path, card="New.")
    with pytest.raises(BundleError, match="overwrite=True"):
        copy_bundle(load_bundle(path), path)
    assert load_bundle(path).card == "A small network.\n"
    save_small_bundle(path, card="New.", overwrite=True)
    assert load_bundle(path).card == "New."
    assert [p.name for p in tmp_path.iterdir()] == [name]


def test_what_is_no_bundle_is_never_replaced(tmp_path):
    (tmp_path / "folder.zip").mkdir()
    (tmp_path / "file").write_text("precious")
    home = tmp_path / "home"
    home.mkdir()
    (home / "precious").write_text("precious")
    for path in (tmp_path / "folder.zip", tmp_path / "file", home):
        with pytest.raises(BundleError):
            save_small_bundle(path, overwrite=True)
    assert (home / "precious").read_text() == "precious"
    (tmp_path / "empty").mkdir()
    assert load_bundle(save_small_bundle(tmp_path / "empty")).members == 1


def test_loading_does_not_import_keras(tmp_path):
    path = save_small_bundle(tmp_path / "small.zip")
    code = f"""
import sys
from galmorph.models import load_bundle
assert load_bundle({str(path)!r}).members == 1
assert not {{"keras", "tensorflow", "h5py"}} & set(sys.modules)
"""
    subprocess.run([sys.executable, "-c", code], check=True)


def test_a_bundle_can_be_sent_to_another_process(make_bundle):
    bundle = make_bundle()
    x = np.ones((1, *SHAPE), np.float32)
    expected = np.asarray(bundle.models()[0](x))
    again = pickle.loads(pickle.dumps(bundle))
    np.testing.assert_array_equal(again.models()[0](x), expected)


def edit(path, name, change):
    """Change a file of a bundle, or remove it where the change gives `None`."""
    file = path / name
    content = change(file.read_bytes() if file.exists() else b"")
    file.unlink(missing_ok=True)
    if content is not None:
        file.write_bytes(content)


def edit_config(path, **changes):
    """Change values of the config; `None` as a value of ``drop`` names keys."""
    config = json.loads((path / "config.json").read_text())
    for key in changes.pop("drop", ()):
        del config[key]
    (path / "config.json").write_text(json.dumps({**config, **changes}))


def replace_weights(path, content):
    """Change the weights and the digest that the config has of them."""
    (path / "member-0.weights.h5").write_bytes(content)
    digest = hashlib.sha256(content).hexdigest()
    edit_config(path, members=[{"file": "member-0.weights.h5", "sha256": digest}])


def hdf5(change):
    """An HDF5 file with the right weights, changed."""
    buffer = io.BytesIO()
    with h5py.File(buffer, "w") as file:
        for layer, inputs, units in (("dense1", 144, 16), ("output", 16, 5)):
            file[f"{layer}/kernel"] = np.zeros((inputs, units), np.float16)
            file[f"{layer}/bias"] = np.zeros(units, np.float16)
        change(file)
    return buffer.getvalue()


def replace(file, name, value):
    del file[name]
    file[name] = value


@pytest.fixture
def folder(tmp_path):
    return save_small_bundle(tmp_path / "small")


MEMBER = "member-0.weights.h5"


@pytest.mark.parametrize(
    ("name", "change", "message"),
    [
        ("config.json", lambda c: None, "no config.json"),
        ("card.md", lambda c: None, "no card.md"),
        (MEMBER, lambda c: None, "missing files.*member-0"),
        (MEMBER, lambda c: c[:-1] + bytes([c[-1] ^ 1]), "SHA-256"),
        (MEMBER, lambda c: c[:100], "SHA-256"),
        (MEMBER, lambda c: b"", "SHA-256"),
        ("more.py", lambda c: b"import os", "do not belong to it.*more.py"),
        ("config.json", lambda c: c[:50], "damaged"),
        ("config.json", lambda c: b"\xff\xfe\xfd", "damaged"),
        ("config.json", lambda c: b"[1]", "expected an object"),
        ("card.md", lambda c: b"\xff\xfe", "damaged"),
    ],
)
def test_damage_is_noticed(folder, name, change, message):
    edit(folder, name, change)
    with pytest.raises(BundleError, match=message):
        load_bundle(folder)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"format": 2}, "format 2 is not known.*upgrade galmorph"),
        ({"drop": ["format"]}, "format None"),
        ({"drop": ["views"]}, r"missing keys: \['views'\]"),
        ({"code": "print()"}, r"unknown keys: \['code'\]"),
        ({"name": 5}, "name: found 5"),
        ({"views": True}, "views: found True"),
        ({"scheme": {"name": "x"}}, "scheme"),
        ({"scheme": {"name": "x", "outputs": []}}, "at least one"),
        ({"architecture": {"name": "hc15"}}, "architecture"),
        (
            {
                "architecture": {
                    "name": "hc15",
                    "options": {},
                    "input_shape": [45, 45, -1],
                }
            },
            "architecture",
        ),
        ({"members": []}, "there are none"),
        ({"members": ["member-0.weights.h5"]}, "members"),
        ({"members": [{"file": "../x.weights.h5", "sha256": "0"}]}, "members"),
        ({"members": [{"file": "/etc/x.weights.h5", "sha256": "0"}]}, "members"),
        ({"members": [{"file": "config.json", "sha256": "0"}]}, "members"),
        ({"members": [{"file": "a.weights.h5", "sha256": "0"}] * 2}, "more than once"),
    ],
)
def test_a_config_that_is_not_as_it_should_be_is_refused(folder, changes, message):
    edit_config(folder, **changes)
    with pytest.raises(BundleError, match=message):
        load_bundle(folder)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda f: f.__delitem__("dense1/bias"), r"missing: \['dense1/bias'\]"),
        (lambda f: f.__setitem__("extra/kernel", np.zeros(3, "f2")), "extra/kernel"),
        (lambda f: replace(f, "output/bias", np.zeros(6, "f2")), r"shape \(6,\)"),
        (lambda f: replace(f, "output/bias", np.zeros(5, "i4")), "plain array"),
        (lambda f: replace(f, "output/bias", np.full(5, np.nan, "f2")), "not finite"),
        (lambda f: replace(f, "output/bias", h5py.SoftLink("/dense1/bias")), "link"),
        (
            lambda f: replace(f, "output/bias", h5py.ExternalLink("a.h5", "/b")),
            "link",
        ),
        (lambda f: f.create_group("output/deep"), "group within a group"),
    ],
)
def test_weights_that_do_not_fit_the_network_are_refused(folder, change, message):
    replace_weights(folder, hdf5(change))
    bundle = load_bundle(folder)
    with pytest.raises(BundleError, match=message):
        bundle.models()


def test_weights_outside_of_the_file_are_not_read(folder, tmp_path):
    secret = tmp_path / "secret"
    secret.write_bytes(bytes(10))

    def change(file):
        del file["output/bias"]
        file.create_dataset(
            "output/bias", (5,), "f2", external=[(str(secret), 0, h5py.h5f.UNLIMITED)]
        )

    replace_weights(folder, hdf5(change))
    with pytest.raises(BundleError, match="plain array"):
        load_bundle(folder).models()


def test_weights_that_are_no_hdf5_are_refused(folder):
    replace_weights(folder, b"not HDF5")
    with pytest.raises(BundleError, match="cannot be read as HDF5"):
        load_bundle(folder).models()


def test_an_architecture_that_is_not_known_is_refused(folder):
    config = json.loads((folder / "config.json").read_text())
    architecture = {**config["architecture"], "name": "newer"}
    edit_config(folder, architecture=architecture)
    with pytest.raises(BundleError, match="cannot build the network.*'newer'"):
        load_bundle(folder).models()


def test_a_file_that_changes_after_loading_is_noticed(folder):
    bundle = load_bundle(folder)
    (folder / MEMBER).write_bytes(b"changed")
    with pytest.raises(BundleError, match="changed since"):
        bundle.models()
    shutil.rmtree(folder)
    with pytest.raises(BundleError, match="no such file|cannot be read"):
        bundle.models()


def zip_with(path, *members):
    """Zip file with members of these names, or ZipInfo."""
    with zipfile.ZipFile(path, "w") as archive:
        for member in members:
            archive.writestr(member, b"content")
    return path


def test_a_zip_file_with_odd_members_is_refused(tmp_path):
    link = zipfile.ZipInfo("card.md")
    link.external_attr = 0o120777 << 16
    for number, member in enumerate(
        ["../config.json", "/config.json", "a/config.json", "folder/", "c:x", link]
    ):
        path = zip_with(tmp_path / f"{number}.zip", member)
        with pytest.raises(BundleError, match="not a plain file"):
            load_bundle(path)
    with pytest.warns(UserWarning, match="Duplicate"):
        path = zip_with(tmp_path / "twice.zip", "config.json", "config.json")
    with pytest.raises(BundleError, match="more than once"):
        load_bundle(path)


def test_a_folder_with_odd_members_is_refused(folder, tmp_path):
    card = tmp_path / "card.md"
    (folder / "card.md").rename(card)
    (folder / "card.md").symlink_to(card)
    with pytest.raises(BundleError, match="'card.md' is not a plain file"):
        load_bundle(folder)
    (folder / "card.md").unlink()
    (folder / "card.md").mkdir()
    with pytest.raises(BundleError, match="'card.md' is not a plain file"):
        load_bundle(folder)


def test_what_is_no_bundle_is_refused(tmp_path):
    path = save_small_bundle(tmp_path / "good.zip")
    (tmp_path / "cut.zip").write_bytes(path.read_bytes()[:-100])
    (tmp_path / "text.zip").write_text("no zip file")
    (tmp_path / "empty").mkdir()
    for name, message in (
        ("cut.zip", "cannot be read"),
        ("text.zip", "cannot be read"),
        ("empty", "no config.json"),
        ("nothing", "no such file"),
    ):
        with pytest.raises(BundleError, match=message):
            load_bundle(tmp_path / name)


def test_a_zip_file_with_changed_bytes_is_noticed(tmp_path):
    path = save_small_bundle(tmp_path / "good.zip")
    content = bytearray(path.read_bytes())
    middle = content.index(b"\x89HDF") + 200
    content[middle] ^= 0xFF
    path.write_bytes(content)
    with pytest.raises(BundleError):
        load_bundle(path)


def test_a_config_of_great_size_is_not_read(tmp_path):
    path = tmp_path / "bomb.zip"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("config.json", bytes((1 << 24) + 1))
        archive.writestr("card.md", b"")
    with pytest.raises(BundleError, match="more than"):
        load_bundle(path)
