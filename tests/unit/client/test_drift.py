"""The models and parameters of the client are those of the OpenAPI document."""

import dataclasses
import inspect
import json
import subprocess
import sys
from datetime import datetime
from pathlib import Path
from types import NoneType, UnionType
from typing import Any, get_args, get_origin, get_type_hints

import pytest

from api.openapi.build import document
from api.routes import ROUTES
from bulklane import (
    AsyncBulklane,
    AsyncJob,
    AsyncUpload,
    Bulklane,
    Job,
    Upload,
    errors,
    models,
    resource_models,
)
from bulklane.decode import wire_name
from bulklane.parameters import BulkParameters, JobFilter
from schemas.settings import Settings

REPOSITORY = Path(__file__).parents[3]
DOCUMENT: dict[str, Any] = json.loads(document(ROUTES, Settings()))
COMPONENTS: dict[str, Any] = DOCUMENT["components"]["schemas"]
# model of the client -> name in the document
NAMES: dict[type, str] = {
    errors.Problem: "Problem",
    models.Counts: "Counts",
    models.Memberships: "Memberships",
    models.JobError: "JobError",
    models.ItemError: "ItemErrorView",
    models.ItemResult: "ResultView",
    models.ErrorExample: "ErrorExampleView",
    models.ErrorGroup: "ErrorGroupView",
    models.JobProgress: "JobProgress",
    models.JobSnapshot: "Job",
    models.UploadSnapshot: "UploadView",
    models.JobCounts: "JobNumbers",
    models.SkippedJob: "SkippedJob",
    models.CancelledJobs: "CancelledJobs",
    models.RetriedJobs: "RetriedJobs",
    models.FieldChange: "FieldChange",
    models.TouchingJob: "TouchingJob",
    models.Caller: "CallerView",
    models.HistoryEntry: "HistoryEntry",
    models.AuditEntry: "AuditEntry",
    resource_models.Contact: "Contact",
    resource_models.ContactList: "ContactList",
    resource_models.Label: "Label",
    resource_models.Team: "Team",
    resource_models.Channel: "Channel",
    resource_models.Audience: "Audience",
    resource_models.Property: "Property",
    resource_models.OptIn: "OptIn",
    resource_models.NotSearched: "NotSearched",
    resource_models.Erasure: "ErasureView",
    resource_models.AccountLimits: "AccountLimits",
    resource_models.Account: "AccountView",
    resource_models.WindowUse: "WindowUse",
    resource_models.JobsUse: "JobsUse",
    resource_models.StreamQueue: "StreamQueue",
    resource_models.QueueUse: "QueueUse",
    resource_models.Limits: "LimitsView",
    models.Key: "AccountKey",
    models.NewKey: "CreatedKey",
    resource_models.Webhook: "Webhook",
    resource_models.NewWebhook: "NewWebhookView",
    resource_models.WebhookSecret: "WebhookSecret",
    resource_models.Attempt: "Attempt",
    resource_models.Delivery: "Delivery",
}
TYPES = {"string": str, "integer": int, "number": float, "boolean": bool, "object": dict, "array": list}


def test_every_model_is_compared() -> None:
    declared = {
        found
        for module in (models, resource_models)
        for _, found in inspect.getmembers(module, dataclasses.is_dataclass)
        if found.__module__ == module.__name__
    }
    assert not declared - NAMES.keys()


@pytest.mark.parametrize("model", NAMES, ids=lambda model: model.__name__)
def test_a_model_has_the_fields_of_the_document_with_their_types(model: type) -> None:
    hints = get_type_hints(model)
    fields = [field for field in dataclasses.fields(model) if field.init]
    assert {wire_name(field): _kind(hints[field.name]) for field in fields} == {
        name: _kind_in_document(schema) for name, schema in COMPONENTS[NAMES[model]]["properties"].items()
    }


def test_the_fields_of_a_contact_are_those_of_the_requests() -> None:
    names = {field.name: wire_name(field) for field in dataclasses.fields(resource_models.Contact)}
    sent = {names[name] for name in get_type_hints(resource_models.ContactFields)}
    assert sent == COMPONENTS["ContactChange"]["properties"].keys()
    assert sent == COMPONENTS["NewContact"]["properties"].keys()


