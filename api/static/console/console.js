// What the pages have beyond HTML: keys, the theme, and the stream of the front page. Everything works without it.
(() => {
  const theme = localStorage.getItem("theme");
  if (theme) document.documentElement.dataset.theme = theme;
  const $ = (selector) => document.querySelector(selector);
  const singleKeys = () => localStorage.getItem("keys") !== "off";

  const ready = () => {
    $(".tabs [aria-current]")?.scrollIntoView({ block: "nearest", inline: "center" });
    $(".graph.wide .g-n")?.scrollIntoView({ block: "nearest", inline: "center" });
  };
  document.addEventListener("DOMContentLoaded", ready);
  document.addEventListener("htmx:afterSettle", (event) => {
    if (event.target.id !== "main") return;
    ready();
    const heading = event.target.querySelector("h1");
    if (heading && !event.target.contains(document.activeElement)) {
      heading.tabIndex = -1;
      heading.focus({ preventScroll: true });
    }
  });
  document.addEventListener("htmx:beforeRequest", () => $("#main")?.setAttribute("aria-busy", "true"));
  for (const name of ["htmx:responseError", "htmx:sendError", "htmx:timeout"])
    document.addEventListener(name, (event) => {
      $("#main")?.removeAttribute("aria-busy");
      const path = event.detail.pathInfo?.requestPath;
      if (path) location.assign(path); // the browser shows the answer, or why there is none
    });

  const rows = () => [...document.querySelectorAll("[data-rows]")].flatMap((list) => [...list.children]);
  const move = (by) => {
    const all = rows();
    if (!all.length) return;
    const now = all.findIndex((row) => row.hasAttribute("aria-current"));
    const at = Math.max(0, Math.min(all.length - 1, now < 0 ? (by > 0 ? 0 : all.length - 1) : now + by));
    all.forEach((row, i) => (i === at ? row.setAttribute("aria-current", "true") : row.removeAttribute("aria-current")));
    (all[at].querySelector("a.go") || all[at].querySelector("a"))?.focus({ preventScroll: true });
    all[at].scrollIntoView({ block: "nearest" });
  };
  const step = (by) => {
    const all = [...document.querySelectorAll(".steps > li[id]:not(.inner li)")];
    if (!all.length) return;
    const now = all.findIndex((row) => row.classList.contains("sel") || "#" + row.id === location.hash);
    const next = all[Math.max(0, Math.min(all.length - 1, now + by))];
    all.forEach((row) => row.classList.toggle("sel", row === next));
    const number = next.id.slice("step-".length);
    const url = new URL(location.href);
    url.searchParams.set("step", number);
    url.hash = "";
    history.replaceState(null, "", url);
    document.querySelectorAll(".g-n").forEach((node) => {
      const mine = node.getAttribute("href")?.endsWith("#" + next.id);
      node.classList.toggle("sel", Boolean(mine));
    });
    next.querySelector("h3 a")?.focus({ preventScroll: true });
    next.scrollIntoView({ block: "nearest" });
  };
  const copy = (text) => text && navigator.clipboard?.writeText(text);
  let leading = false;
  addEventListener("keydown", (event) => {
    if (event.key === "Escape") return document.activeElement?.blur();
    if (event.target.closest("input, select, textarea") || event.metaKey || event.ctrlKey || event.altKey) return;
    if (!singleKeys() || event.target.closest("dialog")) return;
    if (leading) {
      leading = false;
      return document.querySelector(`[data-go="${CSS.escape(event.key)}"]`)?.click();
    }
    const named = document.querySelector(`a[aria-label$="key ${CSS.escape(event.key)}"], button[aria-label$="key ${CSS.escape(event.key)}"]`);
    if (named) return named.click();
    const does = {
      "/": () => (event.preventDefault(), $("[data-key='/']")?.focus()),
      j: () => move(1),
      k: () => move(-1),
      ArrowRight: () => step(1),
      ArrowLeft: () => step(-1),
      g: () => (leading = true),
      c: () => copy($("[data-copy]")?.dataset.copy),
      y: () => copy(location.href),
      e: () => document.querySelectorAll("main details").forEach((each) => (each.open = true)),
      "?": () => $("#keys")?.showModal(),
    };
    does[event.key]?.();
  });
  document.addEventListener("DOMContentLoaded", () => {
    const box = $("#single-keys");
    if (box) {
      box.checked = singleKeys();
      box.addEventListener("change", () => localStorage.setItem("keys", box.checked ? "on" : "off"));
    }
    document.querySelectorAll("[data-theme-to]").forEach((button) =>
      button.addEventListener("click", () => {
        localStorage.setItem("theme", button.dataset.themeTo);
        document.documentElement.dataset.theme = button.dataset.themeTo;
      }),
    );
  });

  // The stream of the front page. A row that the page has is dropped; the server reads on from the last message's id.
  const MOST = 200; // rows that the page keeps
  let source = null;
  const follow = () => {
    source?.close();
    source = null;
    const address = $("#stream")?.dataset.stream;
    const feed = $("#feed");
    if (!address || !feed || !window.EventSource) return;
    const state = $("#stream-state");
    const button = $("#stream-pause");
    const more = $("#stream-more");
    let paused = false;
    let held = [];
    let left = 0;
    const say = (text, kind) => {
      state.textContent = text;
      state.className = "state " + kind;
    };
    const element = (html) => {
      const template = document.createElement("template");
      template.innerHTML = html;
      return template.content.firstElementChild;
    };
    const put = (html) => {
      const row = element(html);
      if (!row) return;
      if (row.dataset.id) {
        if (feed.querySelector(`[data-id="${CSS.escape(row.dataset.id)}"]`)) return;
        $("#feed-void")?.remove();
        feed.prepend(row);
        while (feed.children.length > MOST) feed.lastElementChild.remove();
      } else if (row.dataset.run) {
        if (feed.querySelector(`[data-run="${CSS.escape(row.dataset.run)}"]`)) return;
        const event = feed.querySelector(`[data-id="${CSS.escape(row.dataset.event)}"]`);
        if (!event) return;
        event.querySelector("[data-none]")?.remove();
        event.querySelector(".runs").append(row);
        if (row.dataset.state && !event.classList.contains("bad")) event.className = row.dataset.state;
      }
    };
    const tell = () => {
      const rows = held.filter((html) => html.startsWith("<li")).length;
      more.hidden = !(rows || left);
      more.textContent = left ? `${left + rows} more came faster than they are shown: reload` : `Show ${rows} newer events`;
    };
    source = new EventSource(address);
    source.onopen = () => say(paused ? "Paused, counting on" : "Following, nothing missed", paused ? "late" : "on");
    source.onerror = () => say("Reconnecting", "late");
    source.addEventListener("row", (event) => {
      const html = event.data.trim();
      if (!html) return;
      if (!paused) return put(html);
      held.push(html);
      if (held.length > 5 * MOST) held.shift();
      tell();
    });
    source.addEventListener("more", (event) => {
      left += Number(event.data);
      tell();
    });
    source.addEventListener("end", (event) => {
      if (event.data.trim() !== "denied") return; // the server restarts: the browser comes again by itself
      source.close();
      say("Ended: log in again", "late");
    });
    button.hidden = false;
    button.onclick = () => {
      paused = !paused;
      button.lastElementChild.textContent = paused ? "Go on" : "Pause";
      say(paused ? "Paused, counting on" : "Following, nothing missed", paused ? "late" : "on");
      if (!paused) {
        held.forEach(put);
        held = [];
        tell();
      }
    };
    more.addEventListener("click", (event) => {
      if (left) return; // the link reloads the page
      event.preventDefault();
      held.forEach(put);
      held = [];
      tell();
    });
  };
  document.addEventListener("DOMContentLoaded", follow);
  document.addEventListener("htmx:afterSettle", (event) => event.target.id === "main" && follow());
  document.addEventListener("visibilitychange", () => {
    if (!document.hidden && $("#stream") && !source) location.reload();
    if (document.hidden) {
      source?.close();
      source = null;
    }
  });
})();
