// The request as others would send it: with curl, and with Python's standard library.

import {html, useState, useRef} from "./preact.js";
import {address} from "./gateway.js";

const KEY = "FOGGATE_KEY";
const quoted = text => `'${text.replaceAll("'", "'\\''")}'`;

export const curl = (question, needsKey) => [
  `curl -s ${quoted(address("v1/answer").href)} \\`,
  ...(needsKey ? [`  -H "authorization: Bearer $${KEY}" \\`] : []),
  `  -H 'content-type: application/json' \\`,
  `  -d ${quoted(JSON.stringify(question))}`,
].join("\n");

export const python = (question, needsKey) => [
  `import json, ${needsKey ? "os, " : ""}urllib.request`,
  "",
  `question = ${JSON.stringify(question, null, 4)}`,
  "request = urllib.request.Request(",
  `    ${JSON.stringify(address("v1/answer").href)},`,
  "    json.dumps(question).encode(),",
  `    {"content-type": "application/json"${needsKey ? `, "authorization": "Bearer " + os.environ["${KEY}"]` : ""}},`,
  ")",
  "with urllib.request.urlopen(request) as reply:",
  "    answer = json.load(reply)",
  'print(answer["answer"], answer["route"], answer["reason"])',
].join("\n");

const FORMS = {curl, Python: python};

export const Snippets = ({question, needsKey}) => {
  const [form, setForm] = useState("curl");
  const [copied, setCopied] = useState("");
  const shown = useRef(null);
  const text = FORMS[form](question, needsKey);
  const copy = async () => {
    try {
      await navigator.clipboard.writeText(text);
      setCopied("Copied");
    } catch {
      // Without HTTPS browsers give no clipboard: the text is selected, and one keystroke copies it.
      getSelection().selectAllChildren(shown.current);
      setCopied("Selected: press Ctrl+C");
    }
    setTimeout(() => setCopied(""), 2500);
  };
  return html`<section class="card snippets" aria-labelledby="snippets-title">
    <div class="row">
      <h2 id="snippets-title">The same request</h2>
      <div class="choices" role="group" aria-label="Language of the request">
        ${Object.keys(FORMS).map(name => html`<button type="button" aria-pressed=${String(name === form)} onClick=${() => setForm(name)}>${name}</button>`)}
      </div>
      <span class="grow"></span>
      <span class="muted" role="status">${copied}</span>
      <button type="button" class="quiet" onClick=${copy}>Copy</button>
    </div>
    <pre tabindex="0" aria-label=${`The request with ${form}`}><code ref=${shown}>${text}</code></pre>
    ${needsKey && html`<p class="note">The key is read from the environment variable ${KEY}; this page never shows it.</p>`}
  </section>`;
};
