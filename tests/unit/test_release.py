"""`make release`: version, changelog and tag in one commit, or nothing at all."""

import subprocess

import pytest

from tests.runs.release import Refused, release, with_section

LOG = "# Changelog\n\n## [Unreleased]\n\n### Added\n- A thing.\n"


def git(root, *arguments):
    return subprocess.run(["git", *arguments], cwd=root, check=True, capture_output=True, text=True).stdout.strip()


@pytest.fixture
def root(tmp_path):
    (tmp_path / "app").mkdir()
    (tmp_path / "app" / "__init__.py").write_text('__version__ = "0.1.0"\n')
    (tmp_path / "CHANGELOG.md").write_text(LOG)
    git(tmp_path, "init", "--quiet", "--initial-branch", "main")
    for name, value in (("user.name", "A tester"), ("user.email", "tester@example.org")):
        git(tmp_path, "config", name, value)
    git(tmp_path, "add", "--all")
    git(tmp_path, "commit", "--quiet", "--message", "begin")
    return tmp_path


@pytest.mark.parametrize("version", ["0.1.0", "0.1.1", "0.10.0", "1.0.0"])
def test_version_changelog_and_tag_are_one_commit(root, version):
    release(root, version, "2026-11-26")
    assert (root / "app" / "__init__.py").read_text() == f'__version__ = "{version}"\n'
    assert (root / "CHANGELOG.md").read_text() == (
        f"# Changelog\n\n## [Unreleased]\n\n## [{version}] - 2026-11-26\n\n### Added\n- A thing.\n"
    )
    assert git(root, "rev-parse", f"v{version}^{{commit}}") == git(root, "rev-parse", "HEAD")
    assert git(root, "status", "--porcelain") == ""


@pytest.mark.parametrize(
    ("version", "before", "says"),
    [
        ("0.0.9", [], "is below 0.1.0"),
        ("0.1", [], "is no version"),
        ("v0.1.1", [], "is no version"),
        ("0.1.1", [["checkout", "--quiet", "-b", "other"]], "branch main"),
        ("0.1.1", [["tag", "v0.1.1"]], "is there already"),
    ],
)
def test_what_is_refused_changes_nothing(root, version, before, says):
    for arguments in before:
        git(root, *arguments)
    head = git(root, "rev-parse", "HEAD")
    with pytest.raises(Refused, match=says):
        release(root, version, "2026-11-26")
    assert (git(root, "rev-parse", "HEAD"), git(root, "status", "--porcelain")) == (head, "")


def test_changes_that_are_not_committed_are_refused(root):
    (root / "CHANGELOG.md").write_text(LOG + "- Another.\n")
    with pytest.raises(Refused, match="not committed"):
        release(root, "0.1.1", "2026-11-26")


@pytest.mark.parametrize("log", ["# Changelog\n", "## [Unreleased]\n\n## [0.1.0] - 2026-01-01\n- x\n"])
def test_without_an_entry_there_is_nothing_to_release(log):
    with pytest.raises(Refused, match="has nothing under"):
        with_section(log, "0.1.1", "2026-11-26")
