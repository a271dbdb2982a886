"""`python -m tools.doctor`: break one set-up after the other, and write the table of docs/doctor.md."""

import sys

from tests.doctor.broken import BROKEN
from tests.doctor.place import Place, complaints
from tests.doctor.table import PAGE, row, table, written


def main() -> int:
    """Write the table."""
    with Place.prepared() as place:
        rows = []
        for each in BROKEN:
            with each.break_it(place) as start:
                rows.append(row(each.what, complaints(place.examine(start)[1])))
            print(f"[doctor] {rows[-1]}", flush=True)
    PAGE.write_text(written(PAGE.read_text(), table(rows)))
    return 0


if __name__ == "__main__":
    sys.exit(main())
