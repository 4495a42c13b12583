"""The order in which requests take effect, and a state machine that compares it with the service.

`ModelAccount` of `tests.model` applies items and REST changes one by one. `History` decides their order:

- The items of a job take effect when their chunk is applied, in the order of the request. A cancelled item
  and a dry run have no effect.
- An item of an upsert that is applied after a later item of the same job that names the same contact takes
  effect just before that later item: chunks of a job run in parallel, and `settle` restores the order.
- A REST change takes effect when it is answered. So it comes after the items that were applied before it,
  and it stays, also if the job is settled later.
- The closing step of `lists.overwrite` takes effect when the job ends.

One case has no order that keeps both rules: a contact has two items of one job, the later one is applied, a
client changes the contact, then the earlier one is applied. The machine does not create it.
"""