def test_submit_takes_every_parameter_of_every_operation() -> None:
    paths = {path: item for path, item in DOCUMENT["paths"].items() if path.startswith("/v1/bulk/")}
    assert set(get_args(models.Operation)) == {path.removeprefix("/v1/bulk/") for path in paths}
    known = {
        parameter["name"]: parameter["schema"]
        for item in paths.values()
        for parameter in item["post"]["parameters"]
        if parameter["in"] == "query"
    }
    taken = get_type_hints(BulkParameters)
    # `map` are the columns of submit
    assert known.keys() == {*taken, "map"}, "correct BulkParameters in client/bulklane/parameters.py"
    for name, schema in known.items():
        values = {value for option in schema.get("anyOf", [schema]) for value in option.get("enum", ())}
        assert values <= {value for option in get_args(taken.get(name)) for value in get_args(option)}, name


def test_an_undo_takes_every_parameter() -> None:
    parameters = DOCUMENT["paths"]["/v1/jobs/{job_id}/undo"]["post"]["parameters"]
    known = {parameter["name"] for parameter in parameters if parameter["in"] == "query"}
    assert known == inspect.signature(AsyncJob.undo).parameters.keys() - {"self", "idempotency_key"}


def test_the_list_of_jobs_takes_every_filter() -> None:
    parameters = DOCUMENT["paths"]["/v1/jobs/counts"]["get"]["parameters"]
    assert {parameter["name"] for parameter in parameters} == get_type_hints(JobFilter).keys()
    assert set(get_args(models.JobState)) == set(COMPONENTS["JobState"]["enum"])


def test_the_words_of_keys_are_those_of_the_document() -> None:
    assert set(get_args(models.KeyScope)) == set(COMPONENTS["Scope"]["enum"])


def test_the_words_of_webhooks_are_those_of_the_document() -> None:
    assert set(get_args(resource_models.WebhookEvent)) == set(COMPONENTS["WebhookEvent"]["enum"])
    assert set(get_args(resource_models.DeliveryState)) == set(COMPONENTS["DeliveryState"]["enum"])
    states = COMPONENTS["WebhookChange"]["properties"]["state"]["enum"]
    assert set(get_args(resource_models.WebhookState)) == set(states)


def test_a_webhook_can_be_made_and_changed_with_every_field() -> None:
    for body, methods in (("NewWebhook", ("create", "put")), ("WebhookChange", ("change",))):
        for method in methods:
            taken = inspect.signature(
                getattr(AsyncBulklane(key="k", url="http://u").webhooks, method)
            ).parameters
            assert taken.keys() - {"id"} == COMPONENTS[body]["properties"].keys()


def test_the_synchronous_client_is_made_of_the_asynchronous_one() -> None:
    command = [sys.executable, str(REPOSITORY / "client" / "unasync"), "--check"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize(
    ("one", "other"), [(AsyncBulklane, Bulklane), (AsyncJob, Job), (AsyncUpload, Upload)]
)
def test_both_clients_have_the_same_methods(one: type, other: type) -> None:
    assert {name.removeprefix("a") for name in _public(one)} == {
        name.removeprefix("a") for name in _public(other)
    }


def _public(found: type) -> set[str]:
    return {name for name, _ in inspect.getmembers(found) if not name.startswith("_")}


def _kind(hint: Any) -> tuple[type | None, bool]:
    """Return the plain type of a field, and whether it can be None."""
    if hint is Any:
        return None, True
    arguments = get_args(hint)
    nullable = get_origin(hint) is UnionType and NoneType in arguments
    if nullable:
        (hint,) = (argument for argument in arguments if argument is not NoneType)
    plain = get_origin(hint) or hint
    return (dict if dataclasses.is_dataclass(plain) else str if plain is datetime else plain), nullable


def _kind_in_document(schema: dict[str, Any]) -> tuple[type | None, bool]:
    kinds = {_plain(option) for option in schema.get("anyOf", [schema])}
    if kinds == {None}:
        return None, True
    (kind,) = kinds - {NoneType}
    return kind, NoneType in kinds


def _plain(schema: dict[str, Any]) -> type | None:
    if "$ref" in schema:
        found = COMPONENTS[schema["$ref"].rpartition("/")[2]]
        return str if "enum" in found else dict
    if "type" not in schema:
        return None
    return NoneType if schema["type"] == "null" else TYPES[schema["type"]]
