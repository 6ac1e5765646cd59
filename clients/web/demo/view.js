// The page: every element that is looked at or written to. Names and messages of others are set as text, never as HTML.

import { nameParts } from './rooms.js';
import { countdown, nextAttempt, pairState } from './texts.js';

const $ = (id) => document.getElementById(id);
const LOG_ENTRIES = 500; // older ones go, so that a page left open over night stays small

export const element = (name, className, text) => {
  const made = document.createElement(name);
  made.className = className;
  made.textContent = text;
  return made;
};

/** A name somebody chose: kept from turning the text around it (a right-to-left name, or worse). */
export const named = (name) => element('bdi', 'name', name);

const LINK = /https?:\/\/[^\s<>"]+/gi;
/** What ends a sentence, and no link. */
const AFTER_LINK = /[.,;:!?)\]}'”]+$/;

/** `URL.canParse`, which browsers of before 2023 have not. */
const isAddress = (text) => {
  try {
    return Boolean(new URL(text));
  } catch {
    return false;
  }
};

/** A text with its links to be clicked: to the web, and with no way back to this page. */
const linked = (text) => {
  const parts = [];
  let at = 0;
  for (const { 0: found, index } of text.matchAll(LINK)) {
    const address = found.replace(AFTER_LINK, '');
    if (!isAddress(address)) continue;
    const link = element('a', '', address);
    Object.assign(link, { href: address, target: '_blank', rel: 'noopener noreferrer' });
    parts.push(text.slice(at, index), link);
    at = index + address.length;
  }
  return [...parts, text.slice(at)];
};

const append = (entry) => {
  const log = $('log');
  const atEnd = log.scrollHeight - log.scrollTop - log.clientHeight < 40;
  log.append(entry);
  while (log.childElementCount > LOG_ENTRIES) log.firstElementChild.remove();
  if (atEnd) log.scrollTop = log.scrollHeight; // who scrolled up is reading: leave them there
};

const on = (id, type, handle) => $(id).addEventListener(type, (event) => {
  if (type === 'submit') event.preventDefault();
  handle(event);
});

/** Wires the page's controls to what they mean. Called once. */
export const listen = ({ join, anotherName, leave, retry, say, otherRoom, rename, forget }) => {
  on('lobby', 'submit', () => join({ room: $('room-name').value.trim(), name: $('your-name').value.trim() }));
  on('another-name', 'click', anotherName);
  on('room-name', 'input', otherRoom);
  on('leave', 'click', leave);
  on('stop-waiting', 'click', leave);
  on('other-room', 'click', () => {
    invite(null);
    $('room-name').focus();
  });
  on('forget', 'click', forget);
  on('rename', 'submit', () => {
    rename($('new-name').value.trim());
    $('renaming').open = false;
  });
  on('retry', 'click', retry);
  on('composer', 'submit', () => {
    if ($('message').value && say($('message').value)) $('message').value = '';
  });
  followKeyboard();
};

/** Some browsers lay their keyboard over the page and tell nobody but the visual viewport. Zooming in is not that. */
function followKeyboard() {
  const seen = globalThis.visualViewport;
  seen?.addEventListener('resize', () => {
    const covered = seen.scale === 1 && document.documentElement.clientHeight - seen.height > 1;
    if (covered) document.body.style.setProperty('--height', `${seen.height}px`);
    else document.body.style.removeProperty('--height');
    if (covered) scrollTo(0, 0);
  });
}

export const suggest = ({ room, name }) => {
  if (room !== undefined) $('room-name').value = room;
  if (name !== undefined) $('your-name').value = name;
};

/** Who was invited is asked for a name, not for a room; null: nobody was. */
export const invite = (room) => {
  $('choose-room').hidden = room !== null;
  $('invitation').hidden = room === null;
  if (room !== null) $('invited-to').textContent = nameParts(room).words;
};

