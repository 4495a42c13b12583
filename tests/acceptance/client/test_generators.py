"""Generators make working clients of /openapi.json. `./run generators` installs them and runs this."""

import asyncio
import json
import os
import shutil
import subprocess
from pathlib import Path

import pytest

from tests.acceptance.service import REPOSITORY, Service

TOOLS = REPOSITORY / ".venv" / "tools"
PYTHON = TOOLS / "bin" / "python"
NODE = TOOLS / "node_modules"
pytestmark = pytest.mark.skipif(
    not (
        (TOOLS / "bin" / "openapi-python-client").exists() and (TOOLS / "bin" / "datamodel-codegen").exists()
    ),
    reason="the generators are not installed: run ./run generators",
)

USE_CLIENT = """
import os
from importlib import import_module

from bulklane_client import AuthenticatedClient, models
from bulklane_client.api.audiences import create_audience
from bulklane_client.api.contact_lists import create_list
from bulklane_client.api.jobs import get_job, list_errors
from bulklane_client.api.labels import create_label
from bulklane_client.api.partners import bulk_create_contacts
from bulklane_client.models import (
    BulkCreateContactsBody, BulkCreateContactsBodyContactsItem, ContactItem, NameBody, NewLabel, Reference,
)

client = AuthenticatedClient(
    os.environ["BULKLANE_URL"], os.environ["BULKLANE_API_KEY"], raise_on_unexpected_status=True
)

def run(name, items, **parameters):
    module = import_module(f"bulklane_client.api.bulk.bulk_{name}")
    body = getattr(models, "Bulk" + name.title().replace("_", "") + "JsonBody")(items)
    job = module.sync(client=client, body=body, **parameters)
    return get_job.sync(job.id, client=client, wait=30)

contact, bad = ContactItem(phone="+12125558001"), ContactItem(phone="12")
named = Reference(phone="+12125558001")
job = run("contacts_upsert", [contact, bad])
assert (job.counts.created, job.counts.failed) == (1, 1), job
assert [error.code for error in list_errors.sync(job.id, client=client).data] == ["phone_too_short"]

group = create_list.sync(client=client, body=NameBody(name="generated")).id
label = create_label.sync(client=client, body=NewLabel(name="generated")).id
audience = create_audience.sync(client=client, body=NameBody(name="generated")).id
for name, item, parameters in [
    ("lists_add", contact, {"list_id": group}),
    ("lists_overwrite", contact, {"list_id": group}),
    ("lists_remove", contact, {"list_id": group}),
    ("labels_attach", named, {"label_id": label}),
    ("labels_detach", named, {"label_id": label}),
    ("audiences_add", named, {"audience_id": audience}),
    ("preferences_set", named, {"preference": "mute_all"}),
    ("contacts_delete", named, {}),
]:
    job = run(name, [item], **parameters)
    assert job.state == "completed", (name, job)
item = BulkCreateContactsBodyContactsItem(phone="+12125558002", name="Rui")
done = bulk_create_contacts.sync(client=client, body=BulkCreateContactsBody([item]), prefer="wait=30")
assert done.created == 1, done
"""
USE_MODELS = """
import os
import httpx
import models

with httpx.Client(
    base_url=os.environ["BULKLANE_URL"], headers={"x-api-key": os.environ["BULKLANE_API_KEY"]}
) as client:
    item = models.ContactItem(phone="12", birth_date={"day": 1, "month": 2})
    body = {"items": [item.model_dump(mode="json", exclude_none=True)]}
    job = models.Job.model_validate(client.post("/v1/bulk/contacts.upsert", json=body).json())
    job = models.Job.model_validate(client.get(f"/v1/jobs/{job.id}", params={"wait": 30}).json())
    assert job.state.value == "completed_with_errors", job
    page = models.ListingItemErrorView.model_validate(client.get(job.errors_url).json())
    assert page.data[0].code == "phone_too_short", page
"""
USE_TYPES = """
import createClient from "openapi-fetch";
import type { paths } from "./api";

declare const process: { env: Record<string, string>; exitCode: number };
const headers = { Authorization: `Bearer ${process.env.BULKLANE_API_KEY}` };
const client = createClient<paths>({ baseUrl: process.env.BULKLANE_URL, headers });

async function main() {
  const body = { items: [{ phone: "12" }] };
  const { data: sent } = await client.POST("/v1/bulk/contacts.upsert", { body });
  const path = { job_id: sent!.id };
  const { data: job } = await client.GET("/v1/jobs/{job_id}", { params: { path, query: { wait: 30 } } });
  const { data: errors } = await client.GET("/v1/jobs/{job_id}/errors", { params: { path } });
  const code = typeof errors === "object" ? errors.data[0].code : errors;
  process.exitCode = job!.state === "completed_with_errors" && code === "phone_too_short" ? 0 : 1;
}
main();
"""


# It leaves out an endpoint of which it knows no content type: those of resumable uploads.
CONTENT_TYPES = """
content_type_overrides:
  application/partial-upload: application/octet-stream
  application/x-ndjson: application/octet-stream
"""


@pytest.fixture
async def document(service: Service, tmp_path: Path) -> Path:
    """Return the document in a file, in a folder of its own."""
    path = tmp_path / "openapi.json"
    path.write_text(json.dumps(await service.get("/openapi.json")))
    return path


async def test_openapi_python_client(service: Service, document: Path) -> None:
    folder = document.parent
    (folder / "generator.yaml").write_text(CONTENT_TYPES)
    made = await run(
        service,
        folder,
        "openapi-python-client",
        "generate",
        "--path",
        document.name,
        "--meta",
        "none",
        "--config",
        "generator.yaml",
        "--output-path",
        "bulklane_client",
    )
    assert "Endpoint will not be generated" not in made
    assert "Unable to" not in made
    await run(service, folder, "python", "-c", USE_CLIENT)


async def test_datamodel_code_generator(service: Service, document: Path) -> None:
    await run(
        service,
        document.parent,
        "datamodel-codegen",
        "--input",
        document.name,
        "--input-file-type",
        "openapi",
        "--output",
        "models.py",
        "--output-model-type",
        "pydantic_v2.BaseModel",
    )
    await run(service, document.parent, "python", "-c", USE_MODELS)


@pytest.mark.skipif(
    not NODE.exists() or shutil.which("node") is None, reason="node or its packages are missing"
)
async def test_openapi_typescript(service: Service, document: Path) -> None:
    folder = document.parent
    (folder / "node_modules").symlink_to(NODE)
    (folder / "use.ts").write_text(USE_TYPES)
    programs = NODE / ".bin"
    await run(service, folder, str(programs / "openapi-typescript"), document.name, "-o", "api.d.ts")
    await run(
        service,
        folder,
        str(programs / "tsc"),
        "--strict",
        "--target",
        "es2022",
        "--module",
        "nodenext",
        "--skipLibCheck",
        "use.ts",
    )
    await run(service, folder, "node", "use.js")


async def run(service: Service, folder: Path, program: str, *words: str) -> str:
    """Run a program in a folder, with the key of the service; return what it prints. It must end with 0."""
    dev = service.dev
    environment = {
        "PATH": f"{TOOLS / 'bin'}:{os.environ['PATH']}",
        "HOME": str(folder),
        "BULKLANE_URL": dev["url"],
        "BULKLANE_API_KEY": dev["api_key"],
    }
    done = await asyncio.to_thread(
        subprocess.run,
        [program, *words],
        cwd=folder,
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout[-3000:] + done.stderr[-3000:]
    return done.stdout + done.stderr
