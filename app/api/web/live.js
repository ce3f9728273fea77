// What the gateway does at this moment. Every number comes from the gateway's metrics; the page only remembers the last minutes of them.

import {html, useEffect, useState} from "./preact.js";
import {Chart, Legend} from "./charts.js";
import {Failed, listen} from "./gateway.js";
import {count, milliseconds, pair, percent, share} from "./words.js";

const KEPT = 300;
const ms = seconds => (seconds === null ? null : seconds * 1000);
const of = (part, whole) => (whole > 0 ? part / whole : null);

const useEvents = onRefused => {
  const [events, setEvents] = useState([]);
  const [problem, setProblem] = useState("");
  useEffect(() => {
    const mine = new AbortController();
    let timer;
    const begin = async () => {
      let wait = 300;
      try {
        await listen("ui/events", event => { setProblem(""); setEvents(old => [...old.slice(1 - KEPT), event]); }, mine.signal);
      } catch (error) {
        if (error.name === "AbortError") return;
        if (!(error instanceof Failed)) throw error;
        if (error.status === 401) { onRefused(); return; }
        setProblem(error.message);
        wait = 2000;
      }
      if (!mine.signal.aborted) timer = setTimeout(begin, wait);
    };
    begin();
    return () => { mine.abort(); clearTimeout(timer); };
  }, []);
  return [events, problem];
};

export const Live = ({onRefused}) => {
  const [events, problem] = useEvents(onRefused);
  const event = events.at(-1);
  if (!event) return html`<p class="empty" role="status">${problem || "Waiting for the first numbers …"}</p>`;
  const {now, since_start: all} = event;
  const answered = now.edge + now.cloud, total = all.edge + all.cloud;
  return html`<div class="live">
    <p class="state" role="status">
      <i class=${`dot ${problem ? "bad" : "good"}`}></i>${problem ? `No new numbers: ${problem}.` : `Live. The gateway is ${event.status}.`}
      <span class="muted"> Large numbers: the last ${Math.round(now.seconds) || 1} s. Small numbers: since the start.</span>
    </p>
    <div class="tiles">
      <${Tile} title="Answers a second" value=${now.per_second === null ? "–" : now.per_second.toFixed(1)} more=${`${count(total)} in all`} />
      <${Tile} title="Cloud share" value=${percent(of(now.cloud, answered))} more=${`${percent(of(all.cloud, total))} of all`} />
      <${Tile} title="Degraded share" value=${percent(of(now.degraded, answered))} more=${`${percent(of(all.degraded, total))} · ${count(all.degraded)} in all`} warn=${now.degraded > 0} />
      <${Tile} title="Latency p50 / p95" value=${pair(ms(now.p50_s), ms(now.p95_s))} more=${pair(ms(all.p50_s), ms(all.p95_s))} />
      <${Tile} title="Waiting" value=${count(event.queue.edge)} more=${`${count(event.queue.batches)} of batches`} />
      <${Tile} title="Errors" value=${count(now.errors)} more=${`${count(all.errors)} in all`} warn=${now.errors > 0} />
    </div>
    <div class="two">
      <${Rates} events=${events} />
      <${Latencies} events=${events} />
    </div>
    <div class="two">
      <${Signals} signal=${all.signal} tau=${event.tau} />
      <${Cloud} event=${event} />
    </div>
    <${Reasons} all=${all} />
  </div>`;
};

const Tile = ({title, value, more, warn}) => html`<dl class=${`tile card ${warn ? "warn" : ""}`}><dt>${title}</dt><dd class="value">${value}</dd><dd class="muted">${more}</dd></dl>`;

// Seconds before now, the newest at the right.
const ago = events => events.map((_, index) => index + 1 - events.length);
const AXIS = {range: (_, low) => [Math.min(low, -60), 0], values: (_, ticks) => ticks.map(tick => (tick === 0 ? "now" : `${String(tick).replace("-", "−")} s`))};
const fromZero = least => (_, low, high) => [0, Math.max(high || 0, least) * 1.1];

const Rates = ({events}) => {
  const rate = name => events.map(({now}) => (now.seconds > 0 ? now[name] / now.seconds : null));
  const edge = rate("edge"), cloud = rate("cloud");
  const text = value => (value === null ? "–" : value.toFixed(1));
  return html`<section class="card"><h2>Answers a second</h2>
    <${Legend} entries=${[["edge", "edge", text(edge.at(-1))], ["cloud", "cloud", text(cloud.at(-1))]]} />
    <${Chart} label=${`Answers a second over the last minutes: now ${text(edge.at(-1))} of the edge and ${text(cloud.at(-1))} of the cloud`}
      data=${[ago(events), edge, cloud]} x=${AXIS} y=${{range: fromZero(1)}} series=${[{name: "edge", colour: "--edge"}, {name: "cloud", colour: "--cloud"}]} />
  </section>`;
};

