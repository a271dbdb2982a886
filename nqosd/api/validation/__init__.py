"""From a decoded NetworkQoS to what it asks for, or to everything that is wrong with it.

In: a policy as JSON decodes it. Out: a `Validated`: the spec, or the problems, each with its field's path; and warnings
about parts that are valid but don't do what their author may expect.

Rule: whatever comes in, nothing is raised and all problems are found at once. A policy with any problem has no spec.
"""

from nqosd.api.validation.spec import Validated, validate

__all__ = ["Validated", "validate"]
