"""What of a pod is decoded, and what becomes of one that is damaged."""

import pytest

from nqosd.api.decoding import DecodeError, decode_pod
from nqosd.api.objects import Attachment, Pod
from tests.api.manifests import Json, pod, wire


def test_a_pod_carries_what_a_policy_can_depend_on() -> None:
    """Namespace, name, labels, node and addresses are decoded, and the resource version beside them."""
    raw = pod(
        networks={"default": {"ip_addresses": ["10.0.0.5/24"], "mac_address": "0a:58:0a:00:00:05"}},
        labels={"app": "web"},
        spec={"nodeName": "node-1", "containers": [{"name": "main"}]},
        status={"phase": "Running"},
    )
    decoded = decode_pod(raw)
    assert decoded.resource_version == "7"
    expected = Pod("shop", "web", {"app": "web"}, "node-1", attachments=(Attachment("default", ("10.0.0.5",)),))
    assert decoded.value == expected


@pytest.mark.parametrize(("phase", "ended"), [("Pending", False), ("Succeeded", True), ("Failed", True)])
def test_a_pod_has_ended_in_two_phases(phase: str, ended: bool) -> None:  # noqa: FBT001
    """Succeeded and Failed are final; a pod in any other phase can still send."""
    assert decode_pod(pod(status={"phase": phase})).value.ended is ended


def test_a_terminating_pod_has_not_ended() -> None:
    """A deletion timestamp doesn't end a pod: it sends until its containers have stopped."""
    raw = pod(deletionTimestamp="2026-11-24T10:00:00Z", status={"phase": "Running", "podIP": "10.0.0.5"})
    value = decode_pod(raw).value
    assert not value.ended
    assert value.attachments == (Attachment("default", ("10.0.0.5",)),)


def test_a_pod_on_the_host_network_has_no_attachments() -> None:
    """The node's addresses in podIPs are not the pod's own."""
    value = decode_pod(pod(spec={"hostNetwork": True}, status={"podIPs": [{"ip": "172.18.0.2"}]})).value
    assert value.host_network
    assert value.attachments == ()


def test_what_a_policy_can_not_depend_on_makes_no_difference() -> None:
    """Two events that differ in other fields alone give equal values."""
    before = pod(status={"phase": "Running", "startTime": "2026-11-24T10:00:00Z"}, resourceVersion="7")
    after = pod(status={"phase": "Running", "conditions": [{"type": "Ready"}]}, resourceVersion="8")
    assert decode_pod(before).value == decode_pod(after).value
    assert decode_pod(after).resource_version == "8"


def test_pods_with_equal_labels_share_them() -> None:
    """Equal labels, and texts that repeat, are one object in memory."""
    first = decode_pod(pod(labels={"app": "web"}, name="one", spec={"nodeName": "node-1"})).value
    second = decode_pod(pod(labels={"app": "web"}, name="two", spec={"nodeName": "node-1"})).value
    assert first.labels is second.labels
    assert first.namespace is second.namespace
    assert first.node is second.node


def test_long_labels_are_not_remembered() -> None:
    """A user may change a megabyte of labels again and again; what isn't an object's any more takes no memory."""
    raw = pod(labels={f"key-{number}": "" for number in range(1000)})
    first, second = (decode_pod(raw).value for _ in range(2))
    assert first.labels is not second.labels
    assert first == second


@pytest.mark.parametrize(
    ("changes", "problem"),
    [
        ({"spec": {"nodeName": 5}}, "spec.nodeName: 5 is a number, not a string"),
        ({"spec": {"hostNetwork": "yes"}}, 'spec.hostNetwork: "yes" is a string, not a boolean'),
        ({"status": {"podIPs": "10.0.0.5"}}, 'status.podIPs: "10.0.0.5" is a string, not a list'),
        ({"status": {"podIP": "10.0.0.555"}}, "status.podIPs: 10.0.0.555 is neither an IP address nor a CIDR"),
    ],
)
def test_a_part_of_a_wrong_type_is_the_pods_own_problem(changes: dict[str, Json], problem: str) -> None:
    """A damaged pod is there with its namespace and labels, has no attachments, and says which field is wrong."""
    status = {"podIP": "10.0.0.5"} | changes.get("status", {})
    decoded = decode_pod(pod(labels={"app": "web"}, spec=changes.get("spec"), status=status))
    assert decoded.value == Pod("shop", "web", {"app": "web"}, problem=problem)
    assert decoded.resource_version == "7"


def test_labels_of_a_wrong_type_are_a_problem_and_select_nothing() -> None:
    """A pod whose labels don't decode has none."""
    value = decode_pod(pod(labels={"app": 5}, status={"podIP": "10.0.0.5"})).value
    assert value.problem == "metadata.labels[...]: a number is not a string"
    assert (value.labels, value.attachments) == ({}, ())


def test_a_pod_without_a_namespace_says_so() -> None:
    """A namespace can only be missing in a manifest; the pod is then reported and has no attachments."""
    value = decode_pod(pod(namespace=None, status={"podIP": "10.0.0.5"})).value
    assert value == Pod("", "web", problem="metadata.namespace: a text is needed")


@pytest.mark.parametrize(
    ("raw", "message"),
    [
        (b"", "Pod: not JSON"),
        (b'{"metadata":{"name":"web"}', "Pod: not JSON"),
        (b"[]", "Pod: Expected `object`, got `array`"),
        (b"{}", "Pod: Expected `object`, got `null`"),
        (wire({"metadata": {"namespace": "shop"}}), "Pod in namespace shop: metadata.name: a text is needed"),
        (wire({"metadata": {"namespace": "shop", "name": 5}}), "Pod in namespace shop: metadata.name: a text is"),
        (b'{"spec":' + b"[" * 100_000, "Pod: not JSON"),
        (rb'{"metadata":{"name":"web"},"spec":{"nodeName":"\ud800"}}', "Pod: not JSON"),
    ],
)
def test_bytes_that_name_no_pod_are_an_error(raw: bytes, message: str) -> None:
    """Without JSON or a name there is no pod to report anything about."""
    with pytest.raises(DecodeError) as error:
        decode_pod(raw)
    assert str(error.value).startswith(message)


def test_a_text_that_is_no_utf8_is_the_pods_own_problem() -> None:
    """Bytes that are no UTF-8 damage only the pod that has them."""
    value = decode_pod(pod(spec={"nodeName": "MARK"}).replace(b"MARK", b"\xff")).value
    assert (value.key, value.node) == ("shop/web", "")
    assert value.problem is not None


@pytest.mark.parametrize(
    ("changes", "problem"),
    [
        ({"namespace": "a_b"}, "metadata.namespace: a_b is not a DNS name"),
        ({"name": 'x" || ip4'}, 'metadata.name: "x\\" || ip4" is not a DNS name'),
        ({"spec": {"nodeName": "n1\x1b[2J"}}, 'spec.nodeName: "n1\\u001b[2J" is not a DNS name'),
    ],
)
def test_a_pod_whose_names_are_not_of_their_form_has_no_attachments(changes: dict[str, Json], problem: str) -> None:
    """Ports and switches are named after them; an API server refuses such names, a manifest can have them."""
    value = decode_pod(pod(status={"podIP": "10.0.0.5"}, **changes)).value
    assert (value.attachments, value.problem) == ((), problem)
