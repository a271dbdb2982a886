"""What the compiler has to say about one policy: whether it can be applied, what is wrong, what to know.

Rule: a report depends on the current objects alone, and pods that merely come and go don't change it, so that a
status is written only when a person would want to read it again.
"""

import attrs

from nqosd.api.problems import Problem


@attrs.frozen
class PolicyReport:
    """The state of one policy in this zone, before the database has been asked.

    `ready` is false when the policy is not applied at all, and then `problems` says why. `networks` are the selected
    networks on which it has source pods, `switches` the logical switches that carry its rows, both sorted; `rows`
    counts the rows.
    """

    namespace: str
    name: str
    ready: bool
    problems: tuple[Problem, ...] = ()
    warnings: tuple[str, ...] = ()
    networks: tuple[str, ...] = ()
    switches: tuple[str, ...] = ()
    rows: int = 0

    @property
    def key(self) -> str:
        """`namespace/name`."""
        return f"{self.namespace}/{self.name}"
