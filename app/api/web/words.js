// Numbers and reasons in words.

export const LETTERS = "ABCDEFGHIJKLMNOPQRSTUVWXYZ";

export const percent = (share, digits = 1) => (share === null || share === undefined || Number.isNaN(share) ? "–" : `${(100 * share).toFixed(digits)} %`);
export const share = value => (value === null || value === undefined ? "–" : value.toFixed(3).replace(/0$/, ""));
export const count = value => (value === null || value === undefined ? "–" : Math.round(value).toLocaleString("en-US"));
export const milliseconds = ms => {
  if (ms === null || ms === undefined) return "–";
  if (ms >= 1000) return `${(ms / 1000).toFixed(ms >= 10000 ? 1 : 2)} s`;
  return ms >= 100 ? `${Math.round(ms)} ms` : `${ms.toPrecision(2)} ms`;
};
// Two times that belong together, in one unit.
export const pair = (first, second) => {
  const [low, high] = [milliseconds(first), milliseconds(second)];
  return low.split(" ")[1] === high.split(" ")[1] ? `${low.split(" ")[0]} / ${high}` : `${low} / ${high}`;
};
export const interval = ends => (ends ? `${percent(ends[0])} to ${percent(ends[1])}` : "no interval");

export const SIGNALS = {
  verbalized: "verbalized confidence",
  expected: "expected confidence",
  top_probability: "top probability",
  margin: "margin",
  fitted: "fitted probability",
};
export const signalWords = name => SIGNALS[name] || String(name || "signal").replaceAll("_", " ");

// Why the cloud gave no answer, by the reason of a degraded answer.
export const FAILURES = {
  cloud_not_configured: "no cloud is configured",
  cloud_timeout: "it did not answer in time",
  cloud_unavailable: "it cannot be reached or fails",
  cloud_rejected: "it refused the request",
  cloud_misconfigured: "its configuration is wrong, such as its key or a certificate (foggate cloud check)",
  cloud_unparsable: "its reply names no option",
  circuit_open: "it failed too often and is not asked for a moment",
  budget_exhausted: "the budget for it is spent",
};

const ROUTED = {
  confident: said => `The edge model’s answer is kept: its ${said.name}, ${said.value}, is at least tau, ${said.tau}.`,
  low_confidence: said => `The question went to the cloud: the edge model’s ${said.name}, ${said.value}, is below tau, ${said.tau}.`,
  not_calibrated: () => "The question went to the cloud: the calibration is not for questions with this number of options.",
  no_signal: said => `The question went to the cloud: the edge model gives no ${said.name} that could be compared with tau.`,
  edge_failed: () => "The edge model failed on this question, so the cloud was asked.",
  forced: said => `The request asked for the ${said.side}, whatever the signal says.`,
};
export const REASONS = [...Object.keys(ROUTED), ...Object.keys(FAILURES)];

const readable = code => String(code).replaceAll("_", " ");

// One sentence about the route of an answer; `signal` is the number that was compared with tau, null where there is none.
export const sentence = (answer, signal) => {
  const said = {name: signalWords(answer.signal), value: share(signal), tau: share(answer.tau), side: answer.route};
  if (!answer.degraded) return ROUTED[answer.reason]?.(said) || readable(answer.reason);
  const because = signal !== null && signal < answer.tau ? `, because the ${said.name}, ${said.value}, is below tau, ${said.tau}` : "";
  return `The cloud was to answer${because}; but ${FAILURES[answer.reason] || readable(answer.reason)}. This is the edge model’s answer.`;
};
