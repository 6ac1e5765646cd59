// What went on in a room, as the flight recorder has it (docs/operations.md): a sequence diagram, drawn as SVG. A column for each
// peer, time runs downwards. Nothing is asked for by itself: each look is told and counted.

import * as texts from './texts.js';

/** Facts that are asked for: the newest. A browser draws as many lines in less than a second. */
const FACTS = 1000;
const SVG = 'http://www.w3.org/2000/svg';
/** In pixels: the margin for the times, a column, a line, and the heads of the columns. */
const [MARGIN, COLUMN, LINE, HEAD] = [76, 150, 30, 34];
/** Digits of an id that tell the peers of a room apart. */
const DIGITS = 8;

const $ = (id) => document.getElementById(id);

/** Signals of one kind that follow each other between the same two, with the same outcome, are one line: candidates, mostly. */
export function grouped(facts) {
  const groups = [];
  const alike = (one, other) => one.to !== undefined && ['kind', 'peer', 'to', 'outcome'].every((field) => one[field] === other[field]);
  for (const fact of facts) {
    const last = groups.at(-1);
    if (last && alike(last.fact, fact)) last.count += 1;
    else groups.push({ fact, count: 1 });
  }
  return groups;
}

/** What stands at a line. */
export function words({ kind, outcome, bytes, to, others }, count) {
  const signal = to !== undefined;
  if (signal && count > 1) return `${count} × ${kind}${outcome === 'delivered' || !outcome ? '' : `: ${outcome}`}`;
  if (to === '*') return `${kind} to all ${others}`;
  if (signal) return outcome === 'delivered' ? `${kind}, ${bytes} bytes` : `${kind}: ${outcome}`;
  return outcome === undefined ? kind : `${kind.replaceAll('_', ' ')}: ${outcome}`;
}

/** Where everything is: columns by id, and lines from top to bottom. `to` is a column where a signal was for one peer. */
export function layout({ peers, facts, unanswered }) {
  const columns = new Map(peers.map(({ id }, place) => [id, place]));
  const began = facts.length === 0 ? 0 : Date.parse(facts[0].at);
  const lines = grouped(facts).map(({ fact, count }) => ({
    time: `+${((Date.parse(fact.at) - began) / 1000).toFixed(3)} s`,
    from: columns.get(fact.peer) ?? null,
    to: fact.to === undefined || fact.to === '*' ? null : columns.get(fact.to) ?? null,
    text: words(fact, count),
    bad: fact.kind === 'error' || fact.kind === 'join_refused' || fact.kind === 'room_closed'
      || (fact.to !== undefined && !['delivered', 'waiting', undefined].includes(fact.outcome)),
  }));
  const missing = unanswered.map(({ from, to, waitedMs }) => ({
    time: '', from: columns.get(to) ?? null, to: null, text: noAnswer({ from, to, waitedMs }), bad: true,
  }));
  return { columns: peers.map(({ id, isHere }) => ({ label: id.slice(0, DIGITS), id, isHere })), lines: [...lines, ...missing] };
}

/** "no answer from 1a2b3c4d to 5e6f7a8b for 12 s". */
export const noAnswer = ({ from, to, waitedMs }) => `no answer from ${to.slice(0, DIGITS)} to ${from.slice(0, DIGITS)} for ${texts.span(waitedMs / 1000)}`;

const svg = (name, attributes = {}, text = '') => {
  const made = document.createElementNS(SVG, name);
  for (const [key, value] of Object.entries(attributes)) made.setAttribute(key, value);
  made.textContent = text;
  return made;
};

const middle = (column) => MARGIN + (column + 0.5) * COLUMN;

function head({ label, id, isHere }, column, bottom) {
  const x = middle(column);
  const text = svg('text', { x, y: 20, class: isHere ? 'peer' : 'peer gone', 'text-anchor': 'middle' }, label);
  text.append(svg('title', {}, `${id}${isHere ? '' : ', not in the room now'}`));
  return [text, svg('line', { x1: x, x2: x, y1: HEAD, y2: bottom, class: 'life' })];
}

function arrow(from, to, y, bad) {
  const [x1, x2] = [middle(from), middle(to)];
  const back = x2 > x1 ? -1 : 1;
  const tip = bad
    ? `M${x2 + back * 6} ${y - 5}l${back * -10} 10m0 -10l${back * 10} 10`
    : `M${x2 + back * 8} ${y - 4}L${x2} ${y}L${x2 + back * 8} ${y + 4}`;
  return [svg('line', { x1, x2, y1: y, y2: y, class: 'signal' }), svg('path', { d: tip, class: 'signal' })];
}

function row({ time, from, to, text, bad }, place) {
  const y = HEAD + (place + 1) * LINE;
  const made = svg('g', { class: bad ? 'fact bad' : 'fact' });
  made.append(svg('text', { x: 0, y, class: 'time' }, time));
  const between = from !== null && to !== null && from !== to;
  if (between) made.append(...arrow(from, to, y, bad));
  else if (from !== null) made.append(svg('circle', { cx: middle(from), cy: y - 4, r: 4, class: 'mark' }));
  const x = between ? (middle(from) + middle(to)) / 2 : middle(from ?? 0) + 8;
  made.append(svg('text', { x, y: between ? y - 6 : y, 'text-anchor': between ? 'middle' : 'start' }, text));
  return made;
}

/** The diagram, as an element. */
export function draw(recorded) {
  const { columns, lines } = layout(recorded);
  const [width, height] = [MARGIN + (columns.length + 1) * COLUMN, HEAD + (lines.length + 1) * LINE];
  const made = svg('svg', { width, height, viewBox: `0 0 ${width} ${height}`, role: 'img', class: 'sequence' });
  made.setAttribute('aria-label', `Sequence diagram: ${texts.count(columns.length, 'peer')}, ${texts.count(lines.length, 'line')}`);
  made.append(...columns.flatMap((column, place) => head(column, place, height - LINE / 2)), ...lines.map(row));
  return made;
}

const item = (text) => Object.assign(document.createElement('li'), { textContent: text });

async function ask(name, call) {
  if (name === '.' || name === '..') throw Object.assign(new Error('a room of that name has no path of its own'), { code: 'no_path' });
  try {
    return await call('GET', `rooms/${encodeURIComponent(name)}/recorder`, { query: { limit: FACTS } });
  } catch (error) {
    throw error.code === 'room_not_found' ? Object.assign(error, { code: 'not_recorded' }) : error;
  }
}

/** Asks for what is recorded of a room, and shows it. `call` is the API; what goes wrong is thrown. */
export async function show(name, call) {
  const recorded = await ask(name, call);
  const { peers, facts, unanswered, older, isOpen } = recorded;
  $('recording').hidden = false;
  $('recording-name').textContent = texts.shown(name);
  $('recording-facts').textContent = [
    isOpen ? 'The room is open' : 'The room is over', texts.count(peers.length, 'peer'), texts.count(facts.length, 'fact'),
    ...(older > 0 ? [`${older.toLocaleString('en')} earlier ones are not shown`] : []),
  ].join(', ');
  $('unanswered').replaceChildren(...unanswered.map((offer) => item(noAnswer(offer))));
  $('sequence').replaceChildren(draw(recorded));
  $('recording-name').focus();
}

/** Shows nothing any more. */
export function hide() {
  $('recording').hidden = true;
  $('sequence').replaceChildren();
}
