// The page that uploads a file: from the choice of the file to its job.

import { ColumnFields } from "./column_fields.js";
import { Transfer, sizeOf } from "./transfer.js";

const MOST_PAGES = 10; // of 100 lists, labels or audiences to choose from
const SUFFIXES = /(\.(xlsx|xlsm|csv|tsv|tab|txt|json|ndjson|jsonl|gz|zst|zstd|zz|deflate))+$/i;
const LONG_LOOK = 2 ** 21; // bytes; the preview of a larger workbook takes seconds
const byId = (id) => document.getElementById(id);
const form = byId("upload");
const token = document.querySelector("meta[name=csrf-token]").content;
const operation = byId("operation");

let file = null;
let fields = null; // the fields of its columns; null: it cannot be sent
let looking = null; // ends the request for a preview that is out of date
let checked = null; // the address without name and tags to which a dry run was sent
let proposedName = "";

const check = new Transfer(byId("check-controls"), { done: showCheck, changed: showBusy });
const send = new Transfer(byId("send"), { done: (job) => location.assign(`/jobs/${job}`), changed: showBusy });

// 1. Choose

function choose(chosen) {
  if (!chosen) return;
  file = chosen;
  byId("file-name").textContent = file.name;
  byId("file-facts").textContent = `${sizeOf(file.size)}. Choose or drop another one.`;
  byId("drop").classList.add("chosen");
  const name = byId("name");
  if (name.value === proposedName) {
    proposedName = file.name.replace(SUFFIXES, "").replace(/[\s*]+$/, "").slice(0, 200);
    name.value = proposedName;
  }
  look();
}

byId("file").addEventListener("change", (event) => choose(event.target.files[0]));
["dragover", "drop"].forEach((name) => addEventListener(name, (event) => event.preventDefault())); // do not open it
addEventListener("dragover", () => byId("drop").classList.add("over"));
addEventListener("dragleave", (event) => { if (!event.relatedTarget) byId("drop").classList.remove("over"); });
addEventListener("drop", (event) => {
  byId("drop").classList.remove("over");
  choose(event.dataTransfer.files[0]);
});

function showParameters() {
  byId("operation-name").textContent = operation.value;
  form.querySelectorAll("[data-operations]").forEach((set) => {
    set.hidden = set.disabled = !set.dataset.operations.split(" ").includes(operation.value);
    if (!set.disabled) set.querySelectorAll("[data-source]").forEach(fill);
  });
}

// Fill a select, or the group of channels, with what the account has.
async function fill(target) {
  if ("filled" in target.dataset) return;
  target.dataset.filled = "";
  let cursor = "";
  for (let page = 0; page < MOST_PAGES && cursor !== null; page += 1) {
    const response = await fetch(`${target.dataset.source}?limit=100${cursor && `&cursor=${encodeURIComponent(cursor)}`}`);
    if (!response.ok) {
      delete target.dataset.filled; // again when it is shown again
      return;
    }
    const { data, next_cursor } = await response.json();
    data.forEach((one) => target.append(target.matches("select") ? new Option(one.name, one.id) : checkbox(one)));
    cursor = next_cursor;
  }
  const empty = target.parentElement.querySelector("[data-empty]");
  if (empty) empty.hidden = target.options.length > 1;
}

function checkbox(channel) {
  const label = document.createElement("label");
  label.className = "check";
  const box = Object.assign(document.createElement("input"), { type: "checkbox", value: channel.id });
  label.append(box, channel.name);
  return label;
}

// 2. See

async function look() {
  looking?.abort();
  looking = new AbortController();
  const { signal } = looking;
  fields = null;
  const query = new URLSearchParams({ operation: operation.value, file_name: file.name.slice(-255), size: file.size });
  if (byId("charset")) query.set("charset", byId("charset").value);
  let shown;
  try {
    const body = file.slice(0, await bytesToSee());
    if (body.size > LONG_LOOK) byId("preview").replaceChildren(Object.assign(document.createElement("p"), { className: "muted", textContent: "The workbook is read. This takes a moment." }));
    const headers = { "X-CSRF-Token": token, Accept: "text/html" };
    const response = await fetch(`/upload/preview?${query}`, { method: "POST", body, headers, signal });
    if (!response.ok) throw new Error(response.status === 401 ? "The session has ended: load the page again, and sign in." : `The service answered with status ${response.status}. Choose the file again.`);
    shown = new DOMParser().parseFromString(await response.text(), "text/html").body.childNodes;
  } catch (error) {
    if (signal.aborted) return;
    shown = [notice(error instanceof DOMException ? "The file cannot be read. If it is a folder, choose a file in it." : error.message)];
  }
  byId("preview").replaceChildren(...shown);
  if (byId("file-kind")) fields = new ColumnFields(byId("preview"));
  changed();
}

