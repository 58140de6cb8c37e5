// Keeps the main part of a page as the server would render it now, without loading the page again.
//
// The new main part is laid over the old one node by node, so that what its reader has opened, selected, focused or
// scrolled stays as it is. A page is complete without this: see page.rs for what it does then.
"use strict";
(() => {
  const main = document.querySelector("main");
  const state = document.getElementById("live");
  if (!main.dataset.again) return;
  let timer;
  let failures = 0;

  // A reader opens and closes details; the server has no say in it once they are there.
  const isReaders = (element, attribute) => attribute === "open" && element.nodeName === "DETAILS";

  function overlayAttributes(old, next) {
    for (const { name } of [...old.attributes]) {
      if (!next.hasAttribute(name) && !isReaders(old, name)) old.removeAttribute(name);
    }
    for (const { name, value } of next.attributes) {
      if (old.getAttribute(name) !== value && !isReaders(old, name)) old.setAttribute(name, value);
    }
  }

  const keyOf = (node) => node.dataset?.key;

  // The node at or after `place` that becomes `child`: the one with its key, else the one that stands there.
  function counterpart(place, child) {
    const key = keyOf(child);
    if (!key) return place && !keyOf(place) && place.nodeName === child.nodeName ? place : null;
    for (let node = place; node; node = node.nextSibling) if (keyOf(node) === key) return node;
    return null;
  }

  function overlay(old, next) {
    if (old.nodeType !== Node.ELEMENT_NODE) {
      if (old.nodeValue !== next.nodeValue) old.nodeValue = next.nodeValue;
      return;
    }
    overlayAttributes(old, next);
    let place = old.firstChild;
    for (const child of [...next.childNodes]) {
      const same = counterpart(place, child);
      if (!same) {
        old.insertBefore(document.importNode(child, true), place);
        continue;
      }
      if (same === place) place = place.nextSibling;
      else old.insertBefore(same, place);
      if (!same.isEqualNode(child)) overlay(same, child);
    }
    while (place) {
      const rest = place.nextSibling;
      place.remove();
      place = rest;
    }
  }

  function tell(isLive, text) {
    state.textContent = text;
    state.className = isLive ? "live" : "live lost";
    state.hidden = false;
  }

  async function refresh() {
    clearTimeout(timer);
    if (document.hidden) return;
    try {
      const answer = await fetch(location.href, { cache: "no-store", signal: AbortSignal.timeout(10_000) });
      if (!answer.ok) throw new Error(`the server answers ${answer.status}`);
      const next = new DOMParser().parseFromString(await answer.text(), "text/html");
      overlay(main, next.querySelector("main"));
      document.title = next.title;
      failures = 0;
      tell(true, "live");
    } catch {
      failures += 1;
      if (failures === 1) tell(false, `no answer since ${new Date().toLocaleTimeString()}`);
    }
    // A server that is away is not helped by being asked every other second.
    const seconds = Number(main.dataset.again) * Math.min(failures + 1, 5);
    timer = setTimeout(refresh, seconds * 1000);
  }

  document.addEventListener("visibilitychange", refresh);
  tell(true, "live");
  timer = setTimeout(refresh, Number(main.dataset.again) * 1000);
})();
