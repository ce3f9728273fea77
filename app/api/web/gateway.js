// Requests to the gateway that this page comes from, and to nobody else.

const BASE = new URL("../", import.meta.url);
// A page of another origin cannot send this header, so that the gateway accepts the login's cookie only from here.
const HEADERS = {"x-requested-with": "foggate-page"};

export const address = path => new URL(path, BASE);

export class Failed extends Error {
  constructor(status, error) {
    super(error?.message || "the gateway cannot be reached");
    this.status = status;
    this.kind = error?.type || "unreachable";
    this.param = error?.param || null;
    this.requestId = error?.request_id || null;
  }
}

const refused = async reply => {
  let body = null;
  try { body = await reply.json(); } catch { /* whatever stands between has no such body */ }
  return new Failed(reply.status, body?.error || {type: "http_error", message: `the reply is HTTP ${reply.status}`});
};

export const call = async (path, body, {signal} = {}) => {
  const options = body === undefined
    ? {headers: HEADERS, signal}
    : {method: "POST", headers: {...HEADERS, "content-type": "application/json"}, body: JSON.stringify(body), signal};
  let reply;
  try {
    reply = await fetch(address(path), {...options, cache: "no-store", credentials: "same-origin"});
  } catch (error) {
    if (error.name === "AbortError") throw error;
    throw new Failed(0);
  }
  if (!reply.ok) throw await refused(reply);
  return reply;
};

export const json = async (path, body, options) => (await call(path, body, options)).json();

// An answer, and the signal that was compared with tau: the gateway says it in a header, for every kind of signal.
export const ask = async (question, options) => {
  const reply = await call("v1/answer", question, options);
  const signal = Number.parseFloat(reply.headers.get("x-foggate-signal"));
  return {answer: await reply.json(), signal: Number.isNaN(signal) ? null : signal};
};

// Server-sent events, read with fetch: EventSource cannot send the header above. Ends with the stream; raises Failed.
export const listen = async (path, onEvent, signal) => {
  let reply;
  try {
    reply = await fetch(address(path), {headers: {...HEADERS, accept: "text/event-stream"}, cache: "no-store", signal});
    if (!reply.ok) throw await refused(reply);
    const reader = reply.body.pipeThrough(new TextDecoderStream()).getReader();
    let text = "";
    for (;;) {
      const {value, done} = await reader.read();
      if (done) return;
      text += value;
      for (let end; (end = text.indexOf("\n\n")) >= 0; text = text.slice(end + 2)) {
        const line = text.slice(0, end).split("\n").find(one => one.startsWith("data: "));
        if (line) onEvent(JSON.parse(line.slice(6)));
      }
    }
  } catch (error) {
    if (error instanceof Failed || error.name === "AbortError") throw error;
    throw new Failed(0);
  }
};
