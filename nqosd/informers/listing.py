"""A list under way: which objects it has shown, and whether a page goes on where the one before it ended.

In: pages and keys. Out: what is in the list so far, and the token of its next page. Rules: all pages of a list are of
one resource version; a page that isn't the last one brings something new, so that no token leads in circles.
"""

from collections.abc import Collection

from nqosd.api.decoding import DecodeError, ObjectList


class Listing:
    """One list, from its first object to its end."""

    def __init__(self) -> None:
        self.seen: set[str] = set()
        self.token = ""
        self.version = ""

    def turn(self, page: ObjectList, keys: Collection[str]) -> None:
        """Take a page and the keys of its objects.

        Raises:
            DecodeError: it is no page of this list.
        """
        if self.version not in {"", page.resource_version}:
            raise DecodeError(f"list: a page of the version {page.resource_version} in a list of {self.version}")
        if page.continue_token and self.seen.issuperset(keys):
            raise DecodeError("list: a page with a continue token but without a new object")
        self.seen.update(keys)
        self.token, self.version = page.continue_token, page.resource_version
