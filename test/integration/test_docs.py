"""The commands of the documents print what the documents show."""

from __future__ import annotations

import os
import pathlib
import re
import subprocess

import pytest

ROOT = pathlib.Path(__file__).resolve().parent.parent.parent
RELEASE = pathlib.Path(os.environ.get("AI4K8S_RELEASE") or ROOT / "build")  # they compute much


@pytest.mark.slow(60)
@pytest.mark.parametrize("name", ["model.md", "offline.md", "advisor.md"])
def test_commands_print_what_is_shown(name):
    done = subprocess.run([ROOT / "hack/docs", "--check", "--build", RELEASE, name], capture_output=True, text=True,
                          timeout=1500, check=False)
    assert done.returncode == 0, done.stdout[-8000:] + done.stderr


@pytest.mark.parametrize("path", sorted([*ROOT.glob("docs/*.md"), ROOT / "README.md"]), ids=lambda p: p.name)
def test_links_lead_somewhere(path):
    for link in re.findall(r"\]\(([^)\s]+)\)", path.read_text()):
        target, _, anchor = link.partition("#")
        if "://" in target:
            continue
        page = (path.parent / target).resolve() if target else path
        assert page.exists(), link
        if anchor:
            headings = re.findall(r"^#+ +(.*)$", page.read_text(), re.M)
            slugs = {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}
            assert anchor in slugs, link
