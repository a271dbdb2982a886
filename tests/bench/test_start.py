"""What a start takes, counted: times can't be held to a limit on every machine."""

import subprocess
import sys

ATTRS_CLASSES = 30
"""Classes of attrs at most, each of which takes half a millisecond to make; there were 28, and 193 before plain values
became Structs of msgspec, which take 14 µs."""
COUNTED = """
import sys
import attrs
import nqosd.commands.run

loaded = [module for name, module in sys.modules.items() if name.partition(".")[0] == "nqosd"]
classes = {found for each in loaded for found in vars(each).values() if isinstance(found, type) and attrs.has(found)}
print(len([found for found in classes if found.__module__.startswith("nqosd.")]))
"""


def test_few_classes_take_long_to_make() -> None:
    """What the daemon imports has few classes whose methods are compiled as they are made, at each start."""
    done = subprocess.run([sys.executable, "-c", COUNTED], capture_output=True, text=True, check=True)
    assert 0 < int(done.stdout) <= ATTRS_CLASSES
