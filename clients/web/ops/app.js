// The live page of the ops listener: asks /metrics, /health and /errors of its own server every five seconds and draws. Where the
// server wants the token for that, it asks for nothing before it has one.
// Read figures.js for what is computed from what, cards.js for what is shown; rooms.js has rooms and what is done to them.

import { CallError, read, token } from './api.js';
import { CARDS, Card } from './cards.js';
import { askForToken } from './dialogs.js';
import { parse } from './exposition.js';
import { figures } from './figures.js';
import * as rooms from './rooms.js';
import * as texts from './texts.js';

const EVERY_MS = 5_000;
const WINDOW_MS = 15 * 60_000;
/** The charts begin with this and grow to the whole window. */
const FIRST_WINDOW_MS = 2 * 60_000;
const ERROR_GROUPS = 10;

const $ = (id) => document.getElementById(id);
const cards = CARDS.map((about) => new Card(about, $('cards')));
let history = []; // { at, figures }, figures null where the server did not answer
let scrapes = []; // as many as the figures look back on

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

/**
 * The three answers. Before the server has given one with the token that there is now, or with none, it is asked for one alone: each that
 * it refuses is told of and counted.
 */
let admitted; // with which token, null for none
async function ask() {
  const shown = token.get();
  const metrics = read('metrics', 'text');
  if (admitted !== shown && await metrics.then(() => true, (error) => !(error instanceof CallError))) admitted = shown;
  // /health tells its tale with 503, too.
  const others = admitted === shown ? [read('health', 'json', [503]), read('errors', 'json')] : [metrics, metrics];
  return Promise.allSettled([metrics, ...others]);
}

/** Asks once, and shows what came. What stands in the way of more, if the guard does. */
async function refresh() {
  const [metrics, health, errors] = await ask();
  const refusal = [metrics, health, errors].find(({ reason }) => reason instanceof CallError)?.reason ?? null;
  if (refusal !== null) {
    admitted = undefined;
    say('wait', texts.failure(refusal));
    return refusal;
  }
  const at = Date.now();
  const now = metrics.status === 'fulfilled' ? look(metrics.value, at) : null;
  history.push({ at, figures: now });
  draw(at);
  if (errors.status === 'fulfilled') showErrors(errors.value);
  if (health.status === 'fulfilled') showHealth(health.value, now);
  else say('bad', texts.silent(health.reason));
  return null;
}

const sleep = (ms) => new Promise((resolve) => { setTimeout(resolve, ms); });

/** Until there is another token: without it, or with one that is wrong, the next question would be refused, too. */
async function waitForToken() {
  $('give').hidden = false;
  await token.another();
  $('give').hidden = true;
}

async function run() {
  for (;;) {
    const began = performance.now();
    const refusal = await refresh();
    if (refusal?.code === 'unauthorized') await waitForToken();
    else await sleep(Math.max(refusal?.retryAfterMs ?? 0, EVERY_MS - (performance.now() - began), 0));
  }
}

$('give').addEventListener('click', async () => {
  const given = await askForToken(token.get() !== null);
  if (given !== null) token.keep(given);
});
rooms.start();
run();
