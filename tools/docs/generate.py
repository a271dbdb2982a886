"""`python -m tools.docs.generate`: write the pages that are made from the code.

In: the options, the definition of NetworkQoS, the metrics, the alerts, the parser of the command line. Out: files of
the checkout. Rule: `files()` is the whole content, so that a test can compare it with what is there, and a run without
a change changes nothing.
"""

import sys
from collections.abc import Mapping

from tests.checkout import ROOT
from tools.docs import configuration_page, manual, metrics_page, prometheus_rule, reference_page, schemas

FIELDS = "tests/docs/fields.txt"


def files() -> Mapping[str, str]:
    """Give the content of each generated file by its path in the checkout."""
    return {
        "docs/configuration.md": configuration_page.page(),
        "docs/networkqos.md": reference_page.page(),
        "docs/metrics.md": metrics_page.page(),
        "config/prometheus/rule.yaml": prometheus_rule.manifest(),
        "docs/man/nqosd.8": manual.command(),
        "docs/man/kubectl-nqos.1": manual.plugin(),
        "docs/man/nqosd.toml.5": manual.configuration(),
        **{f"docs/schemas/{name}.json": schemas.schema(name) for name in schemas.DOCUMENTS},
        FIELDS: schemas.recorded((ROOT / FIELDS).read_text()),
    }


def main() -> int:
    """Write what is not as it should be."""
    for name, content in files().items():
        file = ROOT / name
        file.parent.mkdir(parents=True, exist_ok=True)
        if not file.exists() or file.read_text() != content:
            file.write_text(content)
            print(f"wrote {name}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
