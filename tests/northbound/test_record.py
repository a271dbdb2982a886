"""The writer's record on a real server: when it is written, what it says, and what it holds back."""

from nqosd.northbound.claim import WriterClaim
from nqosd.northbound.plan.operations import RecordName
from nqosd.northbound.replica.writer_record import WriterRecord
from nqosd.northbound.results import RoundOutcome
from tests.northbound.cases import BOTH, TALKERS, VIDEO, VOICE
from tests.northbound.desires import address_set, desired
from tests.northbound.real import add_switches, options_of, running
from tests.services.generation import every_generation
from tests.services.ovsdb import OvsdbServer

OTHER = desired([VIDEO, VOICE], [address_set("set_a", "10.0.0.9"), TALKERS])
RECORD = ("--bare", "--columns=name,addresses,external_ids", "find", "Address_Set", "external_ids:nqosd.io/part=writer")


def record(version: str) -> WriterRecord:
    """Give the record of a writer that knows pods up to a resource version."""
    return WriterRecord("nqosd", "nqosd", "host", "1.a", {"Pod": version})


@every_generation
async def test_it_goes_with_what_is_written_and_never_alone(ovsdb_nb: OvsdbServer) -> None:
    """A round that writes leaves it in the same transaction; one that has nothing to write leaves the old one."""
    add_switches(ovsdb_nb, "node1", "node2")
    async with running(options_of(ovsdb_nb.unix)) as daemon:
        daemon.claim = WriterClaim(record("10"))
        assert (await daemon.write(BOTH)).operations["record"] == 1
        assert "nqosd.io/resource-versions=Pod=10" in ovsdb_nb.nbctl(*RECORD)
        daemon.claim = WriterClaim(record("20"))
        assert (await daemon.round()).outcome is RoundOutcome.UNCHANGED
        assert "Pod=10" in ovsdb_nb.nbctl(*RECORD)
        assert (await daemon.write(OTHER)).operations["record"] == 1
        assert "Pod=20" in ovsdb_nb.nbctl(*RECORD)
        ovsdb_nb.nbctl("destroy", "Address_Set", record("").name)
        await daemon.wait_until(lambda: not daemon.sees_record)
        assert (await daemon.round()).outcome is RoundOutcome.UNCHANGED
        await daemon.write(BOTH)
        assert "Pod=20" in ovsdb_nb.nbctl(*RECORD)
        await daemon.write(desired())
    assert ovsdb_nb.nbctl("--bare", "--columns=name", "list", "Address_Set").split() == [record("").name]


async def test_a_claim_that_is_refused_writes_nothing(ovsdb_nb: OvsdbServer) -> None:
    """It is asked about the record that is there whenever the lock was won, until it is allowed; then no more."""
    add_switches(ovsdb_nb, "node1", "node2")
    async with running(options_of(ovsdb_nb.unix)) as daemon:
        daemon.claim = WriterClaim(record("10"))
        await daemon.write(BOTH)
    asked: list[WriterRecord] = []

    def refusal(before: WriterRecord, _held_since: float) -> str:
        asked.append(before)
        return "" if len(asked) > 2 else "knows less"

    async with running(options_of(ovsdb_nb.unix)) as daemon:
        daemon.claim = WriterClaim(record("9"), refusal)
        for _ in range(2):
            result = await daemon.round(OTHER)
            assert (result.outcome, result.problem) == (RoundOutcome.WITHHELD, "knows less")
        assert "Pod=10" in ovsdb_nb.nbctl(*RECORD)
        assert (await daemon.round()).outcome is RoundOutcome.COMMITTED
        assert (await daemon.round()).outcome is RoundOutcome.UNCHANGED
    assert asked == [record("10")] * 3


async def test_rows_without_a_record_are_somebodys(ovsdb_nb: OvsdbServer) -> None:
    """A claim is heard where there are rows, and not where there is nothing that it could take back."""
    add_switches(ovsdb_nb, "node1", "node2")
    async with running(options_of(ovsdb_nb.unix)) as daemon:
        daemon.claim = WriterClaim(None, lambda _before, _since: "never")
        await daemon.write(BOTH)
    async with running(options_of(ovsdb_nb.unix)) as daemon:
        daemon.claim = WriterClaim(None, lambda before, _since: "" if before.process else "nobody knows")
        assert (await daemon.round(OTHER)).problem == "nobody knows"


async def test_a_lock_that_is_given_up_goes_to_who_waits(ovsdb_nb: OvsdbServer) -> None:
    """Where nobody waits it is won back at once."""
    async with running(options_of(ovsdb_nb.unix), writer=False) as first:
        await first.wait_until(lambda: first.facts.lock_held)
        await first.northbound.yield_lock()
        await first.wait_until(lambda: first.facts.lock_held)
        async with running(options_of(ovsdb_nb.unix), writer=False) as second:
            await first.northbound.yield_lock()
            await second.wait_until(lambda: second.facts.lock_held)
            assert not first.facts.lock_held
            await second.northbound.yield_lock()
            await first.wait_until(lambda: first.facts.lock_held)


async def test_a_name_that_is_taken_holds_up_nothing_else(ovsdb_nb: OvsdbServer) -> None:
    """Somebody else's set has the record's name: rows are written without it, and it is blamed by name."""
    add_switches(ovsdb_nb, "node1", "node2")
    ovsdb_nb.nbctl("create", "Address_Set", f"name={record('').name}")
    async with running(options_of(ovsdb_nb.unix)) as daemon:
        daemon.claim = WriterClaim(record("10"))
        result = await daemon.write(BOTH)
        assert result.outcome is RoundOutcome.COMMITTED
        assert list(result.blocked) == [RecordName(record("").name)]
        assert "row_insert" in result.operations
        assert "record" not in result.operations
