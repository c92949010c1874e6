# Licensed under a 3-clause BSD style license - see licenses/LICENSE.rst
import contextlib
import hashlib
import http.server
import json
import os
import socket
import subprocess
import sys
import threading
import warnings

import numpy as np
import pytest
from astropy.utils.data import CacheMissingWarning, get_cached_urls
from astropy.utils.data import conf as data_conf

import galmorph
from galmorph.core import (
    BundleError,
    DownloadError,
    GalmorphWarning,
    UnknownModelError,
    conf,
)
from galmorph.models import (
    fetch_model,
    get_entry,
    list_models,
    load_bundle,
    registry,
    verify_model,
)
from galmorph.tests.models.conftest import save_small_bundle


class Handler(http.server.BaseHTTPRequestHandler):
    """Answers as the server's ``answers`` say: with a status, content or a fault."""

    def do_GET(self):
        self.server.asked.append(self.path)
        answer = self.server.answers.get(self.path, 404)
        if isinstance(answer, int):
            self.send_error(answer)
            return
        kind, content = answer if isinstance(answer, tuple) else ("right", answer)
        if kind == "slow":
            self.server.released.wait(20)
        if kind == "hang up":
            self.connection.shutdown(socket.SHUT_RDWR)
            return
        self.send_response(200)
        if kind != "no length":
            self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        # the other side may have given up
        with contextlib.suppress(OSError):
            self.wfile.write(content[: len(content) // 2 if kind == "cut" else None])

    def log_message(self, *args):
        pass


@pytest.fixture
def server():
    """An HTTP server of this machine, with ``answers`` by path, and ``asked``."""
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        server.answers, server.asked = {}, []
        server.released = threading.Event()
        server.url = f"http://127.0.0.1:{server.server_port}"
        thread = threading.Thread(target=server.serve_forever, daemon=True)
        thread.start()
        yield server
        server.released.set()
        server.shutdown()
        thread.join()


@pytest.fixture(scope="module")
def bundle_bytes(tmp_path_factory):
    path = tmp_path_factory.mktemp("bundle") / "small.zip"
    return save_small_bundle(path).read_bytes()


@pytest.fixture
def register(tmp_path, bundle_bytes):
    """Function that writes a registry with the model 'small'; gives its path."""

    def write(*urls, bundled=False, default="small", **changes):
        if bundled:
            (tmp_path / "models").mkdir(exist_ok=True)
            content = bundle_bytes if bundled is True else bundled
            (tmp_path / "models" / "small.zip").write_bytes(content)
        entry = {
            "file": "models/small.zip" if bundled else None,
            "urls": list(urls),
            "sha256": hashlib.sha256(bundle_bytes).hexdigest(),
            "size": len(bundle_bytes),
            "licence": "BSD-3-Clause",
            "description": "A small network",
            **changes,
        }
        content = {"format": 1, "default": default, "models": {"small": entry}}
        path = tmp_path / "registry.json"
        path.write_text(json.dumps(content))
        return path

    return write


def cached(cache):
    """Contents of the download cache."""
    return [p.read_bytes() for p in cache.rglob("contents")]


# ---------------------------------------------------------------- the registry


def test_the_registry_of_the_package_is_valid():
    table = list_models()
    assert table.colnames == [
        "name",
        "size",
        "licence",
        "bundled",
        "default",
        "description",
    ]
    assert table["size"].unit == "byte"
    assert table["bundled"].dtype == table["default"].dtype == bool
    assert np.count_nonzero(table["default"]) <= 1
    for name in table["name"]:
        entry = get_entry(name)
        assert entry.licence and entry.description
        if entry.file is not None:
            assert hashlib.sha256(entry.file.read_bytes()).hexdigest() == entry.sha256
            assert load_bundle(entry.file).name == name


def test_models_are_listed(register):
    (row,) = list_models(registry=register("https://example.org/small.zip"))
    assert row["name"] == "small"
    assert row["size"].to_value("byte") > 1000
    assert row["default"] and not row["bundled"]
    (row,) = list_models(registry=register(bundled=True, default=None))
    assert row["bundled"] and not row["default"]


def test_a_registry_without_models_gives_clear_errors(tmp_path, cache):
    path = tmp_path / "registry.json"
    path.write_text('{"format": 1, "default": null, "models": {}}')
    assert len(list_models(registry=path)) == 0
    for function in (fetch_model, verify_model, get_entry):
        with pytest.raises(UnknownModelError, match="no default.*from_file"):
            function(registry=path)
        with pytest.raises(UnknownModelError, match="'x'.*registered: none"):
            function("x", registry=path)


def test_the_default_is_the_settings_or_the_registrys(register):
    path = register(bundled=True)
    assert get_entry(registry=path).name == "small"
    with conf.set_temp("default_model", "other"):
        with pytest.raises(UnknownModelError, match="conf.default_model.*'other'"):
            get_entry(registry=path)
        assert get_entry("small", registry=path).name == "small"
    with conf.set_temp("default_model", "small"):
        assert get_entry(registry=register(bundled=True, default=None)).default is False


def test_the_registry_can_be_another_one_for_a_while(register, monkeypatch):
    monkeypatch.setattr(registry, "REGISTRY", register(bundled=True))
    assert list(list_models()["name"]) == ["small"]


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("no JSON", "cannot be read"),
        ("[]", "format 1"),
        ('{"format": 2}', "upgrade"),
        ('{"format": 1, "default": "x", "models": {}}', "needs 'models'"),
        ('{"format": 1, "models": {"x": {}}}', "x: 'file'"),
    ],
)
def test_a_registry_that_is_not_valid_is_refused(tmp_path, content, message):
    path = tmp_path / "registry.json"
    path.write_text(content)
    with pytest.raises(BundleError, match=message):
        list_models(registry=path)
    with pytest.raises(BundleError, match="cannot be read"):
        list_models(registry=tmp_path / "nothing.json")


