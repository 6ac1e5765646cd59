// Rooms, one room, and what can be done to them. Nothing is asked for by itself: every look into a room is told and counted
// (`operator_call`), so a page that is left open must not look.

import * as actions from './actions.js';
import { makeCall, token } from './api.js';
import { askForToken, confirm } from './dialogs.js';
import { matrix } from './mesh.js';
import * as recording from './recording.js';
import * as texts from './texts.js';

/** Rooms of a page, and members that are shown of a room. */
const ROOMS = 50;
const MEMBERS = 500;

const $ = (id) => document.getElementById(id);
const call = makeCall(askForToken);

const element = (name, ...children) => {
  const made = document.createElement(name);
  made.append(...children);
  return made;
};

/** What others wrote: text, and kept apart from the direction in which the rest is written. */
const theirs = (text) => element('bdi', texts.shown(text));

const button = (label, does, description) => {
  const made = element('button', label);
  made.type = 'button';
  if (description) made.setAttribute('aria-label', description);
  made.addEventListener('click', does);
  return made;
};

const row = (...cells) => element('tr', ...cells.map((content) => element('td', content)));

function say(text, level = 'good') {
  $('said').dataset.level = level;
  $('said').textContent = text;
  $('forget').hidden = token.get() === null;
}

/** Does what talks to the server; what goes wrong is said. Whether it went well. */
async function attempt(work) {
  try {
    await work();
    $('forget').hidden = token.get() === null;
    return true;
  } catch (error) {
    say(texts.failure(error), 'bad');
    return false;
  }
}

/** Asks, does it, says what came of it, and shows how it is now. */
async function act(action, shows = refresh) {
  const run = async (values) => ({ answer: await call(...action.call(values)), values });
  await attempt(async () => {
    const done = await confirm({ ...action, run });
    if (done === null) return;
    say(action.done(done.answer, done.values));
    await shows();
  });
}

// The list.

let filter = {};
let cursors = [null]; // of the pages so far; the last one is shown
let next = null;
let open = null; // the name of the room that is shown

async function list() {
  const page = await call('GET', 'rooms', { query: { ...filter, cursor: cursors.at(-1), limit: ROOMS } });
  next = page.next;
  $('rooms-list').replaceChildren(...page.rooms.map((room) => row(
    button(theirs(room.name), () => look(room.name)),
    texts.peers(room), room.locked ? 'locked' : 'open', texts.time(room.since),
  )));
  $('rooms-table').hidden = page.rooms.length === 0;
  $('no-rooms').hidden = page.rooms.length > 0;
  $('no-rooms').textContent = next === null ? 'No such room.' : 'None on this page, but there are more names to look at.';
  $('rooms-pages').hidden = false;
  $('rooms-page').textContent = `Page ${cursors.length}`;
  $('rooms-previous').disabled = cursors.length === 1;
  $('rooms-next').disabled = next === null;
}

// One room. By queries, not by its path: browsers would take a room of the name ".." for a step up.

async function details(name) {
  const [{ peers }, { locked, bans }, mesh] = await Promise.all([
    call('GET', 'peers', { query: { room: name, limit: 1000 } }), call('GET', 'bans', { query: { room: name } }), meshOf(name),
  ]);
  open = name;
  $('room').hidden = false;
  $('room-name').replaceChildren(theirs(name));
  $('room-facts').textContent = texts.room(peers.length, locked, Math.min(peers.length, MEMBERS));
  $('room-actions').replaceChildren(
    button(locked ? 'Unlock…' : 'Lock…', () => act(actions.lock(name, !locked))),
    button('Notice…', () => act(actions.notice(name))),
    button('Kick by name…', () => act(actions.kickNamed(name))),
    button('What happened', () => replay(name)),
    button('Close room…', () => act(actions.close(name, peers.length), closed)),
    button('Hide', hide),
  );
  $('members').replaceChildren(...peers.slice(0, MEMBERS).map((peer) => row(
    short(peer.id), peer.user === null ? '–' : theirs(peer.user), peer.who === null ? '–' : short(peer.who), texts.time(peer.since),
    peer.away ? 'away' : 'here', button('Kick…', () => act(actions.kick(name, peer)), `Kick peer ${peer.id}`),
  )));
  $('members-table').hidden = peers.length === 0;
  draw(mesh);
  $('bans').replaceChildren(...bans.map((ban) => row(
    `${ban.id}`, ban.user === null ? '–' : theirs(ban.user), ban.who === null ? '–' : short(ban.who), ban.address ? 'yes' : 'no',
    texts.span(ban.leftMs / 1000), button('Lift…', () => act(actions.lift(name, ban)), `Lift ban ${ban.id}`),
  )));
  $('bans-table').hidden = bans.length === 0;
}

