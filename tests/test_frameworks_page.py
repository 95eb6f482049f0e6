"""The page of frameworks says what the adapters declare."""

from pathlib import Path

import pytest

from samestep.frameworks import ASPECTS, FRAMEWORKS
from samestep.report import frameworks

ROOT = Path(__file__).parent.parent
REQUIREMENTS = [ROOT / "requirements" / name for name in ("test.txt", "torch.txt", "tensorflow1.txt")]
PAGE = ROOT / "docs" / "reference" / "frameworks.md"


def test_the_page_is_what_the_adapters_declare_today():
    assert PAGE.read_text(encoding="utf-8") == frameworks.page(REQUIREMENTS), "write it anew: make docs"


def test_the_makefile_writes_this_page():
    makefile = (ROOT / "Makefile").read_text(encoding="utf-8").replace("\\\n", "")
    names = " ".join(path.name for path in REQUIREMENTS)
    assert f"samestep.report.frameworks $(addprefix requirements/,{names})" in makefile
    assert f"> {PAGE.relative_to(ROOT)}" in makefile


def test_a_gap_changes_the_page(monkeypatch):
    before = frameworks.page(REQUIREMENTS)
    monkeypatch.setattr(frameworks, "gaps", lambda source: {"slots": "they are nowhere to be found"})
    after = frameworks.page(REQUIREMENTS)
    assert "they are nowhere to be found" in after
    assert f"| **slots**: {ASPECTS['slots']} | see below |" in after
    assert f"| **slots**: {ASPECTS['slots']} | yes |" in before


def test_a_version_changes_the_page(tmp_path):
    pins = tmp_path / "test.txt"
    pins.write_text("tf-keras==1.2.3 ; x \\\n    --hash=1\nnumpy==9.9\njax==0.1\njax==0.2 ; y\n")
    assert "tf-keras 1.2.3, jax 0.1 or 0.2 |" in frameworks.page([pins])


def test_every_framework_is_on_the_page():
    page = PAGE.read_text(encoding="utf-8")
    for framework in FRAMEWORKS:
        assert f"| `{framework.name}` | {framework.title} | `samestep.frameworks.{framework.module}` |" in page
        assert f"\n## {framework.module}\n" in page


@pytest.mark.parametrize("source", ["", "LIMITS = {}", "def f():\n    GAPS = {}"])
def test_an_adapter_without_gaps_cannot_be_written_up(source):
    with pytest.raises(ValueError, match="declares GAPS"):
        frameworks.gaps(source)
