// Keeps a page up to date: server-sent events say what has changed, the page is read again, and the parts that differ
// are put in place of the old ones. Without it everything works by loading the page again.
"use strict";
(() => {
  const shown = new Map();
  const main = () => document.getElementById("main");
  const parts = (root) => [...root.querySelectorAll("[data-part]")];
  const own = (part) => part.parentElement.closest("[data-part]") === null;
  // Words for times change all the time, and are kept up to date here.
  const plain = (part) => part.outerHTML.replace(/(<time[^>]*>)[^<]*/g, "$1");
  const remember = () => {
    shown.clear();
    for (const part of parts(main())) if (own(part)) shown.set(part.id, plain(part));
  };

  // What a person is at: a field with text of theirs, or a part that keeps itself (a terminal, a log).
  const isHeld = (part) => {
    if (part.hasAttribute("data-hold") || part.querySelector("[data-hold]")) return true;
    return [...part.querySelectorAll("input, textarea, select")].some((field) => {
      if (field.type === "hidden" || field.type === "submit") return false;
      if (field.type === "checkbox" || field.type === "radio") return field.checked !== field.defaultChecked;
      if (field.tagName === "SELECT") {
        const usual = [...field.options].find((option) => option.defaultSelected) || field.options[0];
        return usual !== undefined && field.value !== usual.value;
      }
      return field.value !== field.defaultValue;
    });
  };

  // Where the keyboard is, in words that hold for the new part as well.
  const trace = (part) => {
    const active = document.activeElement;
    if (!active || !part.contains(active)) return null;
    if (active.id) return { find: (root) => root.querySelector("#" + CSS.escape(active.id)), active };
    const same = (root) => [...root.querySelectorAll(active.tagName)].filter((other) =>
      other.getAttribute("href") === active.getAttribute("href") && other.name === active.name
      && other.textContent === active.textContent);
    const index = same(part).indexOf(active);
    return { find: (root) => same(root)[index], active };
  };

  const replace = (old, fresh) => {
    const focus = trace(old);
    const selection = focus && typeof focus.active.selectionStart === "number"
      ? [focus.active.selectionStart, focus.active.selectionEnd] : null;
    const scrolled = [...old.querySelectorAll(".table, .lines")].map((box) => [box.scrollLeft, box.scrollTop]);
    const open = [...old.querySelectorAll("details")].map((box) => box.open);
    old.replaceWith(fresh);
    [...fresh.querySelectorAll(".table, .lines")].forEach((box, index) => {
      if (scrolled[index]) [box.scrollLeft, box.scrollTop] = scrolled[index];
    });
    [...fresh.querySelectorAll("details")].forEach((box, index) => {
      if (open[index] !== undefined) box.open = open[index];
    });
    const target = focus && focus.find(fresh);
    if (target) {
      target.focus({ preventScroll: true });
      if (selection && target.setSelectionRange) target.setSelectionRange(...selection);
    }
    document.dispatchEvent(new CustomEvent("rondo:part", { detail: fresh }));
  };

  const swap = (text) => {
    const fresh = new DOMParser().parseFromString(text, "text/html").getElementById("main");
    if (!fresh) return false;
    const old = main();
    const before = parts(old).filter(own).map((part) => part.id).join(" ");
    const after = parts(fresh).filter(own).map((part) => part.id).join(" ");
    if (before !== after && !old.querySelector("[data-hold]")) {
      const position = [scrollX, scrollY];
      old.replaceChildren(...fresh.childNodes);
      scrollTo(...position);
      remember();
      document.dispatchEvent(new CustomEvent("rondo:part", { detail: old }));
    } else {
      for (const part of parts(fresh).filter(own)) {
        const current = document.getElementById(part.id);
        const html = plain(part);
        if (!current || shown.get(part.id) === html || isHeld(current)) continue;
        shown.set(part.id, html);
        replace(current, document.importNode(part, true));
      }
    }
    if (fresh.dataset.title) document.title = fresh.dataset.title;
    setClock(fresh);
    tick();
    return true;
  };

  let asked = 0;
  const read = async (url) => {
    const number = ++asked;
    const answer = await fetch(url, { headers: { "Rondo-Fragment": "1", Accept: "text/html" }, credentials: "same-origin" });
    if (answer.status === 401) { location.reload(); return false; }
    const text = await answer.text();
    return number === asked && swap(text);
  };
  const here = () => location.pathname + location.search;

  // One reading at a time, and a pause after it, however much changes.
  let isReading = false, isStale = false;
  const refresh = async () => {
    if (isReading) { isStale = true; return; }
    isReading = true;
    try { await read(here()); } catch { /* the stream says when the master is back */ }
    await new Promise((done) => setTimeout(done, 700));
    isReading = false;
    if (isStale && !document.hidden) { isStale = false; refresh(); }
  };

  const say = (state, text, title) => {
    const badge = document.querySelector("[data-live-state]");
    if (!badge) return;
    badge.dataset.liveState = state;
    badge.title = title;
    badge.querySelector("[data-live-text]").textContent = text;
  };

  let stream = null;
  const follow = () => {
    const topics = main() && main().dataset.topics;
    if (!topics || !window.EventSource) return;
    stream = new EventSource("/ui/events?topics=" + encodeURIComponent(topics));
    stream.onopen = () => {
      say("on", "live", "This page changes by itself.");
      // What changed before the stream was there, or while it was not, is not told.
      refresh();
    };
    stream.onerror = () => {
      say("off", "reconnecting", "The master does not answer; it is tried again by itself.");
      if (stream.readyState === EventSource.CLOSED) setTimeout(follow, 10000);
    };
    stream.addEventListener("changed", () => { if (document.hidden) isStale = true; else refresh(); });
  };
  document.addEventListener("visibilitychange", () => {
    if (!document.hidden && isStale) { isStale = false; refresh(); }
  });
  addEventListener("pagehide", () => { if (stream) stream.close(); });

  // Times in words, as Times.swift has them.
  const span = (seconds) => {
    if (seconds < 90) return Math.floor(seconds) + " s";
    if (seconds < 5400) return Math.round(seconds / 60) + " min";
    if (seconds < 172800) return Math.round(seconds / 3600) + " h";
    return Math.round(seconds / 86400) + " d";
  };
  // The master's clock, not this machine's.
  let skew = 0;
  const setClock = (page) => {
    const now = Date.parse(page.dataset.now);
    if (!Number.isNaN(now)) skew = now - Date.now();
  };
  const tick = () => {
    for (const time of document.querySelectorAll("time[datetime]")) {
      const seconds = (Date.now() + skew - Date.parse(time.dateTime)) / 1000;
      if (Number.isNaN(seconds)) continue;
      time.textContent = Math.abs(seconds) < 1 ? "just now" : seconds >= 0 ? span(seconds) + " ago" : "in " + span(-seconds);
    }
  };
  setInterval(tick, 10000);

  // Filters answer while one types.
  let typing = 0;
  const apply = (form) => {
    const query = new URLSearchParams(new FormData(form)).toString();
    const url = form.getAttribute("action") + "?" + query;
    history.replaceState(null, "", url);
    read(url).catch(() => { location.href = url; });
  };
  document.addEventListener("input", (event) => {
    const form = event.target.closest && event.target.closest("form[data-filter]");
    if (!form) return;
    clearTimeout(typing);
    typing = setTimeout(() => apply(form), 250);
  });
  document.addEventListener("submit", (event) => {
    const form = event.target.closest("form[data-filter]");
    if (form) { event.preventDefault(); apply(form); return; }
    // Nothing is sent twice.
    const button = event.submitter;
    if (button && event.target.method === "post") {
      if (event.target.dataset.sent) { event.preventDefault(); return; }
      event.target.dataset.sent = "1";
      setTimeout(() => { delete event.target.dataset.sent; }, 5000);
    }
  });
  document.addEventListener("keydown", (event) => {
    if (event.key !== "/" || event.ctrlKey || event.metaKey || event.altKey) return;
    if (event.target.closest("input, textarea, select, [contenteditable], [data-hold]")) return;
    const field = document.getElementById("filter-q");
    if (field) { event.preventDefault(); field.focus(); field.select(); }
  });

  if (main()) {
    setClock(main());
    remember();
    follow();
    // What was done is said once, not again when the page is loaded again.
    const address = new URL(location.href);
    if (address.searchParams.has("notice")) {
      address.searchParams.delete("notice");
      history.replaceState(null, "", address);
    }
  }
})();
