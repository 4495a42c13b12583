"""Random jobs, REST changes, cancels, retries and dry runs leave what one-by-one application leaves."""

from hypothesis import HealthCheck
from hypothesis import settings as hypothesis_settings
from hypothesis.stateful import run_state_machine_as_test

from schemas.settings import Settings
from tests.faults.model.machine import AccountMachine
from tests.faults.model.world import open_world

SHORT = hypothesis_settings(
    max_examples=20,
    stateful_step_count=20,
    deadline=None,
    derandomize=True,
    suppress_health_check=list(HealthCheck),
)


def test_the_final_state_is_that_of_one_by_one_application(settings: Settings) -> None:
    with open_world(settings) as world:
        machine = type("Machine", (AccountMachine,), {"world": world})
        run_state_machine_as_test(machine, settings=SHORT)