@pytest.mark.parametrize(
    "changes",
    [
        {"sha256": "abc"},
        {"size": "1 kB"},
        {"file": "../small.zip"},
        {"file": "/etc/passwd"},
        {"urls": [], "file": None},
    ],
)
def test_an_entry_that_is_not_valid_is_refused(register, changes):
    with pytest.raises(BundleError, match="small: "):
        get_entry(registry=register("https://example.org", **changes))


# ---------------------------------------------------------------- fetching


def test_the_right_file_is_fetched_once(server, register, cache, bundle_bytes):
    server.answers["/small.zip"] = bundle_bytes
    path = register(f"{server.url}/small.zip")
    first = fetch_model("small", registry=path)
    assert first.read_bytes() == bundle_bytes
    assert first.is_relative_to(cache)
    assert load_bundle(first).name == "small"
    assert fetch_model(registry=path) == first
    assert server.asked == ["/small.zip"]
    digest = hashlib.sha256(bundle_bytes).hexdigest()
    urls = [f"{server.url}/small.zip#sha256={digest}"]
    assert get_cached_urls(pkgname="galmorph") == urls


def test_without_length_the_right_file_is_fetched(
    server, register, cache, bundle_bytes
):
    server.answers["/small.zip"] = ("no length", bundle_bytes)
    path = register(f"{server.url}/small.zip")
    assert fetch_model(registry=path).read_bytes() == bundle_bytes


def test_it_can_do_without_the_cache(server, register, cache, bundle_bytes):
    server.answers["/small.zip"] = bundle_bytes
    path = register(f"{server.url}/small.zip")
    found = fetch_model(registry=path, cache=False)
    assert found.read_bytes() == bundle_bytes
    assert cached(cache) == []


