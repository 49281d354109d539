"use strict";
(() => {
  const root = document.documentElement;
  const all = (selector, within = document) => [...within.querySelectorAll(selector)];
  const asked = new URLSearchParams(location.search);

  // -- tables: sorted by a heading's button; cells without a value stay last
  const valueOf = (cell, kind) => {
    if (kind !== "number") return cell.textContent.trim().toLowerCase();
    return cell.dataset.v === undefined ? NaN : Number(cell.dataset.v);
  };
  const sort = (table, index, direction) => {
    const heads = all("thead th", table);
    const kind = heads[index].dataset.sort;
    const sign = direction === "descending" ? -1 : 1;
    const lines = all("tbody tr", table).map((line) => [valueOf(line.cells[index], kind), line]);
    lines.sort(([a], [b]) => {
      if (kind !== "number") return sign * a.localeCompare(b, undefined, { numeric: true });
      if (Number.isNaN(a) || Number.isNaN(b)) return Number.isNaN(a) - Number.isNaN(b);
      return sign * (a - b);
    });
    for (const head of heads) head.removeAttribute("aria-sort");
    heads[index].setAttribute("aria-sort", direction);
    table.tBodies[0].append(...lines.map(([, line]) => line));
  };
  for (const table of all("table.sortable")) {
    all("thead th", table).forEach((head, index) => {
      if (!head.dataset.sort) return;
      const button = document.createElement("button");
      button.type = "button";
      button.className = "sorter";
      button.append(...head.childNodes);
      head.append(button);
      button.addEventListener("click", () => {
        const turned = head.getAttribute("aria-sort") === "ascending" ? "descending" : "ascending";
        sort(table, index, turned);
      });
    });
  }

  // -- configurations: hidden by the filter or by the legend, lit from either; on the whole page alike
  const filtered = new Set();
  const muted = new Set();
  const drawn = new Map();
  for (const element of all("[data-r]")) {
    const row = element.dataset.r;
    drawn.set(row, [...(drawn.get(row) || []), element]);
  }
  const show = () => {
    for (const [row, elements] of drawn) {
      const off = filtered.has(row) || muted.has(row);
      for (const element of elements) element.classList.toggle("off", off);
    }
    // A line through points that are hidden would lead nowhere.
    for (const line of all("[data-of]")) {
      const hidden = line.dataset.of.split(" ").some((row) => filtered.has(row) || muted.has(row));
      line.classList.toggle("off", hidden);
    }
    for (const chip of all("[data-chip]")) chip.hidden = filtered.has(chip.dataset.chip);
  };
  const light = (row) => {
    root.classList.toggle("fade", row !== undefined);
    for (const element of all(".lit")) element.classList.remove("lit");
    for (const element of (row && drawn.get(row)) || []) element.classList.add("lit");
  };
  for (const chip of all("[data-chip]")) {
    const row = chip.dataset.chip;
    chip.addEventListener("click", () => {
      if (!muted.delete(row)) muted.add(row);
      chip.setAttribute("aria-pressed", String(!muted.has(row)));
      show();
    });
    for (const event of ["pointerenter", "focus"]) chip.addEventListener(event, () => light(row));
    for (const event of ["pointerleave", "blur"]) chip.addEventListener(event, () => light());
  }
  for (const field of all("[data-filter]")) {
    const table = document.getElementById(field.dataset.filter);
    const count = document.querySelector(`[data-count="${field.dataset.filter}"]`);
    const apply = () => {
      const words = field.value.toLowerCase().split(/\s+/).filter(Boolean);
      const lines = all("tbody tr", table);
      for (const line of lines) {
        const text = line.textContent.toLowerCase();
        line.hidden = !words.every((word) => text.includes(word));
        if (line.dataset.row !== undefined) filtered[line.hidden ? "add" : "delete"](line.dataset.row);
      }
      const left = lines.filter((line) => !line.hidden).length;
      count.textContent = words.length ? `${left} of ${lines.length}` : "";
      show();
    };
    field.addEventListener("input", apply);
    if (field.dataset.filter === "comparison" && asked.has("filter")) {
      field.value = asked.get("filter");
      apply();
    }
  }
  const comparison = document.getElementById("comparison");
  if (asked.has("sort") && comparison) {
    const directions = { asc: "ascending", desc: "descending" };
    const [key, direction = "asc"] = asked.get("sort").split(":");
    const names = all("thead th", comparison).map((head) => head.dataset.sort && (head.dataset.key || head.textContent));
    const index = key ? names.indexOf(key) : -1;
    if (index >= 0 && Object.hasOwn(directions, direction)) sort(comparison, index, directions[direction]);
    else {
      const unmet = document.createElement("p");
      unmet.className = "note";
      unmet.setAttribute("role", "status");
      const there = names.filter(Boolean).join(", ");
      unmet.textContent = `Not sorted: sort=${asked.get("sort")} names no column and direction. `;
      unmet.append(`There are: ${there}; each with :asc or :desc.`);
      comparison.closest(".scroll").before(unmet);
    }
  }

  // -- what a point says, under a pointer or in focus
  const tip = document.getElementById("tip");
  let told = null;
  const say = (element) => {
    told = element;
    tip.textContent = element.getAttribute("aria-label");
    tip.hidden = false;
    const box = element.getBoundingClientRect();
    const left = Math.min(Math.max(box.left + box.width / 2 - tip.offsetWidth / 2, 6), innerWidth - tip.offsetWidth - 6);
    const above = box.top - tip.offsetHeight - 8;
    tip.style.left = `${left}px`;
    tip.style.top = `${above > 4 ? above : box.bottom + 8}px`;
  };
  const hush = () => {
    told = null;
    tip.hidden = true;
  };
  for (const point of all(".chart g[tabindex]")) {
    for (const event of ["pointerenter", "focus"]) point.addEventListener(event, () => say(point));
    for (const event of ["pointerleave", "blur"]) point.addEventListener(event, hush);
  }
  addEventListener("keydown", (event) => {
    if (event.key === "Escape") hush();
  });
  // Reaching a point with the keyboard may scroll to it.
  const moved = () => (told && told === document.activeElement ? say(told) : hush());
  addEventListener("scroll", moved, { passive: true });

  // -- confusion: a cell under the pointer, or walked to with the arrow keys
  for (const matrix of all(".matrix")) {
    const names = matrix.closest("[data-classes]").dataset.classes.split("\n");
    const counts = matrix.dataset.counts.split(",").map(Number);
    const size = names.length;
    const cells = matrix.querySelector(".cells");
    const cursor = matrix.querySelector(".cursor");
    const readout = matrix.parentElement.querySelector(".readout");
    const before = readout.textContent;
    let at = null;
    const read = (row, column) => {
      at = [Math.min(Math.max(row, 0), size - 1), Math.min(Math.max(column, 0), size - 1)];
      const line = counts.slice(at[0] * size, (at[0] + 1) * size);
      const total = line.reduce((sum, count) => sum + count, 0);
      const count = line[at[1]];
      const share = total ? ` (${((100 * count) / total).toFixed(1)} %)` : "";
      const verb = at[0] === at[1] ? "recognised" : `taken for ${names[at[1]]}`;
      readout.textContent = `${names[at[0]]} ${verb}: ${count} of ${total}${share}`;
      cursor.setAttribute("x", at[1]);
      cursor.setAttribute("y", at[0]);
      cursor.style.display = "inline";
    };
    const leave = () => {
      at = null;
      readout.textContent = before;
      cursor.style.display = "none";
    };
    matrix.addEventListener("pointermove", (event) => {
      const place = new DOMPoint(event.clientX, event.clientY).matrixTransform(cells.getScreenCTM().inverse());
      const inside = place.x >= 0 && place.y >= 0 && place.x < size && place.y < size;
      if (inside) read(Math.floor(place.y), Math.floor(place.x));
      else leave();
    });
    matrix.addEventListener("pointerleave", leave);
    matrix.addEventListener("blur", leave);
    matrix.addEventListener("keydown", (event) => {
      const steps = { ArrowUp: [-1, 0], ArrowDown: [1, 0], ArrowLeft: [0, -1], ArrowRight: [0, 1] };
      const step = steps[event.key];
      if (!step) return;
      event.preventDefault();
      if (at) read(at[0] + step[0], at[1] + step[1]);
      else read(0, 0);
    });
  }

  // -- the command, copied
  for (const button of all("[data-copy]")) {
    button.addEventListener("click", async () => {
      const source = document.getElementById(button.dataset.copy);
      try {
        await navigator.clipboard.writeText(source.textContent);
        button.textContent = "Copied";
      } catch {
        getSelection().selectAllChildren(source);
        button.textContent = "Selected";
      }
    });
  }

  // -- on paper failures are unfolded
  let folded = [];
  addEventListener("beforeprint", () => {
    folded = all("details.printed:not([open])");
    for (const one of folded) one.open = true;
  });
  addEventListener("afterprint", () => {
    for (const one of folded) one.open = false;
  });

  // -- where one is
  const places = new Map(all("nav a").map((link) => [link.hash.slice(1), link]));
  const seen = new IntersectionObserver(
    (entries) => {
      for (const entry of entries) {
        const link = places.get(entry.target.id);
        if (!link || !entry.isIntersecting) continue;
        for (const other of places.values()) other.removeAttribute("aria-current");
        link.setAttribute("aria-current", "true");
      }
    },
    { rootMargin: "-20% 0px -75% 0px" },
  );
  for (const name of places.keys()) {
    const place = document.getElementById(name);
    if (place) seen.observe(place);
  }

  root.dataset.ready = "yes";
})();
