// What pages do besides being read. Without this file they can still be read, filtered and searched.
"use strict";
(() => {
  const root = document.documentElement;
  root.classList.add("js");

  // Light or dark: as the system says, until somebody chooses.
  const stored = (() => { try { return localStorage.getItem("theme"); } catch { return null; } })();
  if (stored === "light" || stored === "dark") root.dataset.theme = stored;
  document.addEventListener("click", (event) => {
    const button = event.target.closest("button[data-do]");
    if (button?.dataset.do === "theme") {
      const dark = root.dataset.theme
        ? root.dataset.theme === "dark"
        : matchMedia("(prefers-color-scheme: dark)").matches;
      root.dataset.theme = dark ? "light" : "dark";
      try { localStorage.setItem("theme", root.dataset.theme); } catch { /* It lasts for this page then. */ }
    }
    if (button?.dataset.do === "copy") copy(button);
  });

  function copy(button) {
    const text = document.getElementById(button.dataset.of)?.textContent ?? "";
    const done = () => {
      const said = button.textContent;
      button.textContent = "Copied";
      setTimeout(() => { button.textContent = said; }, 1500);
    };
    if (navigator.clipboard) return navigator.clipboard.writeText(text).then(done, () => {});
    // Over plain HTTP there is no clipboard, except through a selection.
    const area = document.createElement("textarea");
    area.value = text;
    document.body.append(area);
    area.select();
    if (document.execCommand("copy")) done();
    area.remove();
    button.focus();
  }

  // Live: the server says in a stream when the page is out of date, and what the logs of a job have grown by. The page is then
  // asked for again, and what differs is put in place. Where there is no stream, because the server has too many watchers or
  // something on the way breaks it off, the page is asked for now and then, logs included.
  const POLL = 5000; // Between two pages without a stream.
  const AGAIN = 60_000; // Until a stream that was refused is asked for again.
  const LOG = 2_000_000; // Characters of a log that an open page keeps.
  let place = root.dataset.place; // What the page has been told last.
  let source = null;
  let refused = -AGAIN;
  let over = false; // Nothing more will be told.
  let tag = null;
  let failures = 0;
  let timer = 0;
  let next = 0; // Not before this time is the page asked for again.

  const isLive = () => root.dataset.stream && !document.hidden && document.querySelector("[data-live]");

  function listen() {
    if (source || over || !isLive() || performance.now() < refused + AGAIN) return;
    source = new EventSource(`${root.dataset.stream}?last_event_id=${encodeURIComponent(place)}`);
    source.onopen = () => answered(true);
    source.onmessage = hear;
    source.onerror = () => {
      if (source.readyState === EventSource.CLOSED) {
        refused = performance.now();
        stop();
      }
      lookSoon(POLL);
    };
  }

  function stop() {
    source?.close();
    source = null;
    tag = null;
    write();
  }

  function hear(event) {
    const { look: isOld, anew, end, logs } = JSON.parse(event.data);
    if (anew || logs.some(([log]) => !document.getElementById(`log-${log}`))) {
      // The page lacks a log that has begun. It is taken whole, and the stream goes on from there.
      stop();
      lookSoon();
      return;
    }
    if (event.lastEventId) place = event.lastEventId;
    logs.forEach(append);
    over = end;
    if (over) stop();
    if (isOld) lookSoon();
  }

  function lookSoon(pause = 0) {
    if (!timer) timer = setTimeout(look, Math.max(pause, next - performance.now()));
  }

  async function look() {
    if (!isLive()) { timer = 0; return; }
    const isWhole = !source && !over;
    const begun = performance.now();
    try {
      const headers = tag ? { "If-None-Match": tag } : {};
      const answer = await fetch(location.href, { headers, cache: "no-store", redirect: "manual" });
      // The session has ended.
      if (answer.type === "opaqueredirect") return location.reload();
      if (answer.ok) {
        tag = answer.headers.get("ETag");
        const fresh = new DOMParser().parseFromString(await answer.text(), "text/html");
        document.querySelectorAll("[data-live]").forEach((part) => renew(part, fresh.getElementById(part.id)));
        takeLogs(fresh, isWhole);
        if (isWhole) {
          ({ place } = fresh.documentElement.dataset);
          over = !place;
        }
      }
      answered(true);
    } catch {
      answered(false);
    }
    // A page that takes long to make is asked for less often.
    next = performance.now() + Math.max(1000, 10 * (performance.now() - begun));
    timer = 0;
    if (isWhole) listen();
    // The stream has ended meanwhile: the next page is to be taken whole.
    else if (!source) tag = null;
    if (!over && !source) lookSoon(isWhole ? POLL * Math.min(1 + failures, 8) : 0);
    else if (failures) lookSoon(POLL);
  }

  function answered(well) {
    failures = well ? 0 : failures + 1;
    document.getElementById("stale").hidden = failures < 2;
  }

  // Elements say by `data-live` and an id that they may be replaced; a field in which somebody writes stays as it is.
  function renew(part, fresh) {
    const active = part.contains(document.activeElement) ? document.activeElement : null;
    if (!fresh || fresh.isEqualNode(part) || active?.matches("input, select, textarea")) return;
    const node = document.importNode(fresh, true);
    part.replaceWith(node);
    const link = active?.getAttribute("href");
    if (link) [...node.querySelectorAll("a")].find((a) => a.getAttribute("href") === link)?.focus();
  }

  // Takes the logs of a fresh page that this one lacks, and, if it is the whole truth, what is in the others. Of a log that
  // grows the stream tells everything.
  function takeLogs(fresh, isWhole) {
    for (const log of fresh.querySelectorAll("details.log")) {
      const pre = log.querySelector("pre");
      const old = document.getElementById(log.id)?.querySelector("pre");
      if (old && isWhole && old.textContent !== pre.textContent) {
        keepEnd(old, () => old.replaceChildren(pre.textContent));
        delete old.kept;
      }
      if (old || ("grows" in pre.dataset && !isWhole)) continue;
      const logs = document.getElementById("logs");
      logs.querySelector(".empty")?.remove();
      logs.append(document.importNode(log, true));
      showEnd(logs.lastElementChild.querySelector("pre"));
    }
  }

  const pending = new Map();
  function append([log, text]) {
    if (!pending.size) requestAnimationFrame(write);
    pending.set(log, (pending.get(log) ?? "") + text);
  }
  function write() {
    for (const [log, text] of pending) {
      const pre = document.getElementById(`log-${log}`).querySelector("pre");
      keepEnd(pre, () => {
        pre.append(text);
        // A page that is open for days must not grow for days.
        pre.kept = (pre.kept ?? pre.textContent.length - text.length) + text.length;
        for (; pre.kept > LOG && pre.childNodes.length > 1; pre.firstChild.remove()) pre.kept -= pre.firstChild.length;
      });
    }
    pending.clear();
  }

  const showEnd = (pre) => { pre.scrollTop = pre.scrollHeight; };
  function keepEnd(pre, change) {
    const atEnd = pre.scrollHeight - pre.scrollTop - pre.clientHeight < 40;
    change();
    if (atEnd) showEnd(pre);
  }

  // Of a long log only the parts are there that can be seen, or nearly.
  const parts = new IntersectionObserver((changes) => {
    for (const { target: part, isIntersecting } of changes) {
      part.loading?.abort();
      if (isIntersecting) {
        part.loading = new AbortController();
        load(part, part.loading.signal);
      } else if ("shown" in part.dataset) {
        part.style.height = `${part.getBoundingClientRect().height}px`;
        part.replaceChildren();
        delete part.dataset.shown;
      }
    }
  }, { rootMargin: "3000px" });
  async function load(part, signal) {
    // Whoever scrolls past is not there any more after a moment.
    await new Promise((resolve) => { setTimeout(resolve, 60); });
    if (signal.aborted || "shown" in part.dataset) return;
    const text = await fetch(part.dataset.part, { signal }).then((answer) => (answer.ok ? answer.text() : null)).catch(() => null);
    // What was scrolled past meanwhile would never be taken away again.
    if (signal.aborted) return;
    part.textContent = text ?? "This part cannot be had now. Load the page again.\n";
    part.dataset.shown = "";
    part.style.height = "";
  }

  // A tab that nobody sees asks for nothing. When it is seen again, the stream goes on where it was left.
  document.addEventListener("visibilitychange", () => {
    if (!document.hidden) return listen();
    stop();
    clearTimeout(timer);
    timer = 0;
  });
  document.addEventListener("DOMContentLoaded", () => {
    document.querySelectorAll("pre[data-tail]").forEach(showEnd);
    document.querySelectorAll("pre[data-part]").forEach((part) => parts.observe(part));
    listen();
  });

  // Times are written by the server; whoever points at one sees it in their own zone.
  document.addEventListener("pointerover", (event) => {
    const time = event.target.closest?.("time[datetime]");
    if (time) time.title = `${new Date(time.dateTime).toLocaleString()} (${time.dateTime})`;
  });
})();
