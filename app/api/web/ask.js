// The form for a question, and what became of it.

import {html, useEffect, useRef, useState} from "./preact.js";
import {Failed, ask, json} from "./gateway.js";
import {Snippets} from "./snippets.js";
import {Cloud, Edge, Scale, Timings} from "./verdict.js";
import {LETTERS, sentence, share} from "./words.js";

const EXAMPLES = [
  ["English", {question: "Which gas do green plants take in for photosynthesis?", options: ["Oxygen", "Carbon dioxide", "Nitrogen", "Helium"]}],
  ["Русский", {question: "Какая планета Солнечной системы самая большая?", options: ["Марс", "Юпитер", "Венера", "Сатурн"]}],
  ["Қазақша", {question: "Қазақстанның ең ұзын өзені қайсысы?", options: ["Ертіс", "Іле", "Сырдария", "Жайық"]}],
];
export const FIRST = {question: "", options: ["", "", "", ""], domain: ""};

export const Ask = ({session, kept, keep, onRefused}) => {
  const {form, tau, result} = kept;
  const [busy, setBusy] = useState(false);
  const [split, setSplit] = useState(null);
  const running = useRef(null);
  const field = useRef(null);
  const gateway = session.gateway;
  const mayChoose = session.permissions.includes("force_route");
  const own = gateway.domains[form.domain] ?? gateway.tau;
  const applied = tau ?? own ?? 0.5;
  const change = part => keep({form: {...form, ...part}});
  useEffect(() => () => running.current?.abort(), []);

  const asked = (question = form, threshold = tau) => ({
    question: question.question,
    options: question.options.filter((text, index) => text.trim() || index < 2),
    ...(question.domain.trim() && {domain: question.domain.trim()}),
    ...(threshold !== null && mayChoose && {tau: threshold}),
  });

  const send = async (question, extra, onAnswer) => {
    running.current?.abort();
    const mine = running.current = new AbortController();
    setBusy(true);
    try {
      onAnswer(await ask({...question, ...extra}, {signal: mine.signal}));
    } catch (error) {
      if (error.name === "AbortError") return;
      if (!(error instanceof Failed)) throw error;
      if (error.status === 401) onRefused();
      else keep({result: {failed: error}});
    } finally {
      if (running.current === mine) setBusy(false);
    }
  };
  const submit = question => send(question, {}, found => keep({result: {...found, question, own: question.tau === undefined}}));
  const compare = () => send(result.question, {route: "cloud", tau: undefined}, found => keep({result: {...result, compared: found.answer}}));

  // Another threshold decides again at once for the verdict that is there; the gateway is asked when the handle is released.
  const release = value => {
    keep({tau: value});
    if (result?.question && mayChoose) submit({...result.question, tau: value});
  };
  const reset = () => {
    keep({tau: null});
    if (result?.question && mayChoose) { const {tau: _, ...question} = result.question; submit(question); }
  };

  const recognise = async text => {
    if (text.trim().length < 12) return;
    try {
      const found = await json("ui/recognise", {text});
      if (field.current?.value !== text) return;
      if (!found.question) { setSplit(found.reason === "no_options" ? null : {why: found.sentence}); return; }
      setSplit({text, options: form.options, count: found.options.length});
      change({question: found.question, options: found.options});
    } catch (error) {
      if (!(error instanceof Failed)) throw error;
    }
  };
  const undo = () => { change({question: split.text, options: split.options}); setSplit(null); };

  return html`<div class="ask">
    <form class="card" aria-label="Question" onSubmit=${event => { event.preventDefault(); submit(asked()); }}
      onKeyDown=${event => { if (event.key === "Enter" && (event.ctrlKey || event.metaKey)) submit(asked()); }}>
      <div class="field">
        <div class="row"><label for="question">Question</label><span class="grow"></span>
          <button type="button" class="link quiet" onClick=${() => { setSplit(null); keep({form: FIRST, result: null}); field.current.focus(); }}>Clear</button></div>
        <textarea id="question" rows="4" dir="auto" ref=${field} value=${form.question} maxlength=${gateway.max_text_chars}
          aria-invalid=${String(result?.failed?.param === "question")} aria-describedby="question-hint"
          placeholder="Type a question, or paste a whole multiple-choice question with its options"
          onInput=${event => change({question: event.target.value})}
          onPaste=${() => setTimeout(() => recognise(field.current.value))}></textarea>
        <p id="question-hint" class="note" role="status">${split?.why ? html`Not split: ${split.why}` : split
          ? html`${split.count} options were recognised in the text. <button type="button" class="link" onClick=${undo}>Undo</button>`
          : "A pasted question is split into its options."}</p>
      </div>
      <${Options} options=${form.options} wrong=${result?.failed?.param} onChange=${options => change({options})} />
      <div class="field">
        <label for="domain">Domain <span class="muted">(optional)</span></label>
        <input id="domain" value=${form.domain} maxlength="64" list="domains" autocomplete="off" onInput=${event => change({domain: event.target.value})} />
        <datalist id="domains">${Object.keys(gateway.domains).map(name => html`<option value=${name} />`)}</datalist>
      </div>
      <div class="row actions">
        <button class="primary" disabled=${busy}>${busy ? "Asking …" : "Ask"}</button>
        <span class="muted">or try</span>
        ${EXAMPLES.map(([name, example]) => html`<button type="button" class="link" onClick=${() => {
          const question = {...FIRST, ...example}; setSplit(null); keep({form: question}); submit(asked(question));
        }}>${name}</button>`)}
      </div>
    </form>
    <div class="result" aria-busy=${String(busy)}>
      <${Decision} ...${{result, applied, own, gateway, mayChoose, busy}} onSlide=${value => keep({tau: value})} onRelease=${release} onReset=${reset} />
      ${result?.answer && html`
        <div class="sides-by-side">
          <${Edge} edge=${result.answer.edge} answer=${result.answer} options=${result.question.options} />
          <${Cloud} cloud=${result.answer.cloud || result.compared?.cloud} compared=${!result.answer.cloud} edge=${result.answer.edge}
            options=${result.question.options} busy=${busy} why=${whyNoCloud(result)}
            onAsk=${gateway.cloud_model && mayChoose && !result.answer.degraded && !result.compared ? compare : null} />
        </div>
        <${Snippets} question=${result.question} needsKey=${session.needs_key} />`}
    </div>
  </div>`;
};

