"""Reads the Containerfile.

In: the file. Out: its stages, each a list of instructions and what they say. Rule: arguments have their defaults.
"""

import re
from pathlib import Path

FILE = Path(__file__).parents[2] / "Containerfile"


def stages() -> list[list[tuple[str, str]]]:
    """Give the stages, the first of which is what stands before the first FROM."""
    found: list[list[tuple[str, str]]] = [[]]
    arguments: dict[str, str] = {}
    for line in re.sub(r"\\\n\s*", "", re.sub(r"^#.*\n", "", FILE.read_text(), flags=re.MULTILINE)).splitlines():
        instruction, _, said = line.partition(" ")
        if instruction == "FROM":
            found.append([])
        if instruction == "ARG":
            name, _, value = said.partition("=")
            arguments[name] = value
        if instruction:
            found[-1].append((instruction, re.sub(r"\$\{(\w+)\}", lambda name: arguments[name[1]], said)))
    return found


def build_script() -> str:
    """Write what the stage before the last does, for a shell in a machine that has the checkout in /checkout."""
    lines = []
    for instruction, said in stages()[-2]:
        match instruction:
            case "WORKDIR":
                lines.append(f"mkdir --parents {said}; cd {said}")
            case "COPY":
                *sources, target = said.split()
                folder = target if target == "./" else f"$(dirname {target})"
                lines.append(f"mkdir --parents {folder}")
                lines.append(f"cp -r {' '.join(f'/checkout/{each}' for each in sources)} {target}")
            case "RUN":
                lines.append(said)
    return "\n".join(lines)