/** Trouble, said plainly and read out at once; an empty text takes it away. */
export const alertUser = (text) => {
  $('alert').textContent = text;
  $('alert').hidden = !text;
};

export const showLobby = () => {
  queue(null);
  clearInterval(attempting);
  $('invite').close();
  $('stay').hidden = true;
  $('lobby').hidden = false;
  document.title = 'Switchboard';
  $($('choose-room').hidden ? 'your-name' : 'room-name').focus();
};

/** Shows what is left of `delayMs`, now and each second; returns the timer. */
function countDown(delayMs, show) {
  const due = performance.now() + delayMs;
  const tick = () => show(due - performance.now());
  tick();
  return setInterval(tick, 1_000);
}

let counting = 0;
let attempting = 0;

/** We wait for a place in the room and ask for it in `delayMs`; null: we don't. */
export const queue = (delayMs) => {
  clearInterval(counting);
  $('queue').hidden = delayMs === null;
  if (delayMs === null) return;
  counting = countDown(delayMs, (ms) => { $('countdown').textContent = countdown(ms); });
};

/** Where the list of people leaves space for the messages, it begins open. */
const SPACIOUS = '(min-height: 36rem), (min-width: 40rem)';
/** Where it stands beside them, there is space for the picture of the connections. */
const WIDE = '(min-height: 36rem) and (min-width: 40rem)';

export const showRoom = ({ room }) => {
  queue(null);
  $('lobby').hidden = true;
  $('stay').hidden = false;
  const { words, secret } = nameParts(room);
  document.title = `${words} · Switchboard`;
  $('room-title').replaceChildren(words, ...(secret ? [element('span', 'secret', secret)] : []));
  $('room-title').title = room;
  $('room-title').setAttribute('aria-label', room); // without the space that the secret's box would put into it
  $('people').open = matchMedia(SPACIOUS).matches;
  $('mesh').open = matchMedia(WIDE).matches;
  $('new-name').value = $('your-name').value;
  $('renaming').open = false;
  $('log').replaceChildren();
  roster([], null);
  $('message').focus();
};

/**
 * The line about our own connection to the server. `phase` is the name of a state; with `delayMs`, the time until the next attempt, which may be
 * made by hand at any time.
 */
export const status = (phase, text, delayMs) => {
  clearInterval(attempting);
  $('status').dataset.phase = phase;
  $('status-text').textContent = text;
  $('retry').hidden = phase !== 'waiting';
  $('next-attempt').hidden = delayMs === undefined;
  if (delayMs !== undefined) attempting = countDown(delayMs, (ms) => { $('next-attempt').textContent = nextAttempt(ms); });
};

/** `people`: [{id, name, self?, state?, where?}], see `pairState`; `capacity` is null until the server told it. */
export const roster = (people, capacity) => {
  const seated = people.filter(({ where }) => where !== 'gone').length;
  $('count').textContent = capacity ? `${seated} of ${capacity}` : '';
  $('roster').replaceChildren(...people.map(({ id, name, self, state, where, path }) => {
    const item = element('li', 'person', '');
    item.dataset.peer = id;
    item.dataset.state = self ? 'self' : state;
    item.append(named(name), element('span', 'state', self ? 'you' : pairState(state, where, path)));
    return item;
  }));
};

/** Something that happened in the room: a text, or a list of texts and elements. `name`: whose doing it is. */
export const note = (text, name) => {
  const entry = element('p', 'note', '');
  if (name !== undefined) entry.append(named(name), ' ');
  entry.append(...[text].flat());
  append(entry);
};

export const message = ({ name, text, self }) => {
  const entry = element('p', self ? 'message own' : 'message', '');
  const time = element('time', '', new Date().toLocaleTimeString([], { hour: '2-digit', minute: '2-digit' }));
  const body = element('span', 'text', '');
  body.append(...linked(text));
  body.dir = 'auto';
  entry.append(named(name), ' ', time, body);
  append(entry);
};
