// The login: the key goes to the gateway, which puts it into a cookie that no script can read.

import {html, useState} from "./preact.js";
import {Failed, json} from "./gateway.js";

export const Login = ({onSession, said}) => {
  const [key, setKey] = useState("");
  const [problem, setProblem] = useState(said);
  const [busy, setBusy] = useState(false);
  const login = async event => {
    event.preventDefault();
    setBusy(true);
    try {
      const session = await json("ui/login", {key});
      setKey("");
      onSession(session);
    } catch (error) {
      if (!(error instanceof Failed)) throw error;
      setProblem(error.message);
    } finally {
      setBusy(false);
    }
  };
  return html`<main class="login"><form class="card" onSubmit=${login} aria-labelledby="login-title">
    <h1 id="login-title">Log in</h1>
    <p class="muted">This gateway needs a key. <code>foggate keys create</code> makes one.</p>
    <div class="field">
      <label for="key">Key</label>
      <input id="key" type="password" autocomplete="off" spellcheck="false" required autofocus value=${key} aria-invalid=${String(Boolean(problem))}
        aria-describedby="login-problem" placeholder="fg_…" onInput=${event => setKey(event.target.value)} />
      <p id="login-problem" class="bad" role="alert">${problem}</p>
    </div>
    <button class="primary" disabled=${busy || !key.trim()}>Log in</button>
    <p class="note">The key stays in a cookie until you log out or close the browser. Scripts cannot read it.</p>
  </form></main>`;
};
