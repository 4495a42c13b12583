// What every page does besides its own HTML: copy, sign in by a link, follow the events of the service.

import { follow } from "./live.js";

const LOOPBACK = new Set(["localhost", "127.0.0.1", "[::1]"]);

// The link of `./run` has the key behind the #, which no server and no log sees.
const form = document.querySelector("#sign-in");
if (form && location.hash.length > 16) { // a link inside the page has a shorter one
  form.elements.key.value = location.hash.slice(1);
  history.replaceState(null, "", location.pathname); // the history keeps no key
  // Elsewhere a person decides: a link of somebody else would sign them in to an account that is not theirs.
  if (LOOPBACK.has(location.hostname)) form.requestSubmit();
}

document.addEventListener("click", async (event) => {
  const button = event.target.closest("[data-copy]");
  if (!button) return;
  await navigator.clipboard.writeText(button.dataset.copy);
  const text = button.textContent;
  button.textContent = "Copied";
  setTimeout(() => { button.textContent = text; }, 1500);
});

// A question before a form is sent that cannot be taken back.
document.addEventListener("submit", (event) => {
  const question = event.target.dataset.confirm;
  if (question && !confirm(question)) event.preventDefault();
});

document.addEventListener("keydown", (event) => {
  const question = event.key === "Escape" && event.target.closest("details.question[open]");
  if (!question) return;
  question.open = false;
  question.querySelector("summary").focus();
});

// The fields that were left empty stay out of the address.
document.addEventListener("formdata", (event) => {
  if (event.target.method !== "get") return;
  for (const [name, value] of [...event.formData]) if (value === "") event.formData.delete(name);
});

// A filter applies when it is chosen with the pointer. With the keyboard, each arrow chooses: there is a button.
let byKeyboard = false;
document.addEventListener("keydown", () => { byKeyboard = true; });
document.addEventListener("pointerdown", () => { byKeyboard = false; });
document.addEventListener("change", (event) => {
  if (event.target.matches("[data-submit-on-change]") && !byKeyboard) event.target.form.requestSubmit();
});

export function reveal(root) {
  root.querySelectorAll("[data-copy]").forEach((button) => { button.hidden = false; });
}

reveal(document);
const { live, refresh } = document.body.dataset;
if (live || refresh) follow(live, reveal, refresh);