/** Who reaches which peer. It has a path alone, and so `.` and `..` have none; a room that ends meanwhile has none either. */
async function meshOf(name) {
  const nothing = { known: false, peers: [], pairs: [] };
  if (name === '.' || name === '..') return nothing;
  try {
    return await call('GET', `rooms/${encodeURIComponent(name)}/mesh`);
  } catch (error) {
    if (error.code === 'room_not_found') return nothing;
    throw error;
  }
}

function draw(mesh) {
  const peers = matrix(mesh);
  $('mesh-peers').replaceChildren(element('th', 'Peer'), ...peers.map(({ id }) => element('th', short(id))));
  $('mesh').replaceChildren(...peers.map(({ id, level, about, cells }) => {
    const head = element('th', short(id), element('small', about));
    Object.assign(head, { scope: 'row' }).dataset.level = level;
    return element('tr', head, ...cells.map((cell) => {
      if (cell === null) return element('td', '');
      const made = element('td', cell.state, element('small', cell.said));
      made.dataset.level = cell.level;
      return made;
    }));
  }));
  $('mesh-table').hidden = !mesh.known;
}

/** An id as one tells them apart by eye; the whole of it at the pointer. */
const short = (id) => Object.assign(element('code', id.slice(0, 8)), { title: id });

function hide() {
  open = null;
  $('room').hidden = true;
}

async function look(name) {
  const found = await attempt(() => details(name));
  if (!found) return hide();
  $('room-name').focus();
  return $('room').scrollIntoView({ block: 'nearest' });
}

/** What is recorded of a room, which may be over. */
async function replay(name) {
  $('recorder-room').value = name;
  const shown = await attempt(() => recording.show(name, call));
  if (shown) say('');
  else recording.hide();
}

/** A room that was closed: who came back since has opened another of the name. */
const closed = () => {
  hide();
  return refresh();
};

/** The same page, and the same room, as they are now. */
async function refresh() {
  await attempt(list);
  if (open === null) return;
  try {
    await details(open);
  } catch (error) {
    hide();
    // A room ends with its last peer: that was told, if it was done here.
    if (error.code !== 'room_not_found') say(texts.failure(error), 'bad');
  }
}

const turn = (pages) => {
  cursors = pages;
  return attempt(list);
};

/** Puts everything into its place on the page. */
export function start() {
  $('rooms-filter').addEventListener('submit', (event) => {
    event.preventDefault();
    filter = { prefix: $('filter-prefix').value, minPeers: $('filter-peers').value, locked: $('filter-locked').value };
    say('');
    turn([null]);
  });
  $('recorder-form').addEventListener('submit', (event) => {
    event.preventDefault();
    replay($('recorder-room').value);
  });
  $('rooms-refresh').addEventListener('click', () => { say(''); refresh(); });
  $('rooms-previous').addEventListener('click', () => turn(cursors.slice(0, -1)));
  $('rooms-next').addEventListener('click', () => turn([...cursors, next]));
  const nothing = () => {};
  $('notice-all').addEventListener('click', () => act(actions.notice(null), nothing));
  $('drain').addEventListener('click', () => act(actions.drain(), nothing));
  $('undrain').addEventListener('click', () => act(actions.undrain(), nothing));
  $('forget').addEventListener('click', () => {
    token.forget();
    hide();
    recording.hide();
    for (const id of ['rooms-list', 'members', 'mesh-peers', 'mesh', 'bans']) $(id).replaceChildren();
    for (const id of ['rooms-table', 'rooms-pages', 'no-rooms']) $(id).hidden = true;
    say('The token is forgotten.');
  });
  $('forget').hidden = token.get() === null;
}
