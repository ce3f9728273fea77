// What the threshold does: the calibration's curve, where the gateway stands on it, and what another tau would do.

import {html, useEffect, useState} from "./preact.js";
import {Chart, Legend} from "./charts.js";
import {Failed, json} from "./gateway.js";
import {count, interval, percent, share, signalWords} from "./words.js";

const TARGETS = {cloud_rate: "a cloud rate of", accuracy: "an accuracy of", edge_error: "an error of the kept answers of at most"};
const HELD = {held: ["good", "The test half shows it"], refuted: ["bad", "The test half refutes it"], "not enough data": ["warn", "The test half is too small to show it"]};

export const Threshold = ({session, onRefused}) => {
  const [found, setFound] = useState(null);
  const [problem, setProblem] = useState("");
  const {gateway} = session;
  useEffect(() => {
    json("ui/threshold").then(setFound, error => {
      if (!(error instanceof Failed)) throw error;
      if (error.status === 401) onRefused();
      else setProblem(error.message);
    });
  }, [gateway.status]);
  if (!found) return html`<p class="empty" role="status">${problem || "Loading …"}</p>`;
  const {calibration, curve} = found;
  return html`<div class="threshold">
    <${InForce} gateway=${gateway} calibration=${calibration} />
    ${curve && curve.points.length > 1 ? html`<${Curve} curve=${curve} gateway=${gateway} />` : html`<${Missing} calibration=${calibration} gateway=${gateway} />`}
    ${calibration && html`<${Measured} calibration=${calibration} />`}
  </div>`;
};

const InForce = ({gateway, calibration}) => html`<section class="card"><h2>In force</h2>
  <dl class="facts">
    <div><dt>Tau</dt><dd>${share(gateway.tau)}</dd></div>
    <div><dt>Compared with it</dt><dd>${signalWords(gateway.signal)}</dd></div>
    ${Object.entries(gateway.domains).map(([name, tau]) => html`<div><dt>Tau of ${name}</dt><dd>${share(tau)}</dd></div>`)}
    <div><dt>Comes from</dt><dd>${!calibration ? "the configuration or the default" : calibration.in_force ? "the calibration" : "the configuration; the calibration gives the signal"}</dd></div>
  </dl>
  ${gateway.warning && html`<p class="banner">${gateway.warning}</p>`}
</section>`;

const Missing = ({calibration, gateway}) => html`<section class="card"><h2>No curve yet</h2>
  <p>${calibration
    ? "The calibration in use does not hold the curve of other thresholds; files of earlier versions do not have it."
    : "No calibration is in use, so nobody has measured what another threshold would do."
  } These commands measure it on your own questions:</p>
  <pre tabindex="0" aria-label="Commands that make a calibration"><code>${[
    "foggate eval collect --data mine.jsonl --out records.jsonl",
    `foggate calibrate --records records.jsonl --signal ${calibration?.signal || gateway.signal || "expected"} --target-cloud-rate 0.4`,
  ].join("\n")}</code></pre>
  <p>Then set <code>policy.calibration: calibration.json</code> and reload the gateway.</p>
</section>`;

// The point whose threshold sends the same questions to the cloud, or nearly the same: the nearest one on the curve.
const nearest = (points, tau) => points.reduce((best, point, index) => (Math.abs(point.tau - tau) < Math.abs(points[best].tau - tau) ? index : best), 0);
const tauOf = point => (point.tau > 1 ? "above 1" : share(point.tau));

