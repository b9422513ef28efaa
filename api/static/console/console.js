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
})();
