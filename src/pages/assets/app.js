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

  // Live: the page is asked for again now and then, and what differs is put in place. Elements say by `data-live` and an id
  // that they may be replaced; what somebody works in (a focused field, an open log) stays as it is.
  const PAUSE = 4000;
  let tag = null;
  let failures = 0;
  let timer = 0;

  function busy(part) {
    const active = document.activeElement;
    return active && active !== document.body && part.contains(active) && active.matches("input, select, textarea");
  }

  async function refresh() {
    timer = 0;
    if (document.hidden || !document.querySelector("[data-live]")) return;
    try {
      const headers = tag ? { "If-None-Match": tag } : {};
      const answer = await fetch(location.href, { headers, cache: "no-store", redirect: "error" });
      failures = 0;
      if (answer.ok) {
        tag = answer.headers.get("ETag");
        const next = new DOMParser().parseFromString(await answer.text(), "text/html");
        for (const part of document.querySelectorAll("[data-live]")) {
          const fresh = next.getElementById(part.id);
          if (!fresh || busy(part) || fresh.isEqualNode(part)) continue;
          const hadFocus = part.contains(document.activeElement) && document.activeElement.getAttribute("href");
          const anchor = document.importNode(fresh, true);
          part.replaceWith(anchor);
          if (hadFocus) [...anchor.querySelectorAll("a")].find((a) => a.getAttribute("href") === hadFocus)?.focus();
        }
        addLogs(next);
      }
    } catch {
      failures += 1;
    }
    const stale = document.getElementById("stale");
    if (stale) stale.hidden = failures < 2;
    schedule();
  }
  function schedule(pause = PAUSE * Math.min(1 + failures, 8)) {
    if (!timer) timer = setTimeout(refresh, pause);
  }
  document.addEventListener("visibilitychange", () => { if (!document.hidden) schedule(0); });

  // A phase that has begun since has a log that the page does not have yet.
  function addLogs(next) {
    for (const fresh of next.querySelectorAll("details.log")) {
      if (document.getElementById(fresh.id)) continue;
      const log = document.importNode(fresh, true);
      const logs = document.getElementById("logs");
      logs.querySelector(".empty")?.remove();
      logs.append(log);
      log.querySelectorAll("pre[data-from]").forEach(follow);
    }
  }

  // Logs: each log that grows is asked for what came after the last fragment.
  async function follow(log) {
    while (log.isConnected && log.dataset.from) {
      await new Promise((resolve) => { setTimeout(resolve, PAUSE / 2); });
      if (document.hidden || !log.closest("details").open) continue;
      try {
        const answer = await fetch(`${log.dataset.url}?from=${encodeURIComponent(log.dataset.from)}`, { cache: "no-store" });
        if (!answer.ok) continue;
        const text = await answer.text();
        const atEnd = log.scrollHeight - log.scrollTop - log.clientHeight < 40;
        if (text) log.append(text);
        // A page that is open for days must not grow for days.
        while (log.textContent.length > 2_000_000 && log.childNodes.length > 1) log.firstChild.remove();
        if (atEnd) log.scrollTop = log.scrollHeight;
        log.dataset.from = answer.headers.get("Log-Next") ?? "";
      } catch { /* The next round may fare better. */ }
    }
  }

  document.addEventListener("DOMContentLoaded", () => {
    schedule();
    for (const log of document.querySelectorAll("pre[data-tail]")) log.scrollTop = log.scrollHeight;
    for (const log of document.querySelectorAll("pre[data-from]")) follow(log);
  });

  // Times are written by the server; whoever points at one sees it in their own zone.
  document.addEventListener("pointerover", (event) => {
    const time = event.target.closest?.("time[datetime]");
    if (time) time.title = `${new Date(time.dateTime).toLocaleString()} (${time.dateTime})`;
  });
})();
