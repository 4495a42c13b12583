// Send a CSV file of contacts, wait for the end of its job, print what failed: node send.mjs contacts.csv
// BULKLANE_URL and BULKLANE_API_KEY are the address of the service and the key of the account. Node.js 18 or newer.
import { randomUUID } from "node:crypto";
import { createReadStream } from "node:fs";
import { Readable } from "node:stream";
import { setTimeout as sleep } from "node:timers/promises";

const { BULKLANE_URL: url, BULKLANE_API_KEY: key } = process.env;
const ATTEMPTS = 12;

const job = await submit(process.argv[2]);
console.log(`${job.id} accepted`);
const ended = await waitForEnd(job.id);
console.log(`${ended.state}: ${ended.counts.failed} failed`);
for await (const error of errorsOf(job.id)) {
  console.log(`item ${error.index}: ${error.code}: ${error.message}`);
}

/** Send a file, which is read while it is sent; return its job. */
async function submit(path) {
  const idempotencyKey = randomUUID(); // of all attempts: the file is applied once
  return call("/v1/bulk/contacts.upsert", () => ({
    method: "POST",
    headers: { "Content-Type": "text/csv", "Idempotency-Key": idempotencyKey },
    body: Readable.toWeb(createReadStream(path)), // each attempt reads the file from its beginning
    duplex: "half",
  }));
}

/** Return the job when it has ended. Each request waits for that, for at most 30 seconds. */
async function waitForEnd(id) {
  for (;;) {
    const job = await call(`/v1/jobs/${id}?wait=30`);
    if (job.finished_at !== null) return job;
  }
}

/** Yield the failed items of a job, page by page. */
async function* errorsOf(id) {
  for (let cursor = ""; cursor !== null; ) {
    const page = await call(`/v1/jobs/${id}/errors?limit=100${cursor && `&cursor=${cursor}`}`);
    yield* page.data;
    cursor = page.next_cursor;
  }
}

/** Send a request and return the JSON of its answer. Repeat it if it was refused for now, or lost. */
async function call(path, request = () => ({})) {
  for (let attempt = 1; ; attempt++) {
    const { response, problem } = await send(path, request());
    if (response?.ok) return response.json();
    const text = response && (await response.text());
    if ((response && !isTemporary(response.status, text)) || attempt === ATTEMPTS) {
      throw new Error(`${path}: ${text ?? problem}`);
    }
    const wait = Number(response?.headers.get("Retry-After") ?? Math.min(2 ** (attempt - 1), 30));
    console.error(`${response?.status ?? problem}: again in ${wait} s`);
    await sleep(wait * 1000 + 500 * Math.random()); // clients that were refused together come back apart
  }
}

/** Return the response to one attempt, or why there is none. */
async function send(path, { headers, ...rest }) {
  try {
    const response = await fetch(url + path, { ...rest, headers: { Authorization: `Bearer ${key}`, ...headers } });
    return { response };
  } catch (error) {
    return { problem: error.cause?.message ?? error.message };
  }
}

/** Whether a request can be sent again: nothing was stored, or an earlier attempt is still being received. */
function isTemporary(status, text) {
  return [429, 500, 502, 503, 504].includes(status) || text.includes('"idempotency_in_progress"');
}
