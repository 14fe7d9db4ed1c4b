"""What can be computed of a page that is shown: contrast, overflow, names, the way of the Tab key and its focus."""

from harness import check

# Each text against what is painted behind it, as WCAG 2 computes it. Controls that cannot be used are exempt there.
CONTRAST = """(least) => {
  const brush = document.createElement("canvas").getContext("2d", {willReadFrequently: true});
  const known = new Map();
  const rgba = text => {
    if (!known.has(text)) {
      brush.clearRect(0, 0, 1, 1); brush.fillStyle = "#000"; brush.fillStyle = text; brush.fillRect(0, 0, 1, 1);
      const [r, g, b, a] = brush.getImageData(0, 0, 1, 1).data;
      known.set(text, [r, g, b, a / 255]);
    }
    return known.get(text);
  };
  const over = (top, under) => [0, 1, 2].map(n => top[n] * top[3] + under[n] * (1 - top[3])).concat(1);
  const light = c => {
    const [r, g, b] = c.slice(0, 3).map(v => (v /= 255) <= 0.04045 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4);
    return 0.2126 * r + 0.7152 * g + 0.0722 * b;
  };
  const ratio = (a, b) => { const [x, y] = [light(a), light(b)].sort((p, q) => q - p); return (x + 0.05) / (y + 0.05); };
  const paint = e => {
    const s = getComputedStyle(e);
    if (e instanceof SVGElement && !(e instanceof SVGSVGElement)) return ["text", "g", "line"].includes(e.localName) || s.fill === "none" ? [0, 0, 0, 0]
      : [...rgba(s.fill).slice(0, 3), rgba(s.fill)[3] * s.fillOpacity * s.opacity];
    return rgba(s.backgroundColor);
  };
  const ground = e => {
    const layers = [];
    for (let at = e; at; at = at.parentElement) {
      // Shapes that were drawn before a text of the same picture lie behind it.
      if (at instanceof SVGElement && at.parentElement instanceof SVGElement) {
        const box = e.getBoundingClientRect(), x = box.x + box.width / 2, y = box.y + box.height / 2;
        for (let b = at.previousElementSibling; b; b = b.previousElementSibling) {
          const r = b.getBoundingClientRect();
          if (r.x <= x && x <= r.right && r.y <= y && y <= r.bottom && b.localName !== "text") layers.push(paint(b));
        }
      }
      layers.push(paint(at));
      if (layers.at(-1)[3] === 1) break;
    }
    const dark = matchMedia("(prefers-color-scheme: dark)").matches;
    const scheme = getComputedStyle(document.documentElement).colorScheme;
    const canvas = dark && scheme.includes("dark") ? [18, 18, 18, 1] : [255, 255, 255, 1];
    return layers.reverse().reduce((under, top) => over(top, under), canvas);
  };
  const seen = new Map(), walk = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
  let texts = 0;
  const judge = (e, colour, text, what) => {
    let alpha = 1;
    for (let at = e; at; at = at.parentElement) alpha *= +getComputedStyle(at).opacity;
    const back = ground(e), front = rgba(colour);
    const found = ratio(over([...front.slice(0, 3), front[3] * alpha], back), back);
    texts++;
    if (found < least) {
      const key = e.localName + "." + [...e.classList].join(".") + what;
      if (!seen.has(key))
        seen.set(key, `${found.toFixed(2)} ${key} "${text.trim().slice(0, 30)}" ${colour} on ${back.slice(0, 3).map(Math.round)}`);
    }
  };
  for (let node; (node = walk.nextNode());) {
    const e = node.parentElement;
    if (!node.data.trim() || !e.getClientRects().length || e.closest("script, style, noscript, :disabled")) continue;
    const style = getComputedStyle(e), box = e.getBoundingClientRect();
    if (style.visibility !== "visible" || box.width < 2 || box.height < 2) continue;
    judge(e, e instanceof SVGElement ? style.fill : style.color, node.data, "");
  }
  for (const e of document.querySelectorAll("input, textarea, select")) {
    if (!e.getClientRects().length || e.disabled || e.type === "hidden") continue;
    if (!["checkbox", "radio", "range", "color", "file"].includes(e.type))
      judge(e, getComputedStyle(e).color, e.value || "(value)", "");
    if (e.placeholder) judge(e, getComputedStyle(e, "::placeholder").color, e.placeholder, "::placeholder");
  }
  return {texts, low: [...seen.values()]};
}"""

OVERFLOW = """(() => {
  const wide = document.scrollingElement.scrollWidth, room = document.documentElement.clientWidth;
  if (wide <= room) return [];
  const held = e => { for (e = e.parentElement; e && e !== document.body; e = e.parentElement)
    if (getComputedStyle(e).overflowX !== "visible") return true; return false; };
  const over = [...document.body.querySelectorAll("*")].filter(e => e.getBoundingClientRect().right > room + 0.5 && !held(e));
  return [`${wide} of ${room} pixels`].concat(over.slice(0, 6).map(e =>
    `${e.localName}.${[...e.classList].join(".")} "${e.textContent.trim().slice(0, 30)}" ends at ${Math.round(e.getBoundingClientRect().right)}`));
})()"""

