// Line charts with uPlot, in the colours of the page's theme and as wide as their place.

import {html, useEffect, useRef} from "./preact.js";

const dark = matchMedia("(prefers-color-scheme: dark)");
const colour = name => getComputedStyle(document.documentElement).getPropertyValue(name).trim();

// `series`: {name, colour (a variable of the style sheet), band: [low, high] of series numbers, dash, points}; `data`: x, then one list a series.
export const Chart = ({label, data, series, x, y, height = 190, bands = [], mark = null}) => {
  const place = useRef(null);
  const plot = useRef(null);
  const newest = useRef(null);
  newest.current = {data, mark};
  useEffect(() => {
    const make = () => {
      plot.current?.destroy();
      const axis = {stroke: colour("--muted"), grid: {stroke: colour("--line"), width: 1}, ticks: {show: false}, font: "12px system-ui, sans-serif", gap: 6};
      plot.current = new uPlot({
        width: Math.max(200, place.current.clientWidth), height,
        legend: {show: false}, cursor: {show: false}, padding: [10, 26, 0, 0],
        scales: {x: {time: false, range: x.range}, y: {range: y.range}},
        axes: [{...axis, size: 30, values: x.values, space: 60}, {...axis, size: y.size || 52, values: y.values, space: 34}],
        series: [{}, ...series.map(one => ({
          label: one.name, stroke: one.colour ? colour(one.colour) : "transparent", width: one.colour ? 2 : 0, dash: one.dash,
          points: {show: Boolean(one.points), size: 5, fill: one.colour ? colour(one.colour) : undefined}, spanGaps: false,
        }))],
        bands: bands.map(([high, low, name]) => ({series: [high, low], fill: colour(name)})),
        hooks: {draw: [drawn => {
          const at = newest.current.mark;
          if (!at) return;
          const {ctx, bbox} = drawn;
          for (const [value, name] of at) {
            const left = drawn.valToPos(value, "x", true);
            ctx.save();
            ctx.strokeStyle = colour(name);
            ctx.lineWidth = 1.5 * devicePixelRatio;
            ctx.setLineDash([4 * devicePixelRatio, 4 * devicePixelRatio]);
            ctx.beginPath();
            ctx.moveTo(left, bbox.top);
            ctx.lineTo(left, bbox.top + bbox.height);
            ctx.stroke();
            ctx.restore();
          }
        }]},
      }, newest.current.data, place.current);
    };
    make();
    const wider = new ResizeObserver(() => plot.current.setSize({width: Math.max(200, place.current.clientWidth), height}));
    wider.observe(place.current);
    dark.addEventListener("change", make);
    return () => { wider.disconnect(); dark.removeEventListener("change", make); plot.current.destroy(); plot.current = null; };
  }, []);
  useEffect(() => { plot.current?.setData(data); }, [data, mark && mark.join()]);
  return html`<div class="chart" role="img" aria-label=${label} ref=${place}></div>`;
};

export const Legend = ({entries}) => html`<ul class="legend">${entries.map(([name, kind, value]) => html`<li><i class=${`swatch ${kind}`}></i>${name}${value !== undefined && html` <b>${value}</b>`}</li>`)}</ul>`;
