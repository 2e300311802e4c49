"""What must hold of the source itself."""

import re
import subprocess
import sys
from pathlib import Path

import pytest
from repository import ROOT

SOURCES = [*sorted((ROOT / "latentlab").rglob("*.py")), ROOT / "app.py"]
CONVERT = ROOT / "latentlab/models/stylegan2/convert.py"
INERT_PICKLE = ROOT / "latentlab/models/stylegan2/inert_pickle.py"  # looks names up in a closed table
CODE_FROM_DATA = re.compile(
    r"^\s*(import|from)\s+(pickle|joblib|dill|marshal|shelve)\b"
    r"|torch\.load\(|allow_pickle\s*=\s*True|yaml\.load\(|shell\s*=\s*True|(?<![.\w])(eval|exec)\("
)


@pytest.mark.parametrize("path", SOURCES, ids=lambda path: str(path.relative_to(ROOT)))
def test_no_code_is_read_from_data(path: Path) -> None:
    found = [line for line in path.read_text().splitlines() if CODE_FROM_DATA.search(line)]
    if path == INERT_PICKLE:
        found = [line for line in found if line != "import pickle"]
    if path in (CONVERT, INERT_PICKLE):  # the one verb for published files: tensors only
        found = [line for line in found if "weights_only=True" not in line and "import UnpicklingError" not in line]
    assert not found


def test_only_the_verb_that_converts_knows_the_converter() -> None:
    users = {path for path in SOURCES if re.search(r"stylegan2(\.| import )convert\b", path.read_text())}
    assert users <= {ROOT / "latentlab/cli/convert.py"}


def test_pickles_are_loaded_by_the_closed_table_alone() -> None:
    text = INERT_PICKLE.read_text()
    assert re.findall(r"pickle\.\w+", text) == ["pickle.Unpickler", "pickle.UnpicklingError"]
    users = {path for path in SOURCES if "inert_pickle import" in path.read_text()}
    assert users == {ROOT / "latentlab/models/stylegan2/nvlabs.py"}


def test_every_requirement_is_pinned() -> None:
    files = ("requirements.txt", "requirements-dev.txt", "requirements-oldest.txt")
    names = "".join((ROOT / file).read_text() for file in files)
    lines = [line for line in names.splitlines() if not line.startswith("-r ")]
    assert lines
    assert not [line for line in lines if not re.fullmatch(r"[\w-]+(\[\w+\])?==[\w.]+", line)]


def test_importing_the_package_imports_nothing_heavy() -> None:
    heavy = "print({'torch', 'gradio', 'torchvision', 'umap', 'captum'} & set(__import__('sys').modules))"
    run = subprocess.run([sys.executable, "-c", f"import latentlab; {heavy}"], capture_output=True, text=True, cwd=ROOT)
    assert run.stdout.strip() == "set()", run.stderr


def test_the_page_file_is_short() -> None:
    assert len((ROOT / "app.py").read_text().splitlines()) <= 40