const Latencies = ({events}) => {
  const p50 = events.map(({now}) => ms(now.p50_s)), p95 = events.map(({now}) => ms(now.p95_s));
  return html`<section class="card"><h2>Latency</h2>
    <${Legend} entries=${[["p50", "plain", milliseconds(p50.at(-1))], ["p95", "soft", milliseconds(p95.at(-1))]]} />
    <${Chart} label=${`Latency over the last minutes: now p50 ${milliseconds(p50.at(-1))} and p95 ${milliseconds(p95.at(-1))}`}
      data=${[ago(events), p50, p95]} x=${AXIS} y=${{range: fromZero(20), size: 66, values: (_, ticks) => ticks.map(tick => `${tick} ms`)}}
      series=${[{name: "p50", colour: "--text"}, {name: "p95", colour: "--muted", dash: [6, 4]}]} />
  </section>`;
};

// Tenths: the histogram's own bounds are closer around the five confidences that can be written.
const tenths = ({bounds, counts}) => {
  const bins = Array(10).fill(0);
  bounds.forEach((bound, index) => { bins[Math.max(0, Math.ceil(Number((bound * 10).toFixed(6))) - 1)] += counts[index]; });
  return bins;
};

// A column holds what is above its lower end and at most at its upper end; a signal of exactly tau is kept.
const sideOf = (index, tau) => ((index + 1) / 10 < tau ? "cloud" : index / 10 >= tau ? "edge" : "both");

const Signals = ({signal, tau}) => {
  const bins = tenths(signal), total = bins.reduce((sum, one) => sum + one, 0), most = Math.max(...bins, 1);
  const domains = Object.entries(tau);
  return html`<section class="card"><h2>Signals</h2>
    <p class="note">How often each value was compared with tau, since the start (n = ${count(total)}).</p>
    <table class="columns"><caption class="hidden">Answered questions by their signal</caption>
      <tbody><tr>${bins.map((one, index) => html`<td><span class="count">${one ? count(one) : ""}</span>
        <span class=${`column ${sideOf(index, tau.default)}`} style=${{height: `${110 * one / most}px`}}></span></td>`)}</tr></tbody>
      <tfoot><tr>${bins.map((_, index) => html`<th scope="col">${index ? `≤ ${((index + 1) / 10).toFixed(1)}` : "≤ 0.1"}</th>`)}</tr></tfoot>
    </table>
    <p class="note">Tau in force: ${domains.map(([name, value], index) => html`${index ? " · " : ""}${name === "default" && domains.length === 1 ? "" : `${name} `}<b>${share(value)}</b>`)}.
      Left of it questions go to the cloud, right of it the edge model’s answers are kept; the grey column holds tau itself.</p>
  </section>`;
};

const BREAKERS = {closed: ["good", "closed: it is asked"], "half-open": ["warn", "half-open: a few calls try it"], open: ["bad", "open: it is left alone"]};

const Cloud = ({event}) => html`<section class="card"><h2>Cloud</h2>
  ${event.endpoints.length === 0 ? html`<p class="empty">No cloud is configured.</p>` : html`<div class="wide"><table class="list">
    <thead><tr><th scope="col">Endpoint</th><th scope="col">Breaker</th><th scope="col" class="number">Calls</th><th scope="col" class="number">Answered</th></tr></thead>
    <tbody>${event.endpoints.map(({name, breaker, attempts}) => {
      const calls = Object.values(attempts).reduce((sum, one) => sum + one, 0);
      const [kind, text] = BREAKERS[breaker] || ["warn", breaker];
      return html`<tr><th scope="row">${name}</th><td><i class=${`dot ${kind}`}></i>${text}</td><td class="number">${count(calls)}</td><td class="number">${count(attempts["200"] || 0)}</td></tr>`;
    })}</tbody></table></div>`}
  <h3>Budget left</h3>
  ${event.budget.length === 0 ? html`<p class="empty">No budget is configured.</p>` : event.budget.map(({kind, per, left, limit}) => html`<div class="budget">
    <span>${kind} a ${per}</span><span class="number"><b>${count(left)}</b> of ${count(limit)}</span>
    <span class="bar"><span style=${{width: `${100 * (of(left, limit) || 0)}%`}}></span></span>
  </div>`)}
  ${event.cost > 0 && html`<p class="note">Spent since the start: <b>${event.cost.toFixed(4)}</b>.</p>`}
</section>`;

const Reasons = ({all}) => {
  const rows = [
    ...all.reasons.map(({route, reason, count: n}) => [route, reason, n]),
    ...Object.entries(all.errors_by).map(([kind, n]) => ["error", kind, n]),
  ].sort((a, b) => b[2] - a[2]);
  return html`<section class="card"><h2>Answers and errors by reason</h2>
    ${rows.length === 0 ? html`<p class="empty">Nothing was asked yet.</p>` : html`<table class="list">
      <thead><tr><th scope="col">Side</th><th scope="col">Reason</th><th scope="col" class="number">Since the start</th></tr></thead>
      <tbody>${rows.map(([side, reason, n]) => html`<tr><td class="side"><i class=${`dot ${side === "error" ? "bad" : side}`}></i>${side}</td><td>${reason.replaceAll("_", " ")}${all.degraded_by[reason] && side === "edge" ? " (degraded)" : ""}</td><td class="number">${count(n)}</td></tr>`)}</tbody>
    </table>`}
  </section>`;
};
