# Licensed under a 3-clause BSD style license - see licenses/LICENSE.rst
"""
Directives that make tables and help texts from the code, so that they stay true.
"""

import ast
import contextlib
import io
import os
import re
from pathlib import Path
from unittest import mock

import numpy as np
from docutils import nodes
from sphinx.util.docutils import SphinxDirective


class CodeTable(SphinxDirective):
    """A list-table of the rows that a subclass gives."""

    header = ()
    widths = ""

    def rows(self):
        raise NotImplementedError

    def run(self):
        lines = [".. list-table::", "   :header-rows: 1", f"   :widths: {self.widths}"]
        for row in (self.header, *self.rows()):
            first, *others = row
            lines += ["", f"   * - {first}", *(f"     - {cell}" for cell in others)]
        return self.parse_text_to_nodes("\n".join(lines))


class FlagTable(CodeTable):
    """The quality bits."""

    header = ("Bit", "Value", "Name", "Meaning")
    widths = "5 8 20 67"

    def rows(self):
        from galmorph.core import FLAGS

        for bit, flag in enumerate(FLAGS):
            yield bit, flag.value, f"``{flag.name}``", flag.description


class ClassTable(CodeTable):
    """The dominant classes."""

    header = ("``morph_class``", "Meaning")
    widths = "25 75"

    def rows(self):
        from galmorph.tables import CLASSES

        for name, meaning in CLASSES.items():
            yield f"``{name}``", meaning


class SchemeTable(CodeTable):
    """The outputs of a label scheme."""

    required_arguments = 1
    header = ("Output", "Meaning")
    widths = "25 75"

    def rows(self):
        from galmorph.core import get_scheme

        scheme = get_scheme(self.arguments[0])
        for output in scheme.outputs:
            yield f"``{output}``", scheme.describe(output)


class ColumnTable(CodeTable):
    """The columns of a real table: of results, or of a detection."""

    required_arguments = 1
    header = ("Column", "Unit", "Meaning")
    widths = "32 18 50"

    def rows(self):
        table = {"results": results, "detection": detection}[self.arguments[0]]()
        for name in table.colnames:
            unit = table[name].info.unit
            yield f"``{name}``", unit or "", table[name].info.description or ""


class ModuleTable(CodeTable):
    """The modules of the package, in their own words."""

    header = ("Module", "Contents")
    widths = "35 65"

    def rows(self):
        import galmorph

        root = Path(galmorph.__file__).parent
        for path in sorted(root.rglob("*.py")):
            parts = path.relative_to(root).with_suffix("").parts
            if parts[0] in ("tests", "conftest", "__main__", "_version"):
                continue
            text = ast.get_docstring(ast.parse(path.read_text("utf-8")))
            first = " ".join(text.split("\n\n")[0].split())
            first = re.sub("`+", "``", first)  # names, not links
            name = "/".join(parts).removesuffix("__init__")
            yield f"``{name or 'galmorph'}``", first


class CommandHelp(SphinxDirective):
    """What ``galmorph WORDS --help`` prints."""

    optional_arguments = 1
    final_argument_whitespace = True

    def run(self):
        from galmorph.cli import main

        words = self.arguments[0].split() if self.arguments else []
        output = io.StringIO()
        with (
            mock.patch.dict(os.environ, COLUMNS="80"),
            contextlib.redirect_stdout(output),
        ):
            main([*words, "--help"])
        block = nodes.literal_block(output.getvalue(), output.getvalue())
        block["language"] = "text"
        return [block]


class ModelCard(SphinxDirective):
    """The card of a registered model, by default of the default one."""

    optional_arguments = 1

    def run(self):
        from galmorph import MorphologyClassifier

        card = MorphologyClassifier(*self.arguments).card
        return self.parse_text_to_nodes("\n".join(_as_rst(card)))


def _as_rst(markdown):
    """The little Markdown that cards are written in; the title is left out."""
    table = []
    for line in [*markdown.splitlines(), ""]:
        if line.startswith("|"):
            table.append([cell.strip() for cell in line.strip("|").split("|")])
            continue
        if table:
            yield from (".. list-table::", "   :header-rows: 1")
            for first, *others in (table[0], *table[2:]):
                yield from ("", f"   * - {first}", *(f"     - {x}" for x in others))
            yield ""
            table = []
        if line.startswith("## "):
            yield f".. rubric:: {line.removeprefix('## ')}"
        elif not line.startswith("# "):
            yield re.sub("`([^`]+)`", r"``\1``", line)


def small_image():
    """A galaxy on noise, with a WCS and a unit."""
    from astropy import units as u
    from astropy.nddata import NDData
    from astropy.wcs import WCS

    from galmorph.images import as_nddata

    wcs = WCS(naxis=2)
    wcs.wcs.ctype = ["RA---TAN", "DEC--TAN"]
    wcs.wcs.cdelt = [-0.06 / 3600, 0.06 / 3600]
    y, x = np.mgrid[:100, :100] - 50.0
    noise = np.random.default_rng(1).normal(size=x.shape)
    data = 100 * np.exp(-np.hypot(x, y) / 5) + noise
    return as_nddata(NDData(data, wcs=wcs, unit=u.electron / u.s))


def detection():
    from galmorph.images import detect_sources

    return detect_sources(small_image()).catalog


def results():
    from galmorph.core import CANDELS
    from galmorph.images import Preprocessor, cutout_from_image
    from galmorph.tables import result_table

    stamps = Preprocessor()([cutout_from_image(small_image())])
    return result_table(
        np.zeros((1, 5)),
        np.zeros((1, 5)),
        stamps.flags,
        scheme=CANDELS,
        ids=["a"],
        measurements=stamps.measurements,
    )


def setup(app):
    app.add_directive("flag-table", FlagTable)
    app.add_directive("class-table", ClassTable)
    app.add_directive("scheme-table", SchemeTable)
    app.add_directive("column-table", ColumnTable)
    app.add_directive("module-table", ModuleTable)
    app.add_directive("command-help", CommandHelp)
    app.add_directive("model-card", ModelCard)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
