// The page: every element that is looked at or written to. Names and messages of others are set as text, never as HTML.

import { pairState } from './texts.js';

const $ = (id) => document.getElementById(id);
const LOG_ENTRIES = 500; // older ones go, so that a page left open over night stays small

const element = (name, className, text) => {
  const made = document.createElement(name);
  made.className = className;
  made.textContent = text;
  return made;
};

/** A name somebody chose: kept from turning the text around it (a right-to-left name, or worse). */
const named = (name) => element('bdi', 'name', name);

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
export const listen = ({ join, anotherName, leave, retry, say }) => {
  on('lobby', 'submit', () => join({ room: $('room-name').value.trim(), name: $('your-name').value.trim() }));
  on('another-name', 'click', anotherName);
  on('leave', 'click', leave);
  on('retry', 'click', retry);
  on('composer', 'submit', () => {
    if ($('message').value && say($('message').value)) $('message').value = '';
  });
  on('copy', 'click', copyLink);
  on('share', 'click', () => {
    // Closing the share sheet rejects: nothing to tell.
    navigator.share({ title: document.title, url: $('link').value }).catch(() => {});
  });
  on('link', 'focus', () => $('link').select());
  $('share').hidden = !navigator.share;
};

async function copyLink() {
  $('link').select();
  try {
    await navigator.clipboard.writeText($('link').value);
    note('Link copied.');
  } catch {
    // No clipboard without https or permission; the link is selected.
    note('The link is selected: copy it from there.');
  }
}

export const suggest = ({ room, name }) => {
  if (room !== undefined) $('room-name').value = room;
  if (name !== undefined) $('your-name').value = name;
};

/** Trouble, said plainly and read out at once; an empty text takes it away. */
export const alertUser = (text) => {
  $('alert').textContent = text;
  $('alert').hidden = !text;
};

export const showLobby = () => {
  $('stay').hidden = true;
  $('lobby').hidden = false;
  document.title = 'Switchboard';
  $('room-name').focus();
};

export const showRoom = ({ room, link }) => {
  $('lobby').hidden = true;
  $('stay').hidden = false;
  document.title = `${room} · Switchboard`;
  $('room-title').textContent = room;
  $('link').value = link;
  $('log').replaceChildren();
  roster([], null);
  $('message').focus();
};

/** The line about our own connection to the server. `phase` is one of signaling.js; retrying by hand goes with waiting. */
export const status = (phase, text) => {
  $('status').dataset.phase = phase;
  $('status-text').textContent = text;
  $('retry').hidden = phase !== 'waiting';
};

/** `people`: [{id, name, self?, state?}]; `capacity` is null until the server told it. */
export const roster = (people, capacity) => {
  $('count').textContent = capacity ? `${people.length} of ${capacity}` : '';
  $('roster').replaceChildren(...people.map(({ id, name, self, state }) => {
    const item = element('li', 'person', '');
    item.dataset.peer = id;
    item.dataset.state = self ? 'self' : state;
    item.append(named(name), element('span', 'state', self ? 'you' : pairState(state)));
    return item;
  }));
};

/** Something that happened in the room. */
export const note = (text, name) => {
  const entry = element('p', 'note', '');
  if (name !== undefined) entry.append(named(name), ' ');
  entry.append(text);
  append(entry);
};

export const message = ({ name, text, self }) => {
  const entry = element('p', self ? 'message own' : 'message', '');
  const time = element('time', '', new Date().toLocaleTimeString([], { hour: '2-digit', minute: '2-digit' }));
  const body = element('span', 'text', text);
  body.dir = 'auto';
  entry.append(named(name), ' ', time, body);
  append(entry);
};
