// The operator's API of this server (docs/operations.md): JSON, and the token that the operator has given this tab.

const PATH = 'admin/v1/';
const KEY = 'switchboard.ops-token';
/** An answer that takes longer is as good as none: the server itself gives up after 2 s. */
const WITHIN_MS = 10_000;

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
  },
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

async function send(method, path, { query = {}, body }) {
  const given = Object.entries(query).filter(([, value]) => value !== null && value !== '');
  const shown = token.get();
  const headers = { ...(body && { 'Content-Type': 'application/json' }), ...(shown && { Authorization: `Bearer ${shown}` }) };
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
