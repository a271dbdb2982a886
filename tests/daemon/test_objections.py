"""What the log says once, because nobody else would."""

import pytest
from structlog.testing import capture_logs

from nqosd.compiler.incremental import IncrementalCompiler
from nqosd.compiler.settings import NEWEST_TESTED, OvnVersion, Settings
from nqosd.daemon.objections import Objections
from tests.services.generation import LATEST

NEWER = (NEWEST_TESTED[0] + 1, 3)


@pytest.mark.parametrize(
    ("seen", "said"),
    [
        ([NEWEST_TESTED, None, (22, 3)], []),
        ([NEWER, NEWER, None, NEWER], [NEWER]),
        ([NEWER, NEWEST_TESTED, NEWER], [NEWER, NEWER]),
    ],
    ids=["known", "newer", "back and forth"],
)
def test_a_newer_northd_is_said_once(seen: list[OvnVersion | None], said: list[OvnVersion]) -> None:
    """A northd that is newer than any tested one is one line in the log, until it is another one."""
    objections, compiler = Objections(), IncrementalCompiler(Settings())
    with capture_logs() as logs:
        for version in seen:
            compiler.configure(Settings(ovn=version))
            objections.take([], [], compiler, None)
    assert [each["ovn"] for each in logs] == ["{}.{:02}".format(*each) for each in said]


def test_the_newest_tested_is_what_the_matrix_measures() -> None:
    """The release that isn't warned of is the newest one that `make dataplane` runs."""
    assert "{}.{:02}".format(*NEWEST_TESTED) == LATEST.series
