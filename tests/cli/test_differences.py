"""What `nqosd diff` shows is what a plan would do, whatever the database is like."""

from hypothesis import given
from hypothesis import strategies as st

from nqosd.commands.differences import Section, sections
from nqosd.compiler.desired import Desired
from nqosd.northbound.plan.plan import Plan
from nqosd.northbound.plan.plan_options import PlanOptions
from tests.northbound.database import ModelDatabase
from tests.northbound.desires import desired_states
from tests.northbound.worlds import converge, databases, plan_whole


def found(database: ModelDatabase, desired: Desired, plan: Plan) -> list[Section]:
    """Give the sections."""
    return list(sections(desired, database.replica, plan, "nqosd"))


@given(database=databases(), desired=desired_states(), idle_rows=st.booleans())
def test_a_difference_is_an_operation(database: ModelDatabase, desired: Desired, *, idle_rows: bool) -> None:
    """Some section differs exactly if the plan has an operation, whether rows without senders may stay or not."""
    plan_options = PlanOptions("nqosd", may_wait=lambda _key: idle_rows)
    # names that are taken are known to a plan that knows whom to ask, as `nqosd diff` does
    database.watch([*desired.address_sets, *desired.port_groups])
    plan = plan_whole(database, desired, plan_options)
    assert any(each.differs for each in found(database, desired, plan)) == bool(plan.operations)


@given(databases(), desired_states())
def test_after_the_plan_stands_what_was_promised(database: ModelDatabase, desired: Desired) -> None:
    """What the sections say of afterwards is what they say of the database once the plan has been carried out."""
    database.watch([*desired.address_sets, *desired.port_groups])
    plan = plan_whole(database, desired)
    promised = {each.title: each.after for each in found(database, desired, plan) if each.after}
    converge(database, desired)
    after = found(database, desired, plan_whole(database, desired))
    assert {each.title: each.before for each in after if each.before} == promised
    assert not any(each.differs for each in after)
