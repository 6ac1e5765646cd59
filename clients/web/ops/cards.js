// The cards: what each shows, in which words, and from where on it wants looking at.

import { Chart } from './chart.js';

const number = (value, digits = 0) => value.toLocaleString('en', { maximumFractionDigits: digits });
const known = (format) => (value) => (value === null ? '–' : format(value));

const whole = known((value) => number(value));
const rate = known((value) => number(value, value < 10 ? 1 : 0));
const cores = known((value) => number(value, 2));
const bytes = known((value) => {
  const power = Math.min(4, Math.max(0, Math.floor(Math.log2(Math.max(value, 1)) / 10)));
  return `${number(value / 1024 ** power, value < 10 * 1024 ** power ? 1 : 0)} ${['B', 'KiB', 'MiB', 'GiB', 'TiB'][power]}`;
});
const seconds = known((value) => {
  if (value < 0.001) return `${number(value * 1e6)} µs`;
  return value < 1 ? `${number(value * 1e3, 1)} ms` : `${number(value, 2)} s`;
});

/** 'ok', 'warn' or 'bad'. */
const level = (value, warn, bad) => (value === null || value < warn ? 'ok' : value < bad ? 'warn' : 'bad');
const share = (value, limit) => (value === null || !limit ? null : value / limit);
const percent = known((value) => `${number(value * 100, 1)} %`);

/** What is done because memory is nearly used, by `switchboard_memory_step`; each with what is before it. */
const RELIEF = [
  '', ': newcomers are refused', ': who holds most is read no further', ': resume buffers are emptied', ': connections are ended',
];

/** In the order of the page. `lines` name the figures drawn; `note` and `level` are about the newest. */
export const CARDS = [
  {
    title: 'Connections', format: whole, lines: { connections: 'open', joined: 'in a room' },
    note: ({ maxConnections, connections }) => `${percent(share(connections, maxConnections))} of ${whole(maxConnections)}`,
    level: ({ maxConnections, connections }) => level(share(connections, maxConnections), 0.8, 0.95),
  },
  {
    title: 'Rooms', format: whole, lines: { rooms: 'rooms', peers: 'peers in them' },
    note: ({ rooms, peers }) => (rooms ? `${number(peers / rooms, 1)} peers a room` : 'no room is open'),
  },
  {
    title: 'Messages per second', format: rate, lines: { messagesIn: 'in', messagesOut: 'out' },
    note: () => 'in from clients, out to them',
  },
  {
    title: 'Errors per minute', format: rate, lines: { errors: 'all', severe: 'severe' },
    note: () => 'severe: the server’s own',
    level: ({ errors, severe }) => (severe > 0 ? 'bad' : level(errors, 10, 600)),
  },
  {
    title: 'Churn per minute', format: whole, lines: { joins: 'joins', leaves: 'leaves' },
    note: () => 'within the last minute',
  },
  {
    title: 'Memory', format: bytes, lines: { memory: 'resident', held: 'for clients' },
    note: ({ memory, memoryLimit, held, heldLimit, memoryStep }) =>
      `${percent(share(memory, memoryLimit))} of ${bytes(memoryLimit)}; for clients ${percent(share(held, heldLimit))} of `
      + `${bytes(heldLimit)}${RELIEF[memoryStep] ?? ''}`,
    level: ({ memory, memoryLimit, memoryStep }) => {
      if (memoryStep > 2) return 'bad';
      return memoryStep > 0 ? 'warn' : level(share(memory, memoryLimit), 0.8, 0.95);
    },
  },
  {
    title: 'CPU cores in use', format: cores, lines: { cpu: 'over a minute' },
    note: ({ cpu, cpuLimit }) => `${percent(share(cpu, cpuLimit))} of ${cores(cpuLimit)}`,
    level: ({ cpu, cpuLimit }) => level(share(cpu, cpuLimit), 0.7, 0.9),
  },
  {
    title: 'Message handling, p95', format: seconds, lines: { handling: 'over a minute' },
    note: ({ handling }) => (handling === null ? 'no relayed message sampled' : 'from read to the receiver’s queue'),
    level: ({ handling }) => level(handling, 0.5, 2),
  },
];

const WORDS = { ok: '', warn: 'high', bad: 'too high' };

const element = (name, className, ...children) => {
  const made = document.createElement(name);
  made.className = className;
  made.append(...children);
  return made;
};

/** One card on the page. */
export class Card {
  #about; #values = []; #note = element('p', 'note'); #top = element('span', 'scale'); #when = element('span', 'when');
  #chart = new Chart(2, (at) => this.#pointed(at));
  #points = [];
  #pointedAt = null;

  constructor(about, page) {
    this.#about = about;
    const legend = Object.values(about.lines).map((name, index) => {
      this.#values[index] = element('span', 'value');
      return element('li', `key key-${index}`, this.#values[index], element('span', 'name', name));
    });
    const head = element('h2', '', about.title, this.#when);
    this.element = element('article', 'card', head, element('ul', 'legend', ...legend),
      element('div', 'plot', this.#chart.element, this.#top), this.#note);
    page.append(this.element);
  }

  /** `history` is a list of { at, figures }, `figures` null where the server did not answer; the newest last. */
  show(history, { from, to }) {
    const names = Object.keys(this.#about.lines);
    const now = history.at(-1)?.figures ?? null;
    this.#points = history;
    const series = names.map((name) => history.map(({ at, figures }) => ({ at, value: figures?.[name] ?? null })));
    const values = names.map((name) => `${this.#about.lines[name]} ${this.#about.format(now?.[name] ?? null)}`);
    this.#top.textContent = this.#about.format(this.#chart.draw(series, { from, to, label: `${this.#about.title}: ${values.join(', ')}` }));
    const state = (now && this.#about.level?.(now)) || 'ok';
    this.element.dataset.level = state;
    this.#note.textContent = [WORDS[state], now && this.#about.note?.(now)].filter(Boolean).join(' – ') || '\u00a0';
    this.#write();
  }

  #pointed(at) {
    this.#pointedAt = at;
    this.#write();
  }

  /** The newest values, or those at the pointer. */
  #write() {
    const at = this.#pointedAt;
    const distance = (point) => Math.abs(point.at - at);
    const point = at === null
      ? this.#points.at(-1)
      : this.#points.reduce((best, next) => (distance(next) < distance(best) ? next : best), this.#points[0]);
    this.#when.textContent = at === null || !point ? '' : new Date(point.at).toLocaleTimeString('en-GB');
    Object.keys(this.#about.lines).forEach((name, index) => {
      this.#values[index].textContent = this.#about.format(point?.figures?.[name] ?? null);
    });
  }
}
