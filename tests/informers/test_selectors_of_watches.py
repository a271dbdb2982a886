"""A selector, as a watch puts it, means to the API server what it means here."""

import json
import urllib.parse
from random import Random

from nqosd.api.labels import LabelSelector, Operator, Requirement
from tests.informers.informing import change_pod, create_pod
from tests.services.kubernetes import ApiServer

KEYS = ("app", "in", "notin", "exists", "a.b/in", "x-y.z/App_1", "A", "0")
VALUES = ("", "x", "y", "in", "notin", "1.0", "A-b_c.d", "0")


def _requirement(random: Random) -> Requirement:
    operator = random.choice(list(Operator))
    number = random.randint(1, 4) if operator in (Operator.IN, Operator.NOT_IN) else 0
    return Requirement(random.choice(KEYS), operator, tuple(random.sample(VALUES, number)))


def test_the_api_server_selects_what_is_selected_here(api_server: ApiServer, namespace: str) -> None:
    """Words of the notation as keys and values included, and empty values: none is refused, or keeps a pod unheard."""
    random = Random(19)  # noqa: S311 - no secret depends on it
    pods = {}
    for number in range(30):
        name = f"p{number}"
        labels = {key: random.choice(VALUES) for key in random.sample(KEYS, random.randint(0, 5))}
        pods[name] = {"app": name} | labels
        create_pod(api_server, namespace, name)
        change_pod(api_server, namespace, name, labels=labels)
    for _ in range(150):
        selector = LabelSelector.of(_requirement(random) for _ in range(random.randint(1, 4)))
        query = urllib.parse.urlencode({"labelSelector": str(selector)})
        found = json.loads(api_server.request("GET", f"/api/v1/namespaces/{namespace}/pods?{query}"))["items"]
        assert {each["metadata"]["name"] for each in found} == {
            name for name, labels in pods.items() if selector.matches(labels)
        }, str(selector)
