// Keep a page current: when the service tells that something has changed, load the page again and change only
// what differs, so that the focus, the selection and the scroll position stay.

import { Idiomorph } from "./idiomorph.js";

const PAUSE = 1000; // milliseconds between two loads
const RETRY = 5000; // milliseconds until the next attempt after a failure
const OPENED_BY_THE_USER = ["open"]; // attributes that belong to the person, not to the server

// Follow the events at `address`, or without one load again every `seconds`. `changed` is called with the changed
// element after each load.
export function follow(address, changed, seconds) {
  let timer = null;
  let again = false; // something has changed since the last load began
  let next = 0; // the time of the next load at the earliest
  let events = null;
  let ended = false; // nothing on this page changes any more

  function plan(pause) {
    if (ended) return;
    again = true;
    timer ??= setTimeout(load, Math.max(pause, next - Date.now()));
  }

  async function load() {
    if (document.hidden) { // loads when the page is looked at again
      timer = null;
      return;
    }
    again = false;
    let pause = PAUSE;
    try {
      const response = await fetch(location.href, { headers: { Accept: "text/html" } });
      if (!response.ok) throw new Error(response.status);
      show(new DOMParser().parseFromString(await response.text(), "text/html"));
      lost(false);
    } catch {
      lost(true);
      again = true;
      pause = RETRY;
    }
    next = Date.now() + pause;
    timer = null;
    if (again) plan(pause);
  }

  function show(fresh) {
    const main = document.querySelector("#main");
    const focused = document.activeElement;
    Idiomorph.morph(main, fresh.querySelector("#main"), {
      ignoreActiveValue: true,
      callbacks: {
        beforeNodeMorphed: (old) => !(old.dataset && "keep" in old.dataset),
        beforeAttributeUpdated: (name) => !OPENED_BY_THE_USER.includes(name),
      },
    });
    // What had the focus is gone: go on from the beginning of the content, not of the page.
    if (focused !== document.body && !focused.isConnected) main.focus({ preventScroll: true });
    document.title = fresh.title;
    changed(main);
    ended = !("live" in fresh.body.dataset || "refresh" in fresh.body.dataset);
    if (ended) events?.close();
  }

  function lost(is) {
    document.querySelector("#live-lost").hidden = !is;
  }

  // A browser connects again by itself and resumes with Last-Event-ID, but not after a refusal.
  function listen() {
    if (ended || events || document.hidden) return;
    const stream = new EventSource(address);
    events = stream;
    ["job", "reset"].forEach((name) => stream.addEventListener(name, () => plan(0)));
    stream.addEventListener("open", () => plan(0)); // what has changed while nobody listened
    stream.addEventListener("error", () => {
      plan(RETRY);
      if (stream.readyState !== EventSource.CLOSED || stream !== events) return;
      events = null;
      setTimeout(listen, RETRY);
    });
  }

  // Over HTTP/1.1 a browser has six connections to a host. Pages in the background leave them to the others.
  function attend() {
    if (document.hidden) {
      events?.close();
      events = null;
      return;
    }
    plan(0);
    if (address) listen();
  }

  if (address) listen();
  else setInterval(() => plan(0), seconds * 1000);
  document.addEventListener("refresh", () => plan(0)); // a script of the page has changed its address
  document.addEventListener("visibilitychange", attend);
}
