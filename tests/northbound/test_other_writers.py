"""What the records of other daemons explain: another instance on our lock, our instance on another lock."""

from nqosd.northbound.claim import WriterClaim
from nqosd.northbound.other_writers import other_writer
from nqosd.northbound.replica.writer_record import WriterRecord
from tests.northbound.cases import BOTH
from tests.northbound.desires import desired
from tests.northbound.real import Daemon, add_switches, options_of, running
from tests.services.generation import every_generation
from tests.services.ovsdb import OvsdbServer


@every_generation
async def test_another_instance_on_the_same_lock_is_named(ovsdb_nb: OvsdbServer) -> None:
    """Who waits for a lock that another instance holds says so; who has it, or waits for its like, says nothing."""
    add_switches(ovsdb_nb, "node1", "node2")
    options = options_of(ovsdb_nb.unix, owner="blue")
    async with running(options_of(ovsdb_nb.unix)) as green:
        await _write(green, "nqosd", "10")
        async with running(options, writer=False) as blue:
            await blue.wait_until(lambda: "'nqosd'" in blue.facts.other_holder)
            assert "give each instance a lock of its own" in blue.facts.other_holder
            assert green.facts.other_holder == ""
            await green.write(desired())
            await green.northbound.close()
            await blue.wait_until(lambda: blue.facts.lock_held)
            assert blue.facts.other_holder == ""
            await _write(blue, "blue", "11")
            async with running(options, writer=False) as standby:
                await standby.wait_until(lambda: standby.facts.is_contended)
                assert standby.facts.other_holder == ""


def test_the_same_instance_on_another_lock_is_named() -> None:
    """Who is undone by a daemon of its own instance learns where that runs and which lock it has."""
    mine = WriterRecord("nqosd", "one", "here", "1.a")
    words = other_writer([WriterRecord("nqosd", "two", "there", "2.b"), mine], mine)
    assert all(each in words for each in ("there", "2.b", "'two'", "'one'"))
    assert "look for another nqosd" in other_writer([mine], mine)


async def _write(daemon: Daemon, owner: str, version: str) -> None:
    daemon.claim = WriterClaim(WriterRecord(owner, "nqosd", "host", "1.a", {"Pod": version}))
    await daemon.write(BOTH)
