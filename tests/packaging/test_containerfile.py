"""The Containerfile says what an image needs; `make package` does its steps."""

import re

from nqosd import __version__
from tests.packaging.containerfile import FILE, stages


def test_the_image_is_that_of_this_version() -> None:
    """It has the labels of OCI, this version, an entry point, and a user that isn't root."""
    last = stages()[-1]
    said = {instruction: text for instruction, text in last if instruction != "COPY"}
    labels = dict(re.findall(r'org\.opencontainers\.image\.(\w+)="([^"]+)"', said["LABEL"]))
    assert labels["version"] == __version__
    assert labels.keys() == {"title", "description", "licenses", "version"}
    assert said["ENTRYPOINT"] == '["/opt/nqosd/bin/nqosd"]'
    assert re.fullmatch(r"[1-9]\d*:[1-9]\d*", said["USER"])


def test_what_it_copies_is_there() -> None:
    """Each file that it copies is in the checkout; only what the stage before has made comes into the image."""
    _head, build, last = stages()
    copied = [each for instruction, said in build if instruction == "COPY" for each in said.split()[:-1]]
    assert copied
    assert [each for each in copied if not (FILE.parent / each).exists()] == []
    assert [said for instruction, said in last if instruction == "COPY"] == ["--from=build /opt/nqosd /opt/nqosd"]


def test_its_base_can_be_chosen() -> None:
    """Both stages stand on one image, which an argument names, without the host of a registry."""
    head, *found = stages()
    ((_, base),) = head
    name = base.partition("=")[2]
    assert [stage[0][1].split()[0] for stage in found] == [name, name]
    assert "/" not in name
