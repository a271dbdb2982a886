"""Where the program begins: `nqosd` and `python -m nqosd`.

In: arguments. Out: the exit code of `nqosd.cli`. Rule: SIGHUP to a service is held back before anything is imported
that takes time.
"""

import sys

from nqosd.runtime import signals

SERVICES = ("run", "stats")


def main() -> int:
    """Run the command that the arguments name."""
    if sys.argv[1:2] and sys.argv[1] in SERVICES:
        signals.hold()
    try:
        from nqosd import cli  # noqa: PLC0415 - see the rule above
    except KeyboardInterrupt:
        return 130

    return cli.main()


if __name__ == "__main__":
    sys.exit(main())
