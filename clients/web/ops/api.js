// The operator's API of this server (docs/operations.md): JSON, and the token that the operator has given this tab.

const PATH = 'admin/v1/';
const KEY = 'switchboard.ops-token';
/** An answer that takes longer is as good as none: the server itself gives up after 2 s. */
const WITHIN_MS = 10_000;
/** The same of what is asked for every five seconds: by then the next question is due. */
const READ_WITHIN_MS = 4_500;
/** Statuses with which the guard of this listener refuses. */
const REFUSED = [401, 403, 429];

/** Who waits for another token. */
const waiting = [];

/** The token. It is in this tab's storage, until the tab is closed; where a browser has none, until the page is left. */
export const token = {
  held: null,
  get() {
    try {
      return sessionStorage.getItem(KEY);
    } catch {
      return this.held;
    }
  },
  keep(text) {
    this.held = text;
    try {
      sessionStorage.setItem(KEY, text);
    } catch {
      // Then it is held here alone.
    }
    for (const go of waiting.splice(0)) go();
  },
  /** When there is another one. */
  another: () => new Promise((go) => { waiting.push(go); }),
  forget() {
    this.held = null;
    try {
      sessionStorage.removeItem(KEY);
    } catch {
      // It was held here alone.
    }
  },
};

/** A call that did not succeed: `code` is that of the answer, or `no_answer` and `no_json` where there is none of the server's. */
export class CallError extends Error {
  constructor({ code, message, retryAfterMs = null }) {
    super(message);
    this.name = 'CallError';
    this.code = code;
    this.retryAfterMs = retryAfterMs;
  }
}

/** Everywhere the same: to this server alone, by no cookie, and never in an address. */
const authorization = () => (token.get() === null ? {} : { Authorization: `Bearer ${token.get()}` });

async function send(method, path, { query = {}, body }) {
  const given = Object.entries(query).filter(([, value]) => value !== null && value !== '');
  const headers = { ...(body && { 'Content-Type': 'application/json' }), ...authorization() };
  const options = { method, headers, cache: 'no-store', credentials: 'omit', redirect: 'error', signal: AbortSignal.timeout(WITHIN_MS) };
  let answer;
  let text;
  try {
    answer = await fetch(`${PATH}${path}?${new URLSearchParams(given)}`, { ...options, body: body && JSON.stringify(body) });
    text = await answer.text();
  } catch (error) {
    throw new CallError({ code: 'no_answer', message: error.message });
  }
  if (answer.status === 204) return null;
  let said;
  try {
    said = JSON.parse(text);
  } catch {
    throw new CallError({ code: 'no_json', message: `an answer with status ${answer.status} that is not this server's` });
  }
  if (!answer.ok) throw new CallError(said.error ?? { code: 'no_json', message: `status ${answer.status}` });
  return said;
}

/**
 * What the live page shows, which needs the token where `ops.protect_reads` is on: the body of /metrics, /health or /errors, as `text`
 * or as `json`. An error when the server says that it has none; `mayBe` are statuses that have one all the same.
 */
export async function read(path, as, mayBe = []) {
  const options = { headers: authorization(), cache: 'no-store', credentials: 'omit', signal: AbortSignal.timeout(READ_WITHIN_MS) };
  const answer = await fetch(path, options);
  if (answer.ok || mayBe.includes(answer.status)) return answer[as]();
  const said = REFUSED.includes(answer.status) ? await answer.json().catch(() => null) : null;
  throw said?.error ? new CallError(said.error) : new Error(`/${path} answered ${answer.status}`);
}

let asking = null;

/**
 * A client of the API. `askForToken(wasWrong)` is called when the server asks for the token, once for all calls that wait for it;
 * it resolves to the token, or to null when the operator does not want to give one.
 */
export const makeCall = (askForToken) => async function call(method, path, about = {}) {
  for (;;) {
    const shown = token.get();
    try {
      return await send(method, path, about);
    } catch (error) {
      if (error.code !== 'unauthorized') throw error;
      // Another call may have got one meanwhile.
      if (token.get() === shown) {
        token.forget();
        asking ??= askForToken(shown !== null).finally(() => { asking = null; });
        const given = await asking;
        if (given === null) throw error;
        token.keep(given);
      }
    }
  }
};
