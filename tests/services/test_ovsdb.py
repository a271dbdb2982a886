"""What the tests can rely on from an ovsdb-server and from a cluster of them."""

from pathlib import Path

import pytest

from tests.services.generation import OvnGeneration, every_generation
from tests.services.ovsdb import OvsdbServer
from tests.services.process import ServiceError
from tests.services.raft import RaftCluster
from tests.services.tls import Authority


@every_generation
def test_a_new_database_has_its_global_row_only(ovsdb_nb: OvsdbServer) -> None:
    """A fresh Northbound database has the row of NB_Global and no switches."""
    (result,) = ovsdb_nb.transact({"op": "select", "table": "NB_Global", "where": [], "columns": ["name"]})
    assert result == {"rows": [{"name": ""}]}
    assert ovsdb_nb.nbctl("ls-list") == ""


@every_generation
def test_a_database_outlives_a_killed_server(ovsdb_nb: OvsdbServer) -> None:
    """What was written is there after the server was killed and started again."""
    ovsdb_nb.nbctl("ls-add", "blue")
    before = ovsdb_nb.dump("Logical_Switch")
    ovsdb_nb.kill()
    with pytest.raises(ServiceError, match="database connection failed"):
        ovsdb_nb.nbctl("ls-list")
    ovsdb_nb.start()
    assert "blue" in before
    assert ovsdb_nb.dump("Logical_Switch") == before


def test_a_restart_can_begin_with_an_empty_database(ovsdb_nb: OvsdbServer) -> None:
    """A restart keeps the database, or not, as the test asks."""
    ovsdb_nb.nbctl("ls-add", "blue")
    ovsdb_nb.restart()
    assert "blue" in ovsdb_nb.nbctl("ls-list")
    ovsdb_nb.restart(keep_database=False)
    assert ovsdb_nb.nbctl("ls-list") == ""


def test_a_paused_server_does_not_answer(ovsdb_nb: OvsdbServer) -> None:
    """A frozen server accepts connections and answers nothing until it goes on."""
    ovsdb_nb.pause()
    with pytest.raises(ServiceError, match="Alarm clock"):
        ovsdb_nb.nbctl("--timeout=1", "ls-list")
    ovsdb_nb.resume()
    assert ovsdb_nb.nbctl("ls-list") == ""


def test_a_refused_transaction_is_an_error(ovsdb_nb: OvsdbServer) -> None:
    """A transaction that the server refuses raises with the server's reason."""
    with pytest.raises(ServiceError, match="No table named Nothing"):
        ovsdb_nb.transact({"op": "select", "table": "Nothing", "where": []})


@every_generation
def test_tcp_and_tls_remotes_stay_the_same_over_a_restart(ovn_generation: OvnGeneration, tmp_path: Path) -> None:
    """The TCP and TLS remotes answer after a restart too, TLS only to those with a certificate of the authority."""
    authority, stranger = Authority(tmp_path / "own"), Authority(tmp_path / "other").issue("client")
    client = authority.issue("client")
    with OvsdbServer(ovn_generation, "nb", tcp=True, credentials=authority.issue("server")) as server:
        server.restart()
        nbctl = [ovn_generation.program("ovn-nbctl"), "--timeout=10"]
        keys = [f"--private-key={client.key}", f"--certificate={client.certificate}", f"--ca-cert={client.authority}"]
        server.run([*nbctl, f"--db={server.tcp}", "ls-add", "blue"])
        assert "blue" in server.run([*nbctl, f"--db={server.ssl}", *keys, "ls-list"])
        wrong = [f"--private-key={stranger.key}", f"--certificate={stranger.certificate}", keys[2]]
        with pytest.raises(ServiceError, match=r"Alarm clock|connection failed|Protocol error"):
            server.run([nbctl[0], "--timeout=2", f"--db={server.ssl}", *wrong, "ls-list"])


@every_generation
def test_leadership_of_a_cluster_moves(ovn_generation: OvnGeneration) -> None:
    """Another member leads after a hand-over and after the leader was killed, and nothing written is lost."""
    with RaftCluster(ovn_generation) as cluster:
        first = cluster.leader()
        cluster.nbctl("ls-add", "before")
        second = cluster.move_leadership()
        assert second != first
        cluster.nbctl("ls-add", "between")
        cluster.kill(second)
        third = cluster.leader()
        assert third != second
        cluster.nbctl("ls-add", "after")
        cluster.restart(second)
        listed = cluster.nbctl("ls-list")
        assert all(switch in listed for switch in ("before", "between", "after"))