@pytest.mark.parametrize(
    ("answer", "message"),
    [
        (404, "HTTPError.*404"),
        (503, "HTTPError.*503"),
        (b"<html>Please log in</html>", "wrong file: it has 26 bytes instead of"),
        ("same size", "wrong file: its SHA-256 is"),
        ("cut", "only got|bytes"),
        ("cut no length", "wrong file: it has"),
        ("hang up", "URLError|RemoteDisconnected|Connection"),
        ("slow", "timed out|TimeoutError"),
    ],
)
def test_a_bad_answer_is_told_and_leaves_nothing_behind(
    server, register, cache, bundle_bytes, answer, message
):
    answers = {
        "same size": bytes(len(bundle_bytes)),
        "cut": ("cut", bundle_bytes),
        "cut no length": ("no length", bundle_bytes[:1000]),
        "hang up": ("hang up", b""),
        "slow": ("slow", bundle_bytes),
    }
    bad, good = f"{server.url}/bad.zip", f"{server.url}/good.zip"
    server.answers["/bad.zip"] = answers.get(answer, answer)
    path = register(bad)
    with data_conf.set_temp("remote_timeout", 0.5):
        with pytest.raises(DownloadError, match=message) as caught:
            fetch_model(registry=path)
        assert bad in str(caught.value)
        assert "conf.model_mirrors" in str(caught.value)
        assert cached(cache) == []
        # the next source is tried, and after it none
        server.answers["/good.zip"] = bundle_bytes
        found = fetch_model(registry=register(bad, good, f"{server.url}/last.zip"))
    assert found.read_bytes() == bundle_bytes
    assert server.asked[-1] == "/good.zip"
    assert cached(cache) == [bundle_bytes]


def test_sources_are_tried_in_order(server, register, cache, bundle_bytes):
    mirrors = [f"{server.url}/first", f"{server.url}/second/"]
    path = register(f"{server.url}/own.zip")
    with conf.set_temp("model_mirrors", mirrors):
        with pytest.raises(DownloadError) as caught:
            fetch_model(registry=path)
        order = ["/first/small.zip", "/second/small.zip", "/own.zip"]
        assert server.asked == order
        places = [str(caught.value).index(f"{server.url}{path}: ") for path in order]
        assert places == sorted(places)
        server.asked.clear()
        server.answers["/first/small.zip"] = b"wrong"
        server.answers["/second/small.zip"] = bundle_bytes
        assert fetch_model(registry=path).read_bytes() == bundle_bytes
        assert server.asked == order[:2]
    # whatever the source, it is known under the registered address
    (url,) = get_cached_urls(pkgname="galmorph")
    assert url.startswith(f"{server.url}/own.zip#sha256=")


def test_a_mirror_can_be_a_folder(register, cache, tmp_path, bundle_bytes):
    (tmp_path / "mirror").mkdir()
    (tmp_path / "mirror" / "small.zip").write_bytes(bundle_bytes)
    with conf.set_temp("model_mirrors", [(tmp_path / "mirror").as_uri()]):
        found = fetch_model(registry=register("http://127.0.0.1:1/small.zip"))
    assert found.read_bytes() == bundle_bytes


def test_sources_that_make_no_sense_are_told(register, cache):
    with conf.set_temp("model_mirrors", ["nonsense", "gopher://example.org"]):
        with pytest.raises(DownloadError, match="(?s)nonsense/small.zip: .*gopher"):
            fetch_model(registry=register("http://127.0.0.1:1/small.zip"))


def test_a_bundled_model_needs_no_network(register, cache, bundle_bytes, monkeypatch):
    def refuse(*args, **kwargs):
        raise AssertionError("the network was used")

    path = register("https://example.org/small.zip", bundled=True)
    monkeypatch.setattr(socket.socket, "connect", refuse)
    with data_conf.set_temp("allow_internet", False):
        found = fetch_model(registry=path)
        assert found.read_bytes() == bundle_bytes
        assert found.is_relative_to(cache)
        assert fetch_model(registry=path) == found
        assert data_conf.allow_internet is False


