// The page: who is logged in, and which of its three parts is shown.

import {html, render, useCallback, useEffect, useState} from "./preact.js";
import {Ask, FIRST} from "./ask.js";
import {Failed, json} from "./gateway.js";
import {Live} from "./live.js";
import {Login} from "./login.js";
import {Threshold} from "./threshold.js";

const PARTS = [
  ["ask", "Ask", "answer"],
  ["live", "Live", "admin"],
  ["threshold", "Threshold", "answer"],
];
const NOTHING = {form: FIRST, tau: null, result: null};
const wanted = () => location.hash.slice(1);

const Page = () => {
  const [session, setSession] = useState(null);
  const [problem, setProblem] = useState("");
  const [part, setPart] = useState(wanted());
  const [kept, setKept] = useState(NOTHING);
  const keep = useCallback(change => setKept(old => ({...old, ...change})), []);
  const begin = useCallback(found => { setProblem(""); setSession(found); }, []);
  const refused = useCallback(() => { setProblem("The login is no longer valid: log in again."); setSession(old => ({...old, permissions: [], gateway: null, key: null})); }, []);

  const load = useCallback(async () => {
    try {
      begin(await json("ui/session"));
    } catch (error) {
      if (!(error instanceof Failed)) throw error;
      setProblem(error.message);
    }
  }, []);
  useEffect(() => {
    const turn = () => setPart(wanted());
    addEventListener("hashchange", turn);
    load();
    return () => removeEventListener("hashchange", turn);
  }, []);
  // While the model loads, or the gateway cannot be reached, the page asks again.
  const waiting = session ? session.gateway?.status === "loading" : problem !== "";
  useEffect(() => {
    if (!waiting) return undefined;
    const timer = setInterval(load, 1500);
    return () => clearInterval(timer);
  }, [waiting]);

  const logout = async () => {
    try {
      const found = await json("ui/logout", {});
      setKept(NOTHING);
      begin(found);
    } catch (error) {
      if (!(error instanceof Failed)) throw error;
      setProblem(error.message);
    }
  };

  if (!session) return html`<main class="login"><p class="empty" role="status">${problem || "Loading …"}</p></main>`;
  if (session.needs_key && !session.permissions.length) return html`<${Header} session=${session} parts=${[]} /><${Login} onSession=${begin} said=${problem} />`;
  const parts = PARTS.filter(([, , permission]) => session.permissions.includes(permission));
  const shown = (parts.find(([name]) => name === part) || parts[0] || [])[0];
  return html`
    <${Header} session=${session} parts=${parts} shown=${shown} onLogout=${session.needs_key ? logout : null} />
    <main id="main" tabindex="-1">
      <h1 class="hidden">${parts.find(([name]) => name === shown)?.[1]}</h1>
      ${problem && html`<p class="banner bad" role="alert">${problem}</p>`}
      ${waiting && html`<p class="banner" role="status">The edge model is being loaded. Questions can be asked in a moment.</p>`}
      ${shown === "ask" && html`<${Ask} session=${session} kept=${kept} keep=${keep} onRefused=${refused} />`}
      ${shown === "live" && html`<${Live} onRefused=${refused} />`}
      ${shown === "threshold" && html`<${Threshold} session=${session} onRefused=${refused} />`}
      ${!shown && html`<p class="empty">This key may use nothing of this page.</p>`}
    </main>`;
};

const Header = ({session, parts, shown, onLogout}) => html`<header>
  <a class="skip" href="#main" onClick=${event => { event.preventDefault(); document.getElementById("main")?.focus(); }}>To the content</a>
  <div class="bar-inner">
    <span class="brand"><img src="ui/icon.svg" alt="" width="24" height="24" />FogGate</span>
    ${parts.length > 0 && html`<nav aria-label="Parts of the page">
      ${parts.map(([name, title]) => html`<a href=${`#${name}`} aria-current=${name === shown ? "page" : undefined}>${title}</a>`)}
    </nav>`}
    <span class="grow"></span>
    ${session.gateway && html`<span class="models muted"><span>${session.gateway.edge_model || "edge model"}</span><span aria-label="in front of"> → </span><span>${session.gateway.cloud_model || "no cloud"}</span></span>`}
    ${session.key && html`<span class="muted who">${session.key.name || session.key.id}</span>`}
    ${onLogout && html`<button type="button" class="quiet" onClick=${onLogout}>Log out</button>`}
  </div>
</header>`;

render(html`<${Page} />`, document.getElementById("app"));