const whyNoCloud = ({answer, compared}) => {
  if (compared) return "The cloud was asked for comparison and gave no answer.";
  return answer.degraded ? "It was asked, or should have been, and gave no answer." : "Not asked: the edge model’s answer was kept.";
};

const Options = ({options, wrong, onChange}) => {
  const list = useRef(null);
  const add = () => { onChange([...options, ""]); setTimeout(() => list.current.querySelector("li:last-child input").focus()); };
  return html`<fieldset class="field">
    <legend>Options</legend>
    <ol class="options" ref=${list}>${options.map((text, index) => html`<li>
      <span class="letter" aria-hidden="true">${LETTERS[index]}</span>
      <input value=${text} dir="auto" aria-label=${`Option ${LETTERS[index]}`} autocomplete="off" aria-invalid=${String(wrong === `options.${index}`)}
        onInput=${event => onChange(options.map((old, at) => (at === index ? event.target.value : old)))}
        onKeyDown=${event => { if (event.key === "Enter" && !event.ctrlKey && !event.metaKey) { event.preventDefault(); if (index === options.length - 1 && options.length < 26) add(); else list.current.querySelectorAll("input")[index + 1]?.focus(); } }} />
      <button type="button" class="remove" aria-label=${`Remove option ${LETTERS[index]}`} disabled=${options.length <= 2}
        onClick=${() => onChange(options.filter((_, at) => at !== index))}>×</button>
    </li>`)}</ol>
    <button type="button" class="link" disabled=${options.length >= 26} onClick=${add}>Add an option</button>
  </fieldset>`;
};

const Decision = ({result, applied, own, gateway, mayChoose, busy, onSlide, onRelease, onReset}) => {
  const answer = result?.answer;
  const signal = result?.signal ?? null;
  return html`<section class="card decision" aria-label="Answer">
    <div role="status" class=${busy ? "waiting" : ""}>
      ${result?.failed ? html`<${Problem} error=${result.failed} />` : !answer ? html`<p class="empty">The answer will stand here: who gave it, and why.</p>` : html`
        <p class="answer"><b class=${`letter large ${answer.route}`}>${answer.answer}</b><span dir="auto">${answer.answer_text}</span></p>
        <p class="why"><${Pill} answer=${answer} /> ${sentence(answer, signal)}</p>
        ${answer.edge === null && html`<p class="note">The edge model gave nothing for this question.</p>`}
        <${Timings} timings=${answer.timings_ms} />`}
    </div>
    <${Scale} tau=${applied} own=${own} signal=${signal} name=${answer?.signal || gateway.signal} onSlide=${onSlide} onRelease=${onRelease} onReset=${onReset}
      note=${noteOnTau({answer, signal, applied, own, mayChoose, result})} />
  </section>`;
};

// What the threshold on the scale would do to the verdict that is there.
const noteOnTau = ({answer, signal, applied, own, mayChoose, result}) => {
  if (!answer || signal === null) return mayChoose ? "" : "This key may not choose tau: the scale shows what another one would do.";
  if (!answer.degraded && answer.tau === applied) return "";
  const verdict = signal >= applied ? "the edge model’s answer is kept" : "the question goes to the cloud";
  if (!mayChoose && applied !== own) return `With tau ${share(applied)}, ${verdict}. This key may not choose tau, so nothing is asked again.`;
  if (Math.abs(answer.tau - applied) > 1e-9 && !result.own && answer.tau < applied) return `The gateway used tau ${share(answer.tau)}: the cloud’s budget is spent, which lowers it.`;
  return `With tau ${share(applied)}, ${verdict}.`;
};

const Pill = ({answer}) => {
  const [kind, text] = answer.degraded ? ["degraded", "Edge, degraded"] : answer.route === "edge" ? ["edge", "Edge"] : ["cloud", "Cloud"];
  return html`<span class=${`pill ${kind}`} data-route=${answer.route}>${text}</span>`;
};

const TITLES = {
  422: "The question cannot be answered as it is", 403: "This key may not do that", 429: "Too much at once", 503: "Not ready",
  504: "No answer in time", 502: "The cloud failed", 0: "The gateway cannot be reached", 413: "The text is too long", 500: "A bug in the gateway",
};
export const Problem = ({error}) => html`<div class="problem" role="alert">
  <b>${TITLES[error.status] || "This did not work"}</b>
  <p>${error.message}</p>
  ${error.requestId && html`<p class="note">${error.kind}${error.param ? ` · ${error.param}` : ""} · request ${error.requestId}</p>`}
</div>`;
