"use strict";
(() => {
  const root = document.documentElement;
  const by = (name) => document.getElementById(name);
  const data = JSON.parse(by("events").textContent);
  const bytes = (text) => Uint8Array.from(atob(text), (letter) => letter.charCodeAt(0));
  const numbers = (text, size) => {
    const view = new DataView(bytes(text).buffer);
    const found = size === 2 ? new Uint16Array(view.byteLength / 2) : new Uint32Array(view.byteLength / 4);
    for (let k = 0; k < found.length; k++) found[k] = size === 2 ? view.getUint16(2 * k, true) : view.getUint32(4 * k, true);
    return found;
  };
  const spoken = (count) => count.toLocaleString("en");

  // -- recordings: unpacked when first looked at; before[k] events lie before tick k
  const unpacked = new Map();
  const recording = (index) => {
    if (!unpacked.has(index)) {
      const given = data.recordings[index];
      const counts = numbers(given.counts, 4);
      const before = new Float64Array(counts.length + 1);
      counts.forEach((count, k) => (before[k + 1] = before[k] + count));
      unpacked.set(index, { ...given, ticks: counts.length, counts, before, cells: numbers(given.cells, 2) });
    }
    return unpacked.get(index);
  };

  const picture = by("picture");
  picture.width = data.width;
  picture.height = data.height;
  const onto = picture.getContext("2d");
  const image = onto.createImageData(data.width, data.height);
  const seen = [new Uint8Array(data.width * data.height), new Uint8Array(data.width * data.height)];
  const activity = by("activity");
  const scrub = by("scrub");
  const play = by("play");
  const state = { index: 0, tick: 0, playing: false, since: 0 };
  let inks = null;

  // -- colours: inks on paper where it is light, lights on a dark ground
  const colour = (name) => {
    const context = document.createElement("canvas").getContext("2d");
    context.fillStyle = getComputedStyle(by(name)).color;
    context.fillRect(0, 0, 1, 1);
    return [...context.getImageData(0, 0, 1, 1).data].slice(0, 3).map((part) => part / 255);
  };
  const probes = ["ground", "on", "off", "bar", "left-out"].map((name) => {
    const probe = document.createElement("i");
    probe.id = `probe-${name}`;
    probe.className = "probe";
    probe.hidden = true;
    document.body.append(probe);
    return probe;
  });
  const mix = () => {
    const [ground, on, off, bar, leftOut] = probes.map((probe) => colour(probe.id));
    const light = ground[0] + ground[1] + ground[2] > 1.5;
    const levels = [0, 0.5, 0.75, 1];
    const table = [];
    for (const a of levels)
      for (const b of levels)
        table.push(
          [0, 1, 2].map((part) => {
            const one = light ? 1 - a * (1 - on[part]) : a * on[part];
            const other = light ? 1 - b * (1 - off[part]) : b * off[part];
            const value = light ? ground[part] * one * other : 1 - (1 - ground[part]) * (1 - one) * (1 - other);
            return Math.round(255 * value);
          }),
        );
    const words = (parts) => `rgb(${parts.map((part) => Math.round(255 * part)).join()})`;
    inks = { table, bar: words(bar), on: words(on), leftOut: words(leftOut) };
  };

  const draw = () => {
    const shown = recording(state.index);
    const end = Math.min(Math.floor(state.tick), shown.ticks);
    const begin = Math.max(0, end - Math.max(1, Math.round(Number(by("window").value) / data.tick_ms)));
    for (const plane of seen) plane.fill(0);
    const first = Math.ceil(shown.before[begin] / data.every);
    const last = Math.ceil(shown.before[end] / data.every);
    for (let k = first; k < last; k++) {
      const cell = shown.cells[k];
      const plane = seen[cell & 1];
      if (plane[cell >> 1] < 3) plane[cell >> 1]++;
    }
    const pixels = image.data;
    for (let k = 0; k < seen[0].length; k++) {
      const [red, green, blue] = inks.table[4 * seen[1][k] + seen[0][k]];
      pixels[4 * k] = red;
      pixels[4 * k + 1] = green;
      pixels[4 * k + 2] = blue;
      pixels[4 * k + 3] = 255;
    }
    onto.putImageData(image, 0, 0);
    const ms = end * data.tick_ms;
    by("time").textContent = spoken(ms);
    by("count").textContent =
      `${spoken(shown.before[end])} of ${spoken(shown.events)} events so far, ` +
      `${spoken(shown.before[end] - shown.before[begin])} in this picture` +
      (shown.used_ms !== null && ms > shown.used_ms ? `; the encoding leaves out all from ${spoken(shown.used_ms)} ms on` : "");
    scrub.value = end;
    scrub.setAttribute("aria-valuetext", `${spoken(ms)} ms`);
    line();
  };

  // -- events over time, below the picture, with where it stands
  const line = () => {
    const shown = recording(state.index);
    const wide = Math.max(1, Math.round(activity.clientWidth * devicePixelRatio));
    const high = Math.max(1, Math.round(activity.clientHeight * devicePixelRatio));
    if (activity.width !== wide || activity.height !== high) {
      activity.width = wide;
      activity.height = high;
    }
    const pen = activity.getContext("2d");
    pen.clearRect(0, 0, wide, high);
    if (shown.used_ms !== null) {
      const from = (shown.used_ms / data.tick_ms / shown.ticks) * wide;
      pen.fillStyle = inks.leftOut;
      pen.fillRect(from, 0, wide - from, high);
    }
    const bars = Math.min(shown.ticks, Math.floor(wide / 2));
    const heights = [];
    for (let k = 0; k < bars; k++) {
      const begin = Math.floor((k * shown.ticks) / bars);
      const end = Math.floor(((k + 1) * shown.ticks) / bars);
      heights.push((shown.before[end] - shown.before[begin]) / (end - begin));
    }
    const most = Math.max(...heights, 1e-9);
    const now = (Math.floor(state.tick) / shown.ticks) * bars;
    heights.forEach((height, k) => {
      pen.fillStyle = k < now ? inks.on : inks.bar;
      const up = (height / most) * (high - 2);
      pen.fillRect((k * wide) / bars, high - up, Math.max(1, wide / bars - 0.5), up);
    });
  };

  const pause = () => {
    state.playing = false;
    play.textContent = "Play";
  };
  const go = (tick) => {
    state.tick = Math.min(Math.max(tick, 0), recording(state.index).ticks);
    draw();
  };
  const advance = (now) => {
    if (!state.playing) return;
    const passed = Math.min(now - state.since, 250);
    state.since = now;
    const shown = recording(state.index);
    let next = state.tick + (passed * Number(by("speed").value)) / data.tick_ms;
    if (next >= shown.ticks) {
      if (by("loop").checked && shown.events) next = 0;
      else pause();
    }
    go(next);
    if (state.playing) requestAnimationFrame(advance);
  };
  const toggle = () => {
    if (state.playing) return pause();
    state.playing = true;
    play.textContent = "Pause";
    if (state.tick >= recording(state.index).ticks) state.tick = 0;
    requestAnimationFrame((now) => {
      state.since = now;
      advance(now);
    });
  };
  const choose = (index) => {
    state.index = index;
    const shown = recording(index);
    by("recording").value = index;
    by("label").textContent = shown.label;
    by("about").textContent = shown.about;
    scrub.max = shown.ticks;
    // Not at 0, where nothing has come yet.
    go(state.playing ? 0 : Number(by("window").value) / data.tick_ms);
  };

  play.addEventListener("click", toggle);
  by("recording").addEventListener("change", (event) => choose(Number(event.target.value)));
  by("window").addEventListener("change", draw);
  scrub.addEventListener("input", () => go(Number(scrub.value)));
  activity.addEventListener("click", (event) => {
    const place = activity.getBoundingClientRect();
    go(((event.clientX - place.left) / place.width) * recording(state.index).ticks);
  });
  document.addEventListener("keydown", (event) => {
    if (event.ctrlKey || event.metaKey || event.altKey) return;
    const on = event.target.tagName;
    if (on === "SELECT" || (event.key === " " && (on === "BUTTON" || event.target.type === "checkbox"))) return;
    const step = event.shiftKey ? 1 : Math.max(1, Math.round(data.dt_ms / data.tick_ms));
    const last = data.recordings.length - 1;
    const acts = {
      " ": toggle,
      ArrowLeft: () => go(Math.floor(state.tick) - step),
      ArrowRight: () => go(Math.floor(state.tick) + step),
      ArrowUp: () => choose(Math.max(0, state.index - 1)),
      ArrowDown: () => choose(Math.min(last, state.index + 1)),
      Home: () => go(0),
      End: () => go(Infinity),
    };
    if (!Object.hasOwn(acts, event.key)) return;
    event.preventDefault();
    acts[event.key]();
  });
  addEventListener("resize", line);

  const redress = () => {
    mix();
    draw();
  };
  document.addEventListener("themechange", redress);
  matchMedia("(prefers-color-scheme: dark)").addEventListener("change", redress);

  root.dataset.ready = "yes";
  const asked = new URLSearchParams(location.search);
  mix();
  choose(0);
  if (asked.has("t")) go(Number(asked.get("t")) / data.tick_ms || 0);
})();