def test_a_bundled_model_needs_no_address(register, cache, bundle_bytes):
    path = register(bundled=True)
    assert fetch_model(registry=path).read_bytes() == bundle_bytes
    assert fetch_model(registry=path).is_relative_to(cache)


def test_a_damaged_bundled_model_is_fetched_from_its_address(
    server, register, cache, bundle_bytes
):
    server.answers["/small.zip"] = bundle_bytes
    path = register(f"{server.url}/small.zip", bundled=bytes(len(bundle_bytes)))
    assert fetch_model(registry=path).read_bytes() == bundle_bytes


def test_no_network_is_told(register, cache):
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        url = f"http://127.0.0.1:{unused.getsockname()[1]}/small.zip"
        with pytest.raises(DownloadError, match="refused"):
            fetch_model(registry=register(url))
    with data_conf.set_temp("allow_internet", False):
        with pytest.raises(DownloadError, match="allow_internet"):
            fetch_model(registry=register(url))


def test_what_is_in_the_cache_needs_no_network(server, register, cache, bundle_bytes):
    server.answers["/small.zip"] = bundle_bytes
    path = register(f"{server.url}/small.zip")
    found = fetch_model(registry=path)
    with data_conf.set_temp("allow_internet", False):
        assert fetch_model(registry=path) == found


@pytest.mark.parametrize("damage", [b"", b"cut", None])
def test_a_corrupted_entry_is_evicted_and_fetched_again(
    server, register, cache, bundle_bytes, damage
):
    server.answers["/small.zip"] = bundle_bytes
    path = register(f"{server.url}/small.zip")
    found = fetch_model(registry=path)
    found.write_bytes(bytes(len(bundle_bytes)) if damage is None else damage)
    with pytest.warns(GalmorphWarning, match="download cache is wrong.*fetched again"):
        again = fetch_model(registry=path)
    assert again.read_bytes() == bundle_bytes
    assert cached(cache) == [bundle_bytes]
    assert len(server.asked) == 2
    again.write_bytes(b"wrong")
    server.answers.clear()
    with pytest.warns(GalmorphWarning), pytest.raises(DownloadError, match="404"):
        fetch_model(registry=path)
    assert cached(cache) == []


# astropy before 8 says it twice
@pytest.mark.filterwarnings("ignore:Remote data cache could not be accessed")
def test_a_cache_that_cannot_be_made_is_done_without(
    server, register, cache, bundle_bytes
):
    server.answers["/small.zip"] = bundle_bytes
    cache.rmdir()
    cache.write_text("a file where a folder should be")
    with pytest.warns(CacheMissingWarning, match="temporary file"):
        found = fetch_model(registry=register(f"{server.url}/small.zip"))
    assert found.read_bytes() == bundle_bytes


def test_a_cache_that_is_full_is_done_without(
    server, register, cache, bundle_bytes, monkeypatch
):
    def full(*args, **kwargs):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("astropy.utils.data.import_file_to_cache", full)
    server.answers["/small.zip"] = bundle_bytes
    with pytest.warns(GalmorphWarning, match="No space left.*temporary file"):
        found = fetch_model(registry=register(f"{server.url}/small.zip"))
    assert found.read_bytes() == bundle_bytes


def test_a_read_only_cache_is_done_without(server, register, cache, bundle_bytes):
    server.answers["/small.zip"] = bundle_bytes
    path = register(f"{server.url}/small.zip")
    folder = cache / "download" / "url"
    folder.mkdir(parents=True)
    folder.chmod(0o555)
    try:
        if os.access(folder, os.W_OK):
            pytest.skip("this user may write to read-only folders")
        with pytest.warns(CacheMissingWarning, match="temporary file"):
            assert fetch_model(registry=path).read_bytes() == bundle_bytes
        # a wrong entry that cannot be dropped is passed by
        folder.chmod(0o755)
        found = fetch_model(registry=path)
        found.write_bytes(b"wrong")
        folder.chmod(0o555)
        with pytest.warns((CacheMissingWarning, GalmorphWarning)):
            again = fetch_model(registry=path)
        assert again.read_bytes() == bundle_bytes
        assert found.read_bytes() == b"wrong"
    finally:
        folder.chmod(0o755)


