"""The guards that `./run chaos --mutate` removes, one at a time."""

from tests.faults.chaos.guards.access_guards import ACCESS_GUARDS
from tests.faults.chaos.guards.action_guards import ACTION_GUARDS
from tests.faults.chaos.guards.event_guards import EVENT_GUARDS
from tests.faults.chaos.guards.pipeline_guards import PIPELINE_GUARDS
from tests.faults.chaos.guards.upload_guards import UPLOAD_GUARDS
from tests.faults.chaos.guards.webhook_guards import WEBHOOK_GUARDS

MUTATIONS = (
    *PIPELINE_GUARDS, *EVENT_GUARDS, *ACTION_GUARDS, *UPLOAD_GUARDS, *WEBHOOK_GUARDS, *ACCESS_GUARDS,
)  # fmt: skip