// A workbook can only be read as a whole: the first bytes show whether the file is one.
async function bytesToSee() {
  const { headBytes, workbookBytes } = form.dataset;
  const isArchive = (await file.slice(0, 4).text()) === "PK\u0003\u0004";
  return Number(isArchive && file.size <= Number(workbookBytes) ? workbookBytes : headBytes);
}

function notice(text) {
  return Object.assign(document.createElement("p"), { className: "notice bad", textContent: text });
}

// Something was chosen: say what is wrong with it, and forget the check of what was chosen before.
function changed() {
  const problems = fields?.problems() ?? [];
  const state = byId("mapping-state");
  if (state) {
    state.className = problems.length ? "notice bad" : "notice";
    state.textContent = problems.join(" ") || fields?.summary() || "";
  }
  const ready = fields !== null && !problems.length;
  byId("check-button").disabled = byId("send-button").disabled = !ready;
  if (checked !== whatIsChecked()) {
    checked = null;
    check.clear();
    history.replaceState(null, "", "/upload");
    byId("check-result").hidden = true;
    byId("check-result").replaceChildren();
  }
  showChecked();
}

form.addEventListener("change", (event) => {
  if (event.target.id === "file") return;
  if (event.target === operation) showParameters();
  if (event.target.id === "opt-in") byId("channels").hidden = event.target.value !== "some";
  if (file && [operation.id, "charset"].includes(event.target.id)) look();
  else if (file) changed();
});
form.addEventListener("submit", (event) => event.preventDefault()); // the key Enter in a field

// 3. Check, 4. Send

function queryOf(names) {
  const given = [...new FormData(form)].filter(([name, value]) => value && names(name));
  const query = new URLSearchParams(given);
  if (!form.querySelector("#opt-in").closest("fieldset").disabled) {
    const channels = [...byId("channels").querySelectorAll(":checked")].map((box) => box.value);
    if (byId("opt-in").value === "none") query.set("opt_in_to_all_channels", "false");
    if (byId("opt-in").value === "some") query.set("opt_in_to", channels.join(","));
  }
  fields?.query().forEach((value, name) => {
    if (name !== "unknown_columns" || !query.has(name)) query.set(name, value); // to keep columns leaves them out, too
  });
  return query;
}

function whatIsChecked() {
  const query = queryOf((name) => name !== "name" && name !== "tags");
  return file && JSON.stringify([operation.value, query.toString(), fields?.kind.contentType, file.name, file.lastModified, file.size]);
}

function start(transfer, dryRun) {
  if (check.busy || send.busy) return;
  const none = byId("opt-in").value === "some" && !byId("channels").querySelector(":checked");
  byId("opt-in").setCustomValidity(none ? "Choose a channel below." : "");
  if (!form.checkValidity()) {
    form.querySelector("details").open = true;
    form.reportValidity();
    return;
  }
  const query = queryOf(() => true);
  if (dryRun) query.set("dry_run", "true");
  const headers = {
    "X-CSRF-Token": token,
    "Content-Type": fields.kind.contentType,
    "Content-Disposition": `attachment; filename*=UTF-8''${encodeURIComponent(file.name.toWellFormed?.() ?? file.name)}`,
  };
  if (fields.kind.contentEncoding) headers["Content-Encoding"] = fields.kind.contentEncoding;
  transfer.send(`/v1/bulk/${operation.value}?${query}`, file, headers);
}

// The file of a check has arrived: the page is loaded again while the check goes on.
function showCheck(job) {
  checked = whatIsChecked();
  history.replaceState(null, "", `/upload?check=${job}`);
  byId("check-result").hidden = false;
  document.dispatchEvent(new Event("refresh"));
}

// No `disabled`, with which a button loses the focus.
function showBusy() {
  ["check-button", "send-button"].forEach((id) => byId(id).setAttribute("aria-disabled", check.busy || send.busy));
}

// After the check, sending is the next step.
function showChecked() {
  const { state } = byId("check-result").dataset;
  const ended = !byId("check-result").hidden && ["completed", "completed_with_errors", "failed", "cancelled"].includes(state);
  byId("send-button").classList.toggle("primary", ended);
  byId("check-button").classList.toggle("primary", !ended);
  byId("check-button").textContent = ended ? "Check it again" : "Check the file";
}

byId("check-button").addEventListener("click", () => start(check, true));
byId("send-button").addEventListener("click", () => start(send, false));
new MutationObserver(showChecked).observe(byId("check-result"), { attributes: true, subtree: true, childList: true });
addEventListener("pageshow", (event) => { if (event.persisted) location.reload(); }); // the file was sent
showParameters();
