// The invitation: the link to the room, and the same as a QR code for a phone's camera. Whatever lets somebody in is in the link's fragment, which
// browsers send to no server.

import { linkToRoom } from './client.js';
import { localLink } from './texts.js';

const SVG = 'http://www.w3.org/2000/svg';
/** White around the code, in modules: without it cameras do not find the corners (ISO/IEC 18004 section 9.1). */
const QUIET = 4;

const $ = (id) => document.getElementById(id);

/** A name or address that leads everybody to their own machine. */
const LOOPBACK = /^(localhost|127(\.\d+){3}|\[::1\])$/;

/** Where invitations lead: to this page, by an address that others reach. */
let page = location.href;
let room = null;

/** The link to the room that is being joined, or that we are in. */
export const link = () => linkToRoom(room, page);

/** From now on invitations are to that room. */
export function inviteTo(name) {
  room = name;
  $('link').value = link();
}

/** The server tells a browser on its own machine by which address others reach it; everybody else it tells nothing. */
async function findAddress() {
  if (!LOOPBACK.test(location.hostname)) return;
  $('invite-help').textContent = localLink(false);
  $('invite-help').hidden = false;
  const answer = await fetch('address').then((response) => (response.ok ? response.json() : {})).catch(() => ({}));
  if (typeof answer.address !== 'string') return;
  const url = new URL(page);
  url.hostname = answer.address.includes(':') ? `[${answer.address}]` : answer.address;
  page = url.href;
  $('invite-help').textContent = localLink(true);
  if (room !== null) inviteTo(room);
}

/** Dark on light whatever the page's colours are: many cameras read nothing else. */
function draw(modules) {
  const path = document.createElementNS(SVG, 'path');
  const squares = modules.flatMap((row, y) => row.flatMap((isDark, x) => (isDark ? [`M${x} ${y}h1v1h-1z`] : [])));
  path.setAttribute('d', squares.join(''));
  $('qr').setAttribute('viewBox', `0 0 ${modules.length} ${modules.length}`);
  $('qr').replaceChildren(path);
}

async function open() {
  $('invite-link').textContent = link();
  $('invite').showModal();
  // Asked for when it is needed: most people who invite others copy the link.
  const { encodeQR } = await import('./qr.js').catch(() => ({}));
  $('qr').classList.toggle('missing', !encodeQR); // the server is gone: the link remains
  if (encodeQR) draw(encodeQR(link(), 'raw', { ecc: 'medium', border: QUIET }));
}

/** `note(text)` says what has become of it. */
async function copy(note) {
  try {
    await navigator.clipboard.writeText(link());
    note('Link copied.');
  } catch {
    // No clipboard without https or permission.
    open();
    getSelection().selectAllChildren($('invite-link'));
    note('The link is selected: copy it from there.');
  }
}

/** Wires the controls. `note(text)` says what happened. Called once. */
export function listenForInvitations(note) {
  $('copy').addEventListener('click', () => copy(note));
  $('link').addEventListener('focus', () => $('link').select());
  $('show-invite').addEventListener('click', open);
  $('close-invite').addEventListener('click', () => $('invite').close());
  $('share').hidden = !navigator.share;
  $('share').addEventListener('click', () => {
    // Closing the share sheet rejects: nothing to tell.
    navigator.share({ title: document.title, url: link() }).catch(() => {});
  });
  findAddress();
}
