"""`make release VERSION=0.1.1`: the version, the changelog's section and the tag, in one commit. Nothing is pushed.

`make release` of the version that `app/__init__.py` already holds tags that one, if it has no tag yet.
"""

import argparse
import datetime as dt
import re
import subprocess
import sys
from pathlib import Path

VERSION = re.compile(r"\d+\.\d+\.\d+")
UNRELEASED = "## [Unreleased]"


class Refused(Exception):
    """A sentence for the person who releases."""


def git(root, *arguments):
    """What a git command prints. Raises Refused with what it complains of."""
    done = subprocess.run(["git", *arguments], cwd=root, capture_output=True, text=True, check=False)
    if done.returncode:
        raise Refused(f"git {arguments[0]} failed: {done.stderr.strip()}")
    return done.stdout.strip()


def with_section(changelog, version, today):
    """The changelog with what is unreleased under the version's own heading. Raises Refused where there is nothing to release."""
    before, found, after = changelog.partition(UNRELEASED + "\n")
    unreleased = re.split(r"^## ", after, maxsplit=1, flags=re.MULTILINE)[0]
    if not found or not unreleased.strip():
        raise Refused(f"CHANGELOG.md has nothing under {UNRELEASED}")
    if f"## [{version}]" in changelog:
        raise Refused(f"CHANGELOG.md has a section of {version} already")
    return f"{before}{UNRELEASED}\n\n## [{version}] - {today}\n{after}"


def release(root, version, today):
    """Write, commit and tag. Raises Refused, and then nothing has changed."""
    if not VERSION.fullmatch(version):
        raise Refused(f"{version!r} is no version: three numbers, as in 0.1.1")
    if git(root, "status", "--porcelain"):
        raise Refused("there are changes that are not committed")
    if git(root, "branch", "--show-current") != "main":
        raise Refused("releases are made on the branch main")
    if git(root, "tag", "--list", f"v{version}"):
        raise Refused(f"the tag v{version} is there already")
    module, changelog = root / "app" / "__init__.py", root / "CHANGELOG.md"
    text = module.read_text(encoding="utf-8")
    now = re.search(r'__version__ = "(.*)"', text)[1]
    if tuple(map(int, version.split("."))) < tuple(map(int, now.split("."))):
        raise Refused(f"{version} is below {now}, the version in app/__init__.py")
    changed = with_section(changelog.read_text(encoding="utf-8"), version, today)
    module.write_text(text.replace(f'__version__ = "{now}"', f'__version__ = "{version}"'), encoding="utf-8")
    changelog.write_text(changed, encoding="utf-8")
    git(root, "commit", "--quiet", "--all", "--message", f"Release {version}")
    git(root, "tag", "--annotate", f"v{version}", "--message", f"FogGate {version}")


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("version")
    version = parser.parse_args().version
    root = Path(__file__).parents[2]
    try:
        release(root, version, dt.datetime.now(tz=dt.UTC).date().isoformat())
    except Refused as error:
        sys.exit(f"not released: {error}")
    print(f"committed and tagged v{version}; to publish it: git push origin main v{version}")


if __name__ == "__main__":
    main()
