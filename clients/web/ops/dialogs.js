// The two dialogs: one that asks before anything is changed, one that asks for the token. Escape closes either, and the
// browser gives the focus back to where it was.

import * as texts from './texts.js';

const $ = (id) => document.getElementById(id);
const bytes = (text) => new TextEncoder().encode(text).length;

function control({ kind = 'text', options = [] }) {
  if (kind === 'long') return Object.assign(document.createElement('textarea'), { rows: 3 });
  if (kind !== 'choice') return Object.assign(document.createElement('input'), { type: 'text', autocomplete: 'off' });
  const select = document.createElement('select');
  select.append(...options.map(([value, name]) => new Option(name, value)));
  return select;
}

/** A labelled field; `maxBytes` is what the server takes, in UTF-8. */
function field(about) {
  const input = control(about);
  input.name = about.name;
  input.required = about.required ?? false;
  if (about.maxBytes) {
    input.addEventListener('input', () => {
      const over = bytes(input.value) - about.maxBytes;
      input.setCustomValidity(over > 0 ? `Too long by ${over} bytes (at most ${about.maxBytes}).` : '');
    });
  }
  const label = document.createElement('label');
  label.append(about.label, input);
  return { label, input };
}

let current = null;

/**
 * Asks whether to do it, and does it: `run` is called with the values of the fields, while the dialog is still open; when it throws,
 * the dialog says why and stays. Resolves to what `run` returned, or to null when the operator changed their mind.
 */
export function confirm({ title, text, button, fields = [], run }) {
  const [dialog, yes, error] = [$('confirm'), $('confirm-yes'), $('confirm-error')];
  if (dialog.open) return Promise.resolve(null); // a modal one: only scripts get here
  const mine = current = { running: false };
  const made = fields.map(field);
  $('confirm-title').textContent = title;
  $('confirm-text').textContent = text;
  $('confirm-fields').replaceChildren(...made.map(({ label }) => label));
  yes.textContent = button;
  yes.disabled = false;
  error.textContent = '';
  return new Promise((resolve, reject) => {
    const close = () => { if (current === mine) dialog.close(); };
    $('confirm-form').onsubmit = async (event) => {
      event.preventDefault();
      if (mine.running) return;
      mine.running = yes.disabled = true;
      error.textContent = '';
      try {
        resolve(await run(Object.fromEntries(made.map(({ input }) => [input.name, input.value]))));
        close();
      } catch (failure) {
        // A browser may close a dialog all the same, at the second Escape.
        if (current === mine && dialog.open) error.textContent = texts.failure(failure);
        else reject(failure);
      }
      mine.running = yes.disabled = false;
    };
    $('confirm-no').onclick = close;
    // What is under way is waited for: its end is worth knowing.
    dialog.oncancel = (event) => { if (mine.running) event.preventDefault(); };
    dialog.onclose = () => { if (!dialog.open && !mine.running) resolve(null); };
    dialog.showModal();
    // A stray Enter must not do it: what has nothing to fill in begins at "Cancel".
    (made.find(({ input }) => input.required)?.input ?? $('confirm-no')).focus();
  });
}

/** Asks for the token: resolves to it, or to null. */
export function askForToken(wasWrong) {
  const [dialog, input] = [$('token'), $('token-text')];
  input.value = '';
  $('token-error').textContent = wasWrong ? 'The server does not take that token.' : '';
  return new Promise((resolve) => {
    $('token-form').onsubmit = (event) => {
      event.preventDefault();
      resolve(input.value.trim());
      dialog.close();
    };
    $('token-no').onclick = () => dialog.close();
    dialog.onclose = () => {
      input.value = '';
      if (!dialog.open) resolve(null);
    };
    dialog.showModal();
    input.focus();
  });
}
