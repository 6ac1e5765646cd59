// The live page of the ops listener: asks /metrics, /health and /errors of its own server every five seconds and draws.
// Read figures.js for what is computed from what, cards.js for what is shown; rooms.js has rooms and what is done to them.

import { CARDS, Card } from './cards.js';
import { parse } from './exposition.js';
import { figures } from './figures.js';
import * as rooms from './rooms.js';
import * as texts from './texts.js';

const EVERY_MS = 5_000;
const WINDOW_MS = 15 * 60_000;
/** The charts begin with this and grow to the whole window. */
const FIRST_WINDOW_MS = 2 * 60_000;
/** An answer that takes longer is as good as none, and the next question is due. */
const PATIENCE_MS = 4_500;
const ERROR_GROUPS = 10;

const $ = (id) => document.getElementById(id);
const cards = CARDS.map((about) => new Card(about, $('cards')));
let history = []; // { at, figures }, figures null where the server did not answer
let scrapes = []; // as many as the figures look back on

const ask = (path) => fetch(path, { cache: 'no-store', signal: AbortSignal.timeout(PATIENCE_MS) });

/** The answer's body; an error when the server says that it has none. /health tells its tale with 503, too. */
async function read(path, as, mayBe = []) {
  const answer = await ask(path);
  if (!answer.ok && !mayBe.includes(answer.status)) throw new Error(`/${path} answered ${answer.status}`);
  return answer[as]();
}

const say = (level, text) => {
  $('status').dataset.level = level;
  if ($('status-text').textContent !== text) $('status-text').textContent = text; // a live region: only news
};

function look(text, at) {
  scrapes = [...scrapes, { at, families: parse(text) }].filter((scrape) => at - scrape.at <= 2 * 60_000);
  return figures(scrapes);
}

function draw(at) {
  history = history.filter((point) => at - point.at <= WINDOW_MS);
  const from = Math.min(history[0].at, at - FIRST_WINDOW_MS);
  for (const card of cards) card.show(history, { from, to: at });
}

const cell = (text) => {
  const made = document.createElement('td');
  made.textContent = text;
  return made;
};

function showErrors({ groups }) {
  const latest = [...groups].sort((a, b) => b.lastSeen.localeCompare(a.lastSeen)).slice(0, ERROR_GROUPS);
  $('no-errors').hidden = latest.length > 0;
  $('errors-table').hidden = latest.length === 0;
  $('errors').replaceChildren(...latest.map((group) => {
    const row = document.createElement('tr');
    row.dataset.severity = group.severity;
    row.append(...texts.errorCells(group).map(cell));
    return row;
  }));
}

function showHealth(health, now) {
  $('version').textContent = health.version;
  say(...texts.status(health, now));
  $('facts').textContent = texts.facts(health);
  $('checks').replaceChildren(...health.checks.map((check) => {
    const item = document.createElement('li');
    item.dataset.status = check.status;
    item.textContent = texts.check(check);
    return item;
  }));
}

async function refresh() {
  const [metrics, health, errors] = await Promise.allSettled([
    read('metrics', 'text'), read('health', 'json', [503]), read('errors', 'json'),
  ]);
  const at = Date.now();
  const now = metrics.status === 'fulfilled' ? look(metrics.value, at) : null;
  history.push({ at, figures: now });
  draw(at);
  if (errors.status === 'fulfilled') showErrors(errors.value);
  if (health.status === 'fulfilled') showHealth(health.value, now);
  else say('bad', texts.silent(health.reason));
}

async function run() {
  const began = performance.now();
  await refresh();
  setTimeout(run, Math.max(0, EVERY_MS - (performance.now() - began)));
}

rooms.start();
run();