const Curve = ({curve, gateway}) => {
  const {points} = curve;
  const here = nearest(points, gateway.tau);
  const [chosen, setChosen] = useState(here);
  const [stands, other] = [points[here], points[chosen]];
  const withCloud = points.some(point => point.accuracy !== null);
  const low = point => point?.[withCloud ? "accuracy_ci" : "kept_accuracy_ci"]?.[0] ?? null;
  const high = point => point?.[withCloud ? "accuracy_ci" : "kept_accuracy_ci"]?.[1] ?? null;
  const value = point => (withCloud ? point.accuracy : point.kept_accuracy);
  const what = withCloud ? "Accuracy of edge and cloud together" : "Accuracy of the kept answers";
  const seen = points.flatMap(point => [low(point), high(point), value(point)]).filter(one => one !== null);
  const range = [Math.max(0, Math.floor(Math.min(...seen) * 20) / 20), Math.min(1, Math.ceil(Math.max(...seen) * 20) / 20)];
  return html`<section class="card"><h2>${what}, by cloud rate</h2>
    <p class="note">One threshold for all ${count(curve.n)} questions of the test half, which chose no threshold. ${withCloud && curve.n_cloud < curve.n ? `Accuracy: on the ${count(curve.n_cloud)} with a cloud answer. ` : ""}Shaded: exact 95 % intervals.</p>
    <${Legend} entries=${[["accuracy", "accent"], ["where the gateway stands", "line-plain"], ["the tau below", "line-cloud"]]} />
    <${Chart} height=${260} label=${`${what} against the cloud rate: ${percent(value(points[0]))} at a cloud rate of ${percent(points[0].cloud_rate)}, ${percent(value(stands))} where the gateway stands, at a cloud rate of ${percent(stands.cloud_rate)}`}
      data=${[points.map(point => point.cloud_rate), points.map(high), points.map(low), points.map(value)]}
      x=${{range: () => [0, 1], values: (_, ticks) => ticks.map(tick => percent(tick, 0))}}
      y=${{range: () => range, values: (_, ticks) => ticks.map(tick => percent(tick, 0))}}
      series=${[{name: "high"}, {name: "low"}, {name: "accuracy", colour: "--accent", points: points.length < 30}]}
      bands=${[[1, 2, "--band"]]} mark=${[[stands.cloud_rate, "--text"], [other.cloud_rate, "--cloud"]]} />
    <div class="scale plain">
      <div class="row"><label for="other">Another <b>tau</b></label><output for="other" class="value">${tauOf(other)}</output><span class="grow"></span>
        ${chosen !== here && html`<button type="button" class="link" onClick=${() => setChosen(here)}>back to where the gateway stands</button>`}</div>
      <div class="track"><input id="other" type="range" min="0" max=${points.length - 1} step="1" value=${chosen} aria-valuetext=${`tau ${tauOf(other)}`} onInput=${event => setChosen(Number(event.target.value))} /></div>
    </div>
    <table class="list compare">
      <thead><tr><td></td><th scope="col" class="number">Gateway</th><th scope="col" class="number">Tau above</th></tr></thead>
      <tbody>${COLUMNS.map(([title, cell]) => html`<tr><th scope="row">${title}</th><td class="number">${cell(stands, curve.n)}</td><td class="number">${cell(other, curve.n)}</td></tr>`)}</tbody>
    </table>
    ${Math.abs(stands.tau - gateway.tau) > 0.0005 && html`<p class="note">Tau ${share(gateway.tau)} is in force; the curve has no point for it, and the nearest one, ${tauOf(stands)}, is shown.</p>`}
    ${Object.keys(gateway.domains).length > 0 && html`<p class="note">Domains have thresholds of their own; the curve is for one threshold for all questions.</p>`}
    <details><summary>All ${points.length} points as a table</summary><div class="wide" tabindex="0" role="region" aria-label="All points of the curve"><table class="list points">
      <thead><tr>${COLUMNS.map(([title]) => html`<th scope="col" class="number">${title}</th>`)}</tr></thead>
      <tbody>${points.map((point, index) => html`<tr class=${index === here ? "here" : ""}>${COLUMNS.map(([, cell]) => html`<td class="number">${cell(point, curve.n)}</td>`)}</tr>`)}</tbody>
    </table></div></details>
  </section>`;
};

const withInterval = (value, ends) => html`${percent(value)}<small>${ends ? interval(ends) : ""}</small>`;
const COLUMNS = [
  ["Tau", point => tauOf(point)],
  ["Cloud rate", point => percent(point.cloud_rate)],
  ["Accuracy", point => withInterval(point.accuracy, point.accuracy_ci)],
  ["Kept at the edge", (point, n) => `${count(point.kept)} of ${count(n)}`],
  ["Accuracy of the kept answers", point => withInterval(point.kept_accuracy, point.kept_accuracy_ci)],
];

const Measured = ({calibration}) => {
  const {achieved, target} = calibration;
  const [kind, text] = HELD[achieved.held] || ["warn", achieved.held];
  return html`<section class="card"><h2>What the calibration measured</h2>
    <p>Chosen on ${calibration.created} for ${TARGETS[target.kind]} <b>${percent(target.value)}</b>. <span class="nowrap"><i class=${`dot ${kind}`}></i>${text}.</span></p>
    <table class="list compare"><thead><tr><td></td><th scope="col" class="number">Test half</th></tr></thead><tbody>
      <tr><th scope="row">Cloud rate</th><td class="number">${withInterval(achieved.cloud_rate, achieved.cloud_rate_ci)}</td></tr>
      <tr><th scope="row">Accuracy</th><td class="number">${withInterval(achieved.accuracy, achieved.accuracy_ci)}</td></tr>
      <tr><th scope="row">Error of the kept answers</th><td class="number">${withInterval(achieved.edge_error, achieved.edge_error_ci)}</td></tr>
      <tr><th scope="row">Lift over random routing</th><td class="number">${points(achieved.lift)}<small>${achieved.lift_ci ? `${points(achieved.lift_ci[0])} to ${points(achieved.lift_ci[1])}` : ""}</small></td></tr>
    </tbody></table>
    <p>n = ${count(achieved.n)}; small: 95 % intervals. ${calibration.recommendation}</p>
    ${!calibration.in_force && html`<p class="note">Another threshold than the calibration’s is in force: these numbers do not hold for it.</p>`}
    ${calibration.scope && html`<p class="note">${calibration.scope}</p>`}
  </section>`;
};

const points = value => (value === null || value === undefined ? "–" : `${value < 0 ? "−" : "+"}${(100 * Math.abs(value)).toFixed(1)} points`);