CODE = """
import sys
from astropy.utils import data
from galmorph.models import fetch_model, load_bundle
print("ready", flush=True)
sys.stdin.readline()
print(load_bundle(fetch_model(registry=sys.argv[1])).sha256)
"""


@pytest.mark.parametrize("corrupted", [False, True])
def test_processes_may_fetch_at_the_same_time(
    server, register, cache, bundle_bytes, corrupted
):
    server.answers["/small.zip"] = bundle_bytes
    path = register(f"{server.url}/small.zip")
    if corrupted:
        fetch_model(registry=path).write_bytes(b"wrong")
    command = [sys.executable, "-W", "ignore", "-c", CODE, str(path)]
    pipes = dict.fromkeys(("stdin", "stdout", "stderr"), subprocess.PIPE)
    root = os.path.dirname(os.path.dirname(galmorph.__file__))
    with contextlib.ExitStack() as stack:
        processes = [
            stack.enter_context(subprocess.Popen(command, cwd=root, text=True, **pipes))
            for _ in range(3)
        ]
        for process in processes:
            assert process.stdout.readline() == "ready\n"
        for process in processes:
            process.stdin.write("go\n")
            process.stdin.flush()
        printed = [process.communicate(timeout=120) for process in processes]
    expected = (f"{hashlib.sha256(bundle_bytes).hexdigest()}\n", "")
    assert printed == [expected] * 3
    assert cached(cache) == [bundle_bytes]


def test_the_file_of_another_version_is_another_file(
    register, cache, bundle_bytes, tmp_path
):
    # galmorph is upgraded in its place, and the model has kept its name
    found = fetch_model(registry=register(bundled=True))
    newer = save_small_bundle(tmp_path / "newer.zip", card="A newer card.").read_bytes()
    changes = {"sha256": hashlib.sha256(newer).hexdigest(), "size": len(newer)}
    path = register(bundled=newer, **changes)
    assert verify_model(registry=path).path == tmp_path / "models" / "small.zip"
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert fetch_model(registry=path).read_bytes() == newer
    assert verify_model(registry=path).path.is_relative_to(cache)
    # both versions may be in use
    assert found.read_bytes() == bundle_bytes


# ---------------------------------------------------------------- verifying


def test_verify_reports_on_the_cached_or_the_bundled_file(
    register, cache, bundle_bytes
):
    path = register(bundled=True)
    report = verify_model(registry=path)
    assert report.path == path.parent / "models" / "small.zip"
    assert report.size == len(bundle_bytes)
    assert cached(cache) == []
    found = fetch_model(registry=path)
    report = verify_model("small", registry=path)
    assert report.path == found
    text = str(report)
    assert "small: OK" in text and str(found) in text and report.sha256 in text
    found.write_bytes(b"wrong")
    with pytest.raises(BundleError, match="5 bytes instead.*models fetch"):
        verify_model(registry=path)


def test_verify_fetches_nothing(server, register, cache, bundle_bytes):
    server.answers["/small.zip"] = bundle_bytes
    path = register(f"{server.url}/small.zip")
    with pytest.raises(DownloadError, match="not on this machine.*models fetch small"):
        verify_model(registry=path)
    assert server.asked == []


def test_verify_notices_a_damaged_installation(register, cache, bundle_bytes):
    path = register(bundled=bytes(len(bundle_bytes)))
    with pytest.raises(BundleError, match="SHA-256.*install galmorph again"):
        verify_model(registry=path)


def test_looking_into_an_absent_cache_does_not_warn(register, cache):
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        with pytest.raises(DownloadError):
            verify_model(registry=register("https://example.org/small.zip"))
