// The catalog: options are found while one types, changed ones are marked, and what a link leads to is opened.
"use strict";
(() => {
  const usual = (field) => {
    if (field.type === "checkbox") return field.defaultChecked;
    if (field.tagName !== "SELECT") return field.defaultValue;
    const option = [...field.options].find((one) => one.defaultSelected) || field.options[0];
    return option ? option.value : "";
  };
  const present = (field) => (field.type === "checkbox" ? field.checked : field.value);
  const mark = (field) => {
    const option = field.closest("[data-option]");
    if (option) option.classList.toggle("changed", present(field) !== usual(field));
  };
  // What a number may be is said before it is sent; the master has the last word.
  const check = (field) => {
    const { least, most } = field.dataset;
    if (least === undefined) return;
    const text = field.value.trim(), value = Number(text);
    const isWrong = text !== "" && (Number.isNaN(value) || (least !== "" && value < Number(least))
      || (most !== "" && value > Number(most)) || (field.inputMode === "numeric" && !Number.isInteger(value)));
    field.closest(".field").classList.toggle("wrong", isWrong);
    if (isWrong) field.setAttribute("aria-invalid", "true"); else field.removeAttribute("aria-invalid");
  };
  document.addEventListener("input", (event) => {
    if (!event.target.closest("form.options")) return;
    if (event.target.dataset.search !== undefined) { find(event.target.value); return; }
    mark(event.target);
    check(event.target);
  });

  const find = (text) => {
    const words = text.toLowerCase().split(/\s+/).filter(Boolean);
    for (const group of document.querySelectorAll("form.options details.group")) {
      const options = [...group.querySelectorAll("[data-option]")];
      if (options.length === 0) continue;
      let shown = 0;
      for (const option of options) {
        const about = option.textContent.toLowerCase();
        option.hidden = !words.every((word) => about.includes(word));
        if (!option.hidden) shown += 1;
      }
      for (const set of group.querySelectorAll("fieldset")) set.hidden = !set.querySelector("[data-option]:not([hidden])");
      group.hidden = shown === 0;
      if (words.length > 0 && shown > 0) group.open = true;
    }
  };

  const open = (id) => {
    const target = id && document.getElementById(id);
    if (!target) return;
    for (let box = target.closest("details"); box; box = box.parentElement.closest("details")) box.open = true;
    target.scrollIntoView({ block: "start" });
    if (target.matches("input, select, textarea")) target.focus();
  };
  document.addEventListener("click", (event) => {
    const link = event.target.closest("a[href^='#']");
    if (!link || !link.closest(".jumps, .faults")) return;
    event.preventDefault();
    const id = decodeURIComponent(link.getAttribute("href").slice(1));
    history.replaceState(null, "", "#" + id);
    open(id);
  });

  const begin = () => {
    const jumps = document.querySelector("[data-jumps]");
    if (jumps && !jumps.querySelector("input")) {
      const search = document.createElement("input");
      search.type = "search";
      search.placeholder = "Find an option";
      search.setAttribute("aria-label", "Find an option");
      search.dataset.search = "";
      search.addEventListener("keydown", (event) => { if (event.key === "Enter") event.preventDefault(); });
      jumps.prepend(search);
    }
    if (location.hash) open(decodeURIComponent(location.hash.slice(1)));
  };
  begin();
  document.addEventListener("rondo:part", begin);
})();
