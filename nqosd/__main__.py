"""Where the program begins: `nqosd` and `python -m nqosd`, and under the name `kubectl-nqos` kubectl's plugin.

In: arguments. Out: the exit code of `nqosd.cli`. Rule: SIGHUP to a service is held back before anything is imported
that takes time.
"""

import sys

PLUGIN = "kubectl-nqos"
SERVICES = ("run", "stats")


def main() -> int:
    """Run the command that the arguments name."""
    try:
        from pathlib import Path  # noqa: PLC0415 - Ctrl-C meanwhile is one like any other

        from nqosd.runtime import signals  # noqa: PLC0415

        if sys.argv[1:2] and sys.argv[1] in SERVICES:
            signals.hold()
        else:
            signals.interrupt_quietly()
        from nqosd import cli  # noqa: PLC0415 - see the rule above

        if Path(sys.argv[0]).stem == PLUGIN:
            from nqosd.commands.kubectl_table import KUBECTL  # noqa: PLC0415

            return cli.main(program=KUBECTL)
        return cli.main()
    except KeyboardInterrupt:
        return 130


if __name__ == "__main__":
    sys.exit(main())
