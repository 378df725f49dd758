"use strict";
(() => {
  const root = document.documentElement;
  const dark = window.matchMedia("(prefers-color-scheme: dark)");
  const narrow = () => window.innerWidth < 600;
  let figures = {};

  const color = (name) => getComputedStyle(root).getPropertyValue(name).trim();

  // The part of a figure's layout that depends on the page: colours, and margins on narrow screens.
  function themed(ink, grid, page) {
    const axis = { gridcolor: grid, linecolor: grid, zerolinecolor: grid, tickcolor: grid };
    const hover = { bgcolor: page, bordercolor: grid, font: { color: ink } };
    return { paper_bgcolor: "rgba(0,0,0,0)", plot_bgcolor: "rgba(0,0,0,0)", font: { color: ink }, hoverlabel: hover, axis };
  }

  function layoutOf(figure, theme) {
    const { axis, ...rest } = theme;
    const layout = structuredClone(figure.layout);
    Object.assign(layout, rest, { dragmode: narrow() ? false : "zoom" });
    for (const name of ["xaxis", "yaxis"]) Object.assign(layout[name] ??= {}, axis, { automargin: true });
    if (narrow()) layout.margin = { ...layout.margin, l: 48, r: 4 };
    return layout;
  }

  const current = () => themed(color("--ink"), color("--grid"), color("--page"));
  const printed = () => themed("#000000", "#dddddd", "#ffffff");
  const plots = () => [...document.querySelectorAll(".plot")];

  function drawAll(theme = current()) {
    for (const plot of plots()) {
      const figure = figures[plot.id];
      const layout = layoutOf(figure, theme);
      // Keep the zoom.
      for (const name of ["xaxis", "yaxis"]) {
        const axis = plot._fullLayout?.[name] ?? plot.kept?.[name];
        if (axis && axis.autorange === false) layout[name].range = [...axis.range];
      }
      Plotly.react(plot, figure.data, layout, {
        responsive: true,
        displaylogo: false,
        modeBarButtonsToRemove: ["select2d", "lasso2d", "toImage"],
      });
    }
  }

  // Read the table below the figure row by row, for screen readers, keyboards and touch screens.
  function read(plot, key) {
    const numbers = document.getElementById(plot.id + "-numbers");
    const headings = [...numbers.querySelectorAll("thead th")].map((cell) => cell.textContent);
    const rows = [...numbers.querySelectorAll("tbody tr")].map((row) => [...row.cells].map((cell) => cell.textContent));
    const last = rows.length - 1;
    const at = plot.at ?? (key === "ArrowLeft" ? rows.length : -1);
    plot.at = { ArrowRight: Math.min(at + 1, last), ArrowLeft: Math.max(at - 1, 0), Home: 0, End: last }[key];
    const row = rows[plot.at];
    const points = [];
    plot.data.forEach((trace, curveNumber) => {
      const pointNumber = trace.hoverinfo === "skip" ? -1 : trace.x.findIndex((x) => String(x) === row[0]);
      if (pointNumber >= 0 && trace.y[pointNumber] !== null) points.push({ curveNumber, pointNumber });
    });
    if (points.length) Plotly.Fx.hover(plot, points);
    const text = row.map((cell, i) => (cell ? `${headings[i]} ${cell}` : "")).filter(Boolean).join("; ");
    plot.parentElement.querySelector(".reader").textContent = text;
  }

  function zoom(plot, factor) {
    const [low, high] = plot._fullLayout.xaxis.range.map(Number);
    const middle = (low + high) / 2;
    const half = ((high - low) / 2) * factor;
    Plotly.relayout(plot, { "xaxis.range": [middle - half, middle + half] });
  }

  function onKey(event) {
    const plot = event.target.closest?.(".plot");
    if (!plot || event.target !== plot || event.ctrlKey || event.metaKey || event.altKey) return;
    if (["ArrowLeft", "ArrowRight", "Home", "End"].includes(event.key)) read(plot, event.key);
    else if (event.key === "+" || event.key === "=") zoom(plot, 0.5);
    else if (event.key === "-") zoom(plot, 2);
    else if (event.key === "0") Plotly.relayout(plot, { "xaxis.autorange": true, "yaxis.autorange": true });
    else if (event.key === "Escape") {
      Plotly.Fx.unhover(plot);
      return;
    } else return;
    event.preventDefault();
  }

  function onClick(event) {
    const button = event.target.closest("button");
    if (!button) return;
    if (button.id === "theme") {
      const isDark = root.dataset.theme ? root.dataset.theme === "dark" : dark.matches;
      root.dataset.theme = isDark ? "light" : "dark";
      drawAll();
    } else if (button.dataset.save) {
      const figure = figures[button.dataset.plot];
      const title = document.getElementById(button.dataset.plot + "-title").textContent;
      const layout = layoutOf(figure, printed());
      Object.assign(layout, { paper_bgcolor: "#ffffff", plot_bgcolor: "#ffffff", title: { text: title }, height: 500 });
      layout.margin = { ...layout.margin, t: 60 };
      const size = { width: 900, height: 500, scale: button.dataset.save === "png" ? 2 : 1 };
      Plotly.downloadImage({ data: figure.data, layout }, { format: button.dataset.save, filename: title, ...size });
    }
  }

  function show(slider) {
    const steps = slider.dataset.steps.split(" ").map(Number);
    const step = steps[Number(slider.value)];
    slider.setAttribute("aria-valuetext", String(step));
    slider.parentElement.querySelector("output").textContent = step;
    for (const strip of slider.closest(".slideshow").querySelectorAll(".strip")) {
      const images = [...strip.querySelectorAll("img")];
      // The latest picture up to that step; before the first one, the first.
      const shown = images.filter((image) => Number(image.dataset.step) <= step).pop() ?? images[0];
      for (const image of images) image.hidden = image !== shown;
    }
  }

  function begin() {
    figures = JSON.parse(document.getElementById("figures").textContent);
    drawAll();
  }

  // Replace the content, and keep what was opened, zoomed or chosen by a slider.
  function replace(html) {
    const open = [...document.querySelectorAll("details[open]")].map((element) => element.id).filter(Boolean);
    const sliders = Object.fromEntries(
      [...document.querySelectorAll("input[type=range]")].map((one) => [one.id, { at: one.value, end: one.max }]),
    );
    const zoomed = Object.fromEntries(
      plots().map((plot) => [plot.id, { xaxis: plot._fullLayout.xaxis, yaxis: plot._fullLayout.yaxis }]),
    );
    const focused = document.activeElement?.id;
    const y = window.scrollY;
    plots().forEach((plot) => Plotly.purge(plot));
    document.getElementById("main").innerHTML = html;
    for (const plot of plots()) plot.kept = zoomed[plot.id];
    begin();
    for (const id of open) document.getElementById(id)?.setAttribute("open", "");
    for (const slider of document.querySelectorAll("input[type=range]")) {
      const before = sliders[slider.id];
      if (before && before.at !== before.end) slider.value = before.at;
      show(slider);
    }
    if (focused) document.getElementById(focused)?.focus({ preventScroll: true });
    window.scrollTo(0, y);
  }

  async function ask(since) {
    const news = document.getElementById("news");
    let version = since;
    try {
      const answer = await fetch("/main?since=" + encodeURIComponent(since), { cache: "no-store" });
      if (answer.status === 200) {
        version = answer.headers.get("X-Version");
        replace(await answer.text());
        news.textContent = "updated " + new Date().toLocaleTimeString();
      } else if (answer.status !== 204) {
        news.textContent = "the server says " + answer.status;
      }
    } catch {
      news.textContent = "the server does not answer";
    }
    setTimeout(ask, 3000, version);
  }

  document.addEventListener("keydown", onKey);
  document.addEventListener("click", onClick);
  document.addEventListener("input", (event) => event.target.matches("input[type=range]") && show(event.target));
  dark.addEventListener("change", () => root.dataset.theme || drawAll());
  let wasNarrow = narrow();
  window.addEventListener("resize", () => {
    if (narrow() !== wasNarrow) drawAll();
    wasNarrow = narrow();
  });
  window.addEventListener("beforeprint", () => drawAll(printed()));
  window.addEventListener("afterprint", () => drawAll());
  begin();
  document.querySelectorAll("input[type=range]").forEach(show);
  if ("live" in document.body.dataset) ask("");
})();
