// Send a file as the body of a request, and show how far it is. The browser reads the file piece by piece, so
// its size does not matter.

const PACE_SECONDS = 5; // the rate is that of the last seconds
const UNITS = ["bytes", "kB", "MB", "GB"];
const WAIT = new Set([409, 429, 503]); // refusals after which the same request may succeed

export class Transfer {
  // `section` has the elements that show the transfer. `done` is called with the id of the job, `changed` when
  // the transfer begins or ends.
  constructor(section, { done, changed }) {
    this.view = section.querySelector("[data-transfer]");
    this.bar = section.querySelector("progress");
    this.text = section.querySelector("[data-progress]");
    this.failure = section.querySelector("[data-failure]");
    this.message = section.querySelector("[data-message]");
    this.again = section.querySelector("[data-again]");
    this.done = done;
    this.changed = changed;
    this.opener = section.querySelector("button");
    this.abort = section.querySelector("[data-abort]");
    this.abort.addEventListener("click", () => this.#stop());
    this.again.addEventListener("click", () => {
      this.#open();
      this.abort.focus(); // the button that had the focus is hidden now
    });
    addEventListener("beforeunload", (event) => { if (this.busy) event.preventDefault(); });
  }

  get busy() {
    return !this.view.hidden;
  }

  // Send `file` to `address`. A repetition, also after the page was loaded again, has the same key, so the
  // service accepts the file once.
  send(address, file, headers) {
    const what = JSON.stringify([address, file.name, file.size, file.lastModified]);
    const kept = JSON.parse(sessionStorage.getItem("upload") ?? "{}");
    this.key = kept.what === what ? kept.key : newKey();
    sessionStorage.setItem("upload", JSON.stringify({ what, key: this.key }));
    Object.assign(this, { address, file, headers });
    this.#open();
  }

  clear() {
    this.request?.abort();
    clearTimeout(this.timer);
    this.failure.hidden = true;
  }

  #open() {
    this.clear();
    const request = new XMLHttpRequest();
    this.request = request;
    this.began = performance.now();
    this.marks = [[this.began, 0]];
    this.#show(0);
    this.view.hidden = false;
    this.changed();
    request.open("POST", this.address);
    Object.entries({ ...this.headers, "Idempotency-Key": this.key }).forEach(([name, value]) => request.setRequestHeader(name, value));
    request.upload.addEventListener("progress", (event) => this.#show(event.loaded));
    request.addEventListener("load", () => this.#answered(request));
    request.addEventListener("error", () => this.#fail("The connection ended, or the file has changed since it was chosen. Try again: the service accepts the file once.", 0));
    request.addEventListener("abort", () => this.#end());
    request.send(this.file);
  }

  #answered(request) {
    const job = request.getResponseHeader("Location");
    if (request.status < 300 && job) {
      sessionStorage.removeItem("upload");
      this.done(job.split("/").pop());
      this.#end();
      return;
    }
    const answer = problemOf(request);
    if (answer.code === "idempotency_key_reuse") { // another file with the same name, size and time
      sessionStorage.removeItem("upload");
      this.send(this.address, this.file, this.headers);
      return;
    }
    const wait = Number(request.getResponseHeader("Retry-After")) || 1;
    const again = WAIT.has(request.status) ? wait : request.status >= 500 ? 0 : null;
    this.#fail(answer.message, again);
  }

  // After the last byte the service may have accepted the file: say it, and lead to its job.
  async #stop() {
    const { request, whole } = this;
    request.abort();
    if (!whole) return;
    const job = await jobOf(this.file.name, performance.now() - this.began);
    if (this.busy || request !== this.request) return; // it is sent again
    this.#fail(job ? "The service had the whole file and accepted it. If it is not wanted, cancel its job: " : "The service had the whole file and may still accept it. See the newest ", null);
    this.message.append(Object.assign(document.createElement("a"), { href: job ? `/jobs/${job.id}` : "/", textContent: job ? job.name || job.id : "jobs" }));
  }

  #end() {
    if (this.view.contains(document.activeElement)) this.opener.focus();
    this.view.hidden = true;
    this.changed();
  }

  // Show what is wrong. `seconds` until it may be tried again; null: it would fail again.
  #fail(text, seconds) {
    this.#end();
    this.message.textContent = text;
    this.failure.hidden = false;
    this.again.hidden = seconds === null;
    if (seconds !== null) this.#count(seconds);
  }

  #count(seconds) {
    this.again.disabled = seconds > 0;
    this.again.textContent = seconds > 0 ? `Try again in ${seconds} s` : "Try again";
    if (seconds > 0) this.timer = setTimeout(() => this.#count(seconds - 1), 1000);
  }

  #show(sent) {
    const now = performance.now();
    this.marks.push([now, sent]);
    while (this.marks.length > 2 && now - this.marks[0][0] > PACE_SECONDS * 1000) this.marks.shift();
    this.whole = sent === this.file.size;
    const [since, before] = this.marks[0];
    const rate = (sent - before) / Math.max((now - since) / 1000, 0.001);
    this.bar.value = this.file.size ? sent / this.file.size : 1;
    const parts = [`${sizeOf(sent)} of ${sizeOf(this.file.size)}`];
    if (this.whole) parts.push("waiting for the answer");
    else if (rate > 0 && now - since > 500) parts.push(`${sizeOf(rate)}/s`, `${timeOf((this.file.size - sent) / rate)} left`);
    this.text.textContent = parts.join(" · ");
  }
}

// Return the job of a file that the service has received in the last `age` milliseconds, if it was accepted.
async function jobOf(name, age) {
  try {
    const response = await fetch("/v1/jobs?limit=20");
    const since = Date.parse(response.headers.get("Date")) - age - 2000; // the header has whole seconds
    const { data } = await response.json();
    return data.find((job) => job.file_name === name && job.accepted_at && Date.parse(job.received_at) >= since);
  } catch {
    return undefined;
  }
}

export function sizeOf(bytes) {
  let unit = 0;
  let value = bytes;
  while (value >= 1000 && unit < UNITS.length - 1) [value, unit] = [value / 1000, unit + 1];
  return `${unit ? value.toFixed(1) : value} ${UNITS[unit]}`;
}

function timeOf(seconds) {
  return seconds < 90 ? `${Math.ceil(seconds)} s` : `${Math.round(seconds / 60)} min`;
}

function newKey() { // crypto.randomUUID exists only on https and localhost
  return [...crypto.getRandomValues(new Uint8Array(16))].map((byte) => byte.toString(16).padStart(2, "0")).join("");
}

// Return the message of an error, with all problems if there are several.
function problemOf(request) {
  try {
    const { error, errors } = JSON.parse(request.responseText);
    const texts = errors?.length ? errors.map((one) => one.message) : [error.message];
    const lines = [...new Set(texts)].map((text) => text[0].toUpperCase() + text.slice(1));
    return { code: error.code, message: lines.join("\n") };
  } catch {
    return { code: "", message: `The service answered with status ${request.status}.` };
  }
}
