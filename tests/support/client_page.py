"""`docs/clients.md` as data: each section with what it installs, the files that it names, and its programs with what they print."""

import re
from dataclasses import dataclass, field

from tests.runs.readme import Step

_PROGRAMS = {"python": ("py", "python"), "js": ("mjs", "node")}
_INSTALLS = ("pip install ", "npm install ")
# A heading of the second level, and everything below it.
_SECTION = re.compile(r"^## (.+?)\n(.*?)(?=^## |\Z)", re.MULTILINE | re.DOTALL)
# The last line of text before a block, and the block.
_BLOCK = re.compile(r"^([^\n]*)\n*^```(\w+)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
_NAMED = re.compile(r"in the file `([\w.]+)`:$", re.IGNORECASE)


@dataclass
class Section:
    """One client.

    Attributes:
        title: the heading.
        installs: commands that install the client.
        files: contents of the files that the commands need, by name.
        steps: the commands in order, with what the page shows of their output.
    """

    title: str
    installs: list[str] = field(default_factory=list)
    files: dict[str, str] = field(default_factory=dict)
    steps: list[Step] = field(default_factory=list)


def sections(markdown: str) -> list[Section]:
    """The sections of the page that have a command.

    A block behind "in the file `NAME`:" is that file. Any other `python` or `js` block is a program, each line of an `sh` block a
    command. A `text` block shows the output of the command before it. Raises ValueError for a `text` block without one.
    """
    found = [_section(title, body) for title, body in _SECTION.findall(markdown)]
    return [section for section in found if section.steps]


def _section(title: str, body: str) -> Section:
    section = Section(title)
    for before, language, text in _BLOCK.findall(body):
        if named := _NAMED.search(before):
            section.files[named[1]] = text
        elif language in _PROGRAMS:
            ending, program = _PROGRAMS[language]
            name = f"program{len(section.files)}.{ending}"
            section.files[name] = text
            section.steps.append(Step(f"{program} {name}"))
        elif language == "sh":
            for line in text.splitlines():
                if line.startswith(_INSTALLS):
                    section.installs.append(line)
                else:
                    section.steps.append(Step(line))
        elif language == "text":
            if not section.steps or section.steps[-1].shown is not None:
                raise ValueError(f"{title}: output without a command")
            section.steps[-1] = Step(section.steps[-1].command, text)
        else:
            raise ValueError(f"{title}: a block of the kind {language} that is no file")
    return section
