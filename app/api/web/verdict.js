// What edge and cloud said of one question: distributions as bars with numbers, and the signal against tau.

import {html} from "./preact.js";
import {LETTERS, count, milliseconds, percent, share, signalWords} from "./words.js";

// `rows`: [label, text, probability] each; the row whose label is `chosen` is marked.
const Bars = ({rows, chosen, side, label}) => html`<table class=${`bars ${side}`}>
  <caption class="hidden">${label}</caption>
  <colgroup><col class="label" /><col /><col class="share" /></colgroup>
  <thead class="hidden"><tr><th>Value</th><th>Text</th><th>Probability</th></tr></thead>
  <tbody>${rows.map(([name, text, probability]) => html`<tr class=${name === chosen ? "chosen" : ""}>
    <th scope="row">${name}</th>
    <td class="what">
      ${text && html`<span class="text" dir="auto">${text}</span>`}
      <span class="bar"><span style=${{width: `${100 * probability}%`}}></span></span>
    </td>
    <td class="number">${percent(probability)}</td>
  </tr>`)}</tbody>
</table>`;

export const Edge = ({edge, answer, options}) => html`<section class="card" aria-labelledby="edge-title">
  <div class="row"><h2 id="edge-title"><i class="dot edge"></i>Edge</h2><span class="muted model">${edge?.model}</span></div>
  ${!edge ? html`<p class="empty">The edge model gave nothing for this question.</p>` : html`
    ${edge.answer_probabilities
      ? html`<${Bars} side="edge" chosen=${edge.answer} label="The edge model's distribution over the options"
          rows=${Object.entries(edge.answer_probabilities).map(([letter, p]) => [letter, options[LETTERS.indexOf(letter)], p])} />`
      : html`<p class="big"><b class="letter">${edge.answer}</b> <span dir="auto">${options[LETTERS.indexOf(edge.answer)]}</span></p>
        <p class="note">This engine gives a letter and no distribution.</p>`}
    ${edge.confidence_probabilities && html`
      <h3>Confidence that it would write</h3>
      <${Bars} side="edge narrow" chosen=${bucketOf(edge.confidence_probabilities, answer.confidence)} label="The edge model's distribution over its confidence"
        rows=${Object.entries(edge.confidence_probabilities).map(([bucket, p]) => [bucket, "", p])} />
      <p class="note">Written: <b>${share(answer.confidence)}</b> · expected: <b>${share(answer.expected_confidence)}</b></p>`}`}
</section>`;

const bucketOf = (buckets, confidence) => Object.keys(buckets).find(label => Number(label) === confidence);

export const Cloud = ({cloud, compared, edge, options, why, onAsk, busy}) => html`<section class="card" aria-labelledby="cloud-title">
  <div class="row"><h2 id="cloud-title"><i class="dot cloud"></i>Cloud</h2><span class="muted model">${cloud?.model}</span></div>
  ${cloud ? html`
    <p class="big"><b class="letter cloud">${cloud.answer}</b> <span dir="auto">${options[LETTERS.indexOf(cloud.answer)]}</span></p>
    ${edge && html`<p>${cloud.answer === edge.answer ? "It agrees with the edge model." : `It disagrees with the edge model, which says ${edge.answer}.`}</p>`}
    ${cloud.answer_probabilities && html`<${Bars} side="cloud" chosen=${cloud.answer} label="The cloud's distribution over the options"
      rows=${Object.entries(cloud.answer_probabilities).map(([letter, p]) => [letter, options[LETTERS.indexOf(letter)], p])} />`}
    <dl class="facts">
      <div><dt>Attempts</dt><dd>${cloud.attempts}</dd></div>
      ${Object.entries(cloud.usage).filter(([name]) => name !== "total_tokens").map(([name, tokens]) => html`<div><dt>${name.replaceAll("_", " ")}</dt><dd>${count(tokens)}</dd></div>`)}
    </dl>
    ${compared && html`<p class="note">Asked for comparison: the answer above is still the edge model’s.</p>`}` : html`
    <p class="empty">${why}</p>
    ${onAsk && html`<button type="button" class="quiet" disabled=${busy} onClick=${onAsk}>Ask the cloud too</button>`}`}
</section>`;

export const Timings = ({timings}) => html`<dl class="facts timings" aria-label="Time of the parts">
  ${[["Queue", timings.queue], ["Edge model", timings.edge], ["Cloud", timings.cloud], ["Total", timings.total]].map(
    ([name, ms]) => html`<div><dt>${name}</dt><dd>${milliseconds(ms)}</dd></div>`)}
</dl>`;

// The scale from 0 to 1: what lies left of tau goes to the cloud. The handle is tau; the mark is the signal.
export const Scale = ({tau, own, signal, name, onSlide, onRelease, onReset, note}) => html`<div class="scale">
  <div class="row">
    <label for="tau">Threshold <b>tau</b></label>
    <output for="tau" class="value">${share(tau)}</output>
    <span class="grow"></span>
    ${own !== null && tau !== own && html`<button type="button" class="link" onClick=${onReset}>back to the gateway’s own, ${share(own)}</button>`}
  </div>
  <div class="track">
    <div class="sides" aria-hidden="true"><span class="cloud" style=${{width: at(tau)}}></span><span class="edge"></span></div>
    ${signal !== null && html`<div class="signal" style=${{left: at(signal)}} aria-hidden="true"><span>${share(signal)}</span></div>`}
    <input id="tau" type="range" min="0" max="1" step="0.01" value=${tau} aria-valuetext=${`tau ${share(tau)}`}
      onInput=${event => onSlide(Number(event.target.value))} onChange=${event => onRelease(Number(event.target.value))} />
  </div>
  <div class="ends" aria-hidden="true"><span>0</span><span>${signal === null ? "below tau: cloud · from tau on: edge" : html`<i class="mark"></i>${signalWords(name)}`}</span><span>1</span></div>
  ${note && html`<p class="note">${note}</p>`}
</div>`;

// A thumb is 20 px wide, so that its middle moves between 10 px and the width less 10 px.
const at = value => `calc(10px + ${Math.min(1, Math.max(0, value))} * (100% - 20px))`;
