"""The npm package `standardwebhooks` verifies our messages. `./run generators` installs it and runs this."""

import json
import shutil
from pathlib import Path

import pytest

from bulklane import AsyncBulklane
from tests.acceptance.client.test_generators import NODE, run
from tests.acceptance.service import Service
from tests.receiver import receiving

pytestmark = pytest.mark.skipif(
    not (NODE / "standardwebhooks").exists() or shutil.which("node") is None,
    reason="node or its package standardwebhooks is missing: run ./run generators",
)

VERIFY = """
const { readFileSync } = require("node:fs");
const { Webhook } = require("standardwebhooks");
const { secrets, body, headers } = JSON.parse(readFileSync("message.json", "utf8"));
for (const secret of secrets) {
  const message = new Webhook(secret).verify(body, headers);
  if (message.type !== "webhook.test") throw new Error(message.type);
}
let refused = 0;
for (const [other, changed] of [[secrets[0], body + " "], ["whsec_" + "A".repeat(44), body]]) {
  try { new Webhook(other).verify(changed, headers); } catch { refused += 1; }
}
console.log("refused", refused);
"""


async def test_a_message_is_verified_with_both_secrets_of_a_rotation(
    service: Service, tmp_path: Path
) -> None:
    async with (
        receiving() as receiver,
        AsyncBulklane(key=service.dev["api_key"], url=service.dev["url"]) as client,
    ):
        hook = await client.webhooks.create(receiver.url())
        rotated = await client.webhooks.rotate_secret(hook.id)
        await client.webhooks.test(hook.id)
        (received,) = await receiver.wait(1)
        await client.webhooks.delete(hook.id)
    message = {
        "secrets": [hook.secret, rotated.secret],
        "body": received.body.decode(),
        "headers": received.headers,
    }
    (tmp_path / "message.json").write_text(json.dumps(message))
    (tmp_path / "verify.cjs").write_text(VERIFY)
    (tmp_path / "node_modules").symlink_to(NODE)
    assert await run(service, tmp_path, "node", "verify.cjs") == "refused 2\n"
