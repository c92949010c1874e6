# Licensed under a 3-clause BSD style license - see licenses/LICENSE.rst
import os
import subprocess
import sys

import pytest

import galmorph as package
from galmorph.cli.program import VERBS

COMMAND = [sys.executable, "-m", "galmorph"]


def test_help_names_every_verb_and_loads_nothing_heavy():
    words = [sys.executable, "-X", "importtime", "-m", "galmorph", "--help"]
    run = subprocess.run(words, capture_output=True, text=True)
    assert run.returncode == 0
    assert all(f"\n    {verb} " in run.stdout for verb in VERBS)
    loaded = {line.rpartition("|")[2].strip() for line in run.stderr.splitlines()}
    heavy = {"tensorflow", "keras", "matplotlib", "photutils", "scipy", "astropy.table"}
    assert not loaded & heavy


def test_version(galmorph):
    assert galmorph("--version") == (0, package.__version__ + "\n", "")


@pytest.mark.parametrize(
    "words",
    [[verb] for verb in VERBS]
    + [["models", action] for action in ("list", "show", "fetch", "verify")]
    + [["simulate", kind] for kind in ("galaxies", "field")],
    ids=" ".join,
)
def test_help_of_a_verb_ends_with_an_example_that_parses(galmorph, words):
    code, out, err = galmorph(*words, "--help")
    assert (code, err) == (0, "")
    example = out.split("example:\n  ")[1].strip()
    assert example.startswith("galmorph " + words[0])
    from galmorph.cli.program import build_parser

    build_parser().parse_args(example.split()[1:])


@pytest.mark.parametrize(
    ("words", "message"),
    [
        ([], "usage: galmorph"),
        (["paint"], "invalid choice: 'paint'"),
        (["classify"], "required: IMAGE"),
        (["models"], "required: ACTION"),
        (["classify", "a.fits", "--pixel-scale", "-1"], "expected a positive number"),
        (["classify", "a.fits", "--pixel-scale", "wide"], "expected a positive number"),
        (["mosaic", "a.fits", "--n-pixels", "2.5"], "positive whole number"),
        (["mosaic", "a.fits", "--rms", "r", "--weight", "w"], "not allowed with"),
        (["annotate", "c", "i", "--ra", "RA"], "--ra and --dec belong together"),
        (["annotate", "c", "i", "--y", "Y"], "--x and --y belong together"),
        (
            ["annotate", "c", "i", "--ra", "a", "--dec", "d", "--x", "x", "--y", "y"],
            "not both",
        ),
        (["classify", "a.fits", "--gallery", "g.ecsv"], "no suffix of a picture"),
        (["classify", "a.fits", "-o", "out.doc"], "out.doc"),
        (["classify", "a.fits", "-o", "a.ecsv", "-o", "a.ecsv"], "named twice"),
        (["evaluate", "l", "--predictions", "p", "--model", "m"], "goes with --images"),
        (["classify", "a.fits", "--model", "no-such-model"], "no-such-model"),
        (["models", "show", "no-such-model"], "no-such-model"),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, list) else "",
)
def test_bad_usage_is_told_with_code_2(galmorph, words, message):
    code, out, err = galmorph(*words)
    assert (code, out) == (2, "")
    assert message in err
    assert "Traceback" not in err


def test_existing_files_are_kept_unless_told(galmorph, cutout, model, tmp_path):
    output = tmp_path / "out.ecsv"
    output.write_text("mine")
    code, _, err = galmorph("classify", cutout, "--model", model, "-o", output)
    assert code == 1
    assert "--overwrite" in err
    assert output.read_text() == "mine"
    code, _, _ = galmorph(
        "classify", cutout, "--model", model, "-o", output, "--overwrite"
    )
    assert code == 0
    assert "f_disk" in output.read_text()


def test_missing_folder_is_noticed_before_the_work(galmorph, tmp_path):
    code, _, err = galmorph("classify", "no.fits", "-o", tmp_path / "no" / "out.ecsv")
    assert code == 1
    assert "there is no folder" in err


def test_unexpected_errors_show_a_traceback_with_debug_only(galmorph, monkeypatch):
    def fail(args):
        raise RuntimeError("an accident")

    monkeypatch.setattr("galmorph.models.list_models", fail)
    monkeypatch.setattr("galmorph.cli.models.run_list", fail)
    code, _, err = galmorph("models", "list")
    assert code == 1
    assert "unexpected RuntimeError: an accident" in err
    assert "--debug" in err
    for words in (["--debug", "models", "list"], ["models", "list", "--debug"]):
        with pytest.raises(RuntimeError, match="an accident"):
            galmorph(*words)


def test_a_reader_that_goes_away_is_no_error():
    read, write = os.pipe()
    os.close(read)
    run = subprocess.run(
        [*COMMAND, "models", "list"], stdout=write, stderr=subprocess.PIPE, text=True
    )
    os.close(write)
    assert run.returncode == 141
    assert run.stderr == ""


def test_interruption_is_told_without_traceback(galmorph, monkeypatch, tmp_path):
    def interrupt(path):
        raise KeyboardInterrupt

    monkeypatch.setattr("galmorph.tables.read_table", interrupt)
    words = ("annotate", "catalog.ecsv", "image.fits")
    monkeypatch.setattr("galmorph.cli.annotate.load_classifier", lambda args: None)
    assert galmorph(*words) == (130, "", "\ngalmorph: interrupted\n")
