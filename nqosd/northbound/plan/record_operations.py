"""Plans the writer's record.

In: the record that a writer leaves, a view of the database. Out: at most one operation, and one for each record too
many, as adopted rows may bring. Rule: they go with other operations only, and never hold those up: what somebody did to
the record meanwhile is no reason to refuse them.
"""

from collections.abc import Container

from nqosd.northbound.plan.operations import (
    Operation,
    OperationKind,
    RecordName,
    RowTarget,
    Subject,
    delete,
    insert,
    update,
)
from nqosd.northbound.replica.replica import Replica
from nqosd.northbound.replica.stored import is_ours
from nqosd.northbound.replica.writer_record import WriterRecord
from nqosd.ovsdb import schema, wire


def plan_record(record: WriterRecord, view: Replica, refused: Container[Subject]) -> tuple[Operation, ...]:
    """Plan what makes the database hold one record that says the same, unless it was refused; no `wait` guards it."""
    subject = RecordName(record.name)
    if subject in refused:
        return ()
    external_ids = wire.string_map(record.external_ids)
    stored = [each for each in view.records() if is_ours(each.external_ids, record.owner)]
    targets = {each.uuid: RowTarget(schema.ADDRESS_SET, each.uuid, subject) for each in stored}
    kept = next((each for each in stored if each.name == record.name), None)  # another name is needed for its set
    operations = [delete(OperationKind.RECORD, targets[each.uuid]) for each in stored if each is not kept]
    if kept is None:
        columns = {"name": record.name, "external_ids": external_ids}
        operations.append(insert(OperationKind.RECORD, schema.ADDRESS_SET, subject, columns))
    elif kept.external_ids != record.external_ids:
        operations.append(update(OperationKind.RECORD, targets[kept.uuid], {"external_ids": external_ids}))
    return tuple(operations)