# Everything that a person without a mouse must get to, marked with a number.
REACHABLE = """(() => {
  const all = [...document.querySelectorAll("a[href], button, input, select, textarea, summary, [tabindex], iframe")];
  let n = 0;
  const groups = new Set(), names = {};
  for (const e of all) {
    delete e.dataset.probe;
    const style = getComputedStyle(e);
    if (e.disabled || e.tabIndex < 0 || e.type === "hidden" || style.visibility !== "visible") continue;
    if (!e.getClientRects().length || e.closest("[inert]")) continue;
    const closed = e.closest("details:not([open])");
    if (closed && !(e.localName === "summary" && e.parentElement === closed)) continue;
    if (e.type === "radio") { const g = e.form + e.name; if (groups.has(g)) continue; groups.add(g); }
    e.dataset.probe = n;
    names[n++] = e.outerHTML.slice(0, 110);
  }
  return names;
})()"""
STYLE = """const style = e => { const s = getComputedStyle(e);
  return [s.outlineStyle === "none" ? "" : s.outlineStyle + s.outlineWidth + s.outlineColor, s.boxShadow, s.backgroundColor,
          s.borderColor + s.borderWidth, s.textDecoration].join("|"); };"""
FOCUSED = """(() => { %s
  let e = document.activeElement;
  while (e && e.shadowRoot && e.shadowRoot.activeElement) e = e.shadowRoot.activeElement;
  if (!e || e === document.body || e === document.documentElement) return null;
  let n = e.dataset.probe;
  if (n === undefined && e.type === "radio")
    n = [...document.getElementsByName(e.name)].map(o => o.dataset.probe).find(o => o !== undefined);
  const r = e.getBoundingClientRect();
  const label = e.labels && e.labels[0];
  return {n, style: style(e) + (label ? style(label) : ""), shown: r.bottom > 0 && r.top < innerHeight && r.right > 0 && r.left < innerWidth && r.width > 0,
          what: e.outerHTML.slice(0, 110)};
})()""" % STYLE
UNFOCUSED = """n => { %s const e = document.querySelector(`[data-probe="${n}"]`); const label = e.labels && e.labels[0];
  return style(e) + (label ? style(label) : ""); }""" % STYLE

NAMED = {"button", "link", "textbox", "searchbox", "combobox", "checkbox", "radio", "spinbutton", "listbox", "tab", "img"}


def contrast(page, least=4.5):
    """Lines about texts that are too faint, and how many texts there are."""
    found = page.evaluate("(%s)(%s)" % (CONTRAST, least))
    return found["low"], found["texts"]


def overflow(page):
    """Lines about what makes the page wider than its window."""
    return page.evaluate(OVERFLOW)


def nameless(page):
    """Things to act on, and pictures, that a reader of the screen cannot name."""
    wrong = []
    for node in page.call("Accessibility.getFullAXTree")["nodes"]:
        role = node.get("role", {}).get("value")
        if not node.get("ignored") and role in NAMED and not (node.get("name", {}).get("value") or "").strip():
            wrong.append(role + " without a name (node %s)" % node.get("backendDOMNodeId"))
    return wrong


def structure(page):
    """Lines about a page without language, title, main part or heading, or with an id twice."""
    return page.evaluate("""(() => {
      const wrong = [], ids = [...document.querySelectorAll("[id]")].map(e => e.id);
      if (!document.documentElement.lang) wrong.push("no lang");
      if (!document.title.trim()) wrong.push("no title");
      for (const [s, n] of [["main", 1], ["h1", 1]])
        if (document.querySelectorAll(s).length !== n) wrong.push(`${document.querySelectorAll(s).length} of ${s}`);
      for (const id of new Set(ids.filter((id, n) => ids.indexOf(id) !== n))) wrong.push("id twice: " + id);
      return wrong;
    })()""")


def tab_through(page, limit=400):
    """Presses Tab until the focus comes round. Returns lines about what it does not reach or does not show."""
    names = page.evaluate(REACHABLE)
    # From the top, wherever the page put the focus: the browser goes on from where something focused was taken away.
    page.evaluate("""(() => { const top = document.createElement("span"); top.tabIndex = -1; document.body.prepend(top);
      top.focus(); top.remove(); scrollTo(0, 0); })()""")
    wrong, met = [], []
    for _ in range(min(limit, len(names) + 10)):
        page.press("Tab")
        found = page.evaluate(FOCUSED)
        if found is None or found["n"] is None:
            if met:
                break
            continue
        if found["n"] in met:
            break
        met.append(found["n"])
        if not found["shown"]:
            wrong.append("has the focus outside of the window: " + found["what"])
        page.evaluate("document.activeElement.blur()")
        if page.evaluate("(%s)(%s)" % (UNFOCUSED, found["n"])) == found["style"]:
            wrong.append("looks the same with the focus: " + found["what"])
        page.evaluate("""n => document.querySelector(`[data-probe="${n}"]`).focus({focusVisible: true})""", int(found["n"]))
    if len(names) < limit:
        wrong += ["is not reached by Tab: " + words for n, words in names.items() if n not in met]
    return wrong, len(met)


def accessible(page, what, least=4.5):
    """Fails with all that is wrong with how the page looks now."""
    low, texts = contrast(page, least)
    wrong = low + overflow(page) + nameless(page) + structure(page)
    check(texts > 3, what, "shows hardly any text:", texts)
    check(not wrong, what, "has", len(wrong), "faults:", "; ".join(wrong[:8]))
