"""Every fault that a run draws from.

In: the tables of faults, by what they are about. Out: all of them. The rule: the same name is the same kind.
"""

from tests.chaos import (
    faults_of_answers,
    faults_of_daemons,
    faults_of_lines,
    faults_of_objects,
    faults_of_rows,
    faults_of_servers,
)
from tests.chaos.fault import Fault

FAULTS: tuple[Fault, ...] = (
    *faults_of_daemons.FAULTS,
    *faults_of_servers.FAULTS,
    *faults_of_lines.FAULTS,
    *faults_of_answers.FAULTS,
    *faults_of_rows.FAULTS,
    *faults_of_objects.FAULTS,
)
KINDS = sorted({each.name for each in FAULTS})
