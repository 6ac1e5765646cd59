// What an operator can do here: for each action what the dialog asks, the call that is made, and what is said afterwards.

import * as texts from './texts.js';

const { shown, count } = texts;
const BAN_TIMES = [['', 'no ban'], ['600000', '10 minutes'], ['3600000', '1 hour'], ['86400000', '1 day'], ['2592000000', '30 days']];
/** What the server takes, in bytes of UTF-8. */
const [REASON_BYTES, NOTICE_BYTES] = [256, 1024];

/** A body without what was left open. */
const given = (fields) => Object.fromEntries(Object.entries(fields).filter(([, value]) => value !== ''));

const KICK_FIELDS = [
  { name: 'banMs', label: 'Ban', kind: 'choice', options: BAN_TIMES },
  { name: 'reason', label: 'Reason, which they are shown (optional)', maxBytes: REASON_BYTES },
];

/** Exactly one of `peer`, `who` and `user` is in `target`. */
const kickCall = (room, target, { banMs, reason }) => ['POST', 'kick', {
  body: { room, ...target, ...given({ reason }), ...(banMs && { banMs: Number(banMs) }) },
}];

/** Sends out a peer that is listed, or all that are the same person or user as it is. */
export const kick = (room, { id, who, user }) => {
  const targets = {
    peer: [id, 'this peer alone'],
    ...(who !== null && { who: [who, `this person, on all connections (who ${who.slice(0, 8)}…)`] }),
    ...(user !== null && { user: [user, `everybody whose token names the user ${shown(user)}`] }),
  };
  const options = Object.entries(targets).map(([name, [, label]]) => [name, label]);
  return {
    title: 'Kick this peer?',
    text: `Peer ${id}${user === null ? '' : ` (user ${shown(user)})`} is sent out of ${shown(room)}, and its connection is closed. `
      + 'A ban keeps that person, user and address out for its time.',
    button: 'Kick',
    fields: [...(options.length > 1 ? [{ name: 'target', label: 'Who goes', kind: 'choice', options }] : []), ...KICK_FIELDS],
    call: ({ target = 'peer', ...rest }) => kickCall(room, { [target]: targets[target][0] }, rest),
    done: ({ peers }, { target = 'peer' }) => (target === 'peer'
      ? `Peer ${id} was kicked from ${shown(room)}.`
      : `${count(peers.length, 'peer')} kicked from ${shown(room)}.`),
  };
};

/** Sends out, or keeps out, somebody who is not listed: a person or a user that was here, or that must not come. */
export const kickNamed = (room) => ({
  title: 'Kick a person or a user?',
  text: `All peers of ${shown(room)} that are that person or user are sent out, and their connections are closed. `
    + 'A ban holds for its time, also where nobody of that name is in the room.',
  button: 'Kick',
  fields: [
    { name: 'by', label: 'Known by', kind: 'choice', options: [['user', 'user: the name in their token'], ['who', 'who: 32 hex digits, as members and bans have it']] },
    { name: 'name', label: 'Which', required: true },
    ...KICK_FIELDS,
  ],
  call: ({ by, name, ...rest }) => kickCall(room, { [by]: name.trim() }, rest),
  done: ({ peers }, { banMs }) => `${count(peers.length, 'peer')} kicked from ${shown(room)}${banMs ? ', and the ban is made' : ''}.`,
});

export const lock = (room, locked) => ({
  title: locked ? 'Lock this room?' : 'Unlock this room?',
  text: locked
    ? `Nobody is let into ${shown(room)} any more, but those that come back to their own seats. Who is in it stays.`
    : `Everybody who may is let into ${shown(room)} again.`,
  button: locked ? 'Lock' : 'Unlock',
  call: () => ['POST', 'lock', { body: { room, locked } }],
  done: (answer) => `${shown(room)} is ${answer.locked ? 'locked' : 'unlocked'}.`,
});

export const lift = (room, { id }) => ({
  title: 'Lift this ban?',
  text: `Ban ${id} of ${shown(room)} ends: that person is let in again.`,
  button: 'Lift',
  call: () => ['DELETE', 'bans', { query: { room, id } }],
  done: () => `Ban ${id} of ${shown(room)} was lifted.`,
});

export const close = (room, peers) => ({
  title: 'Close this room?',
  text: `${count(peers, 'peer')} in ${shown(room)}: all are sent out, and their connections are closed. Who comes all the same opens a `
    + 'new room; lock it first to keep them out.',
  button: 'Close the room',
  fields: [{ name: 'text', label: 'Text, which they are shown (optional)', kind: 'long', maxBytes: NOTICE_BYTES }],
  call: ({ text }) => ['POST', 'close', { body: { room, ...given({ text }) } }],
  done: (answer) => `${shown(room)} was closed: ${count(answer.peers, 'peer')} sent out.`,
});

/** To a room, or with null to all in any. */
export const notice = (room) => ({
  title: room === null ? 'Send a notice to everybody?' : 'Send a notice to this room?',
  text: room === null ? 'All peers in all rooms are shown it.' : `All peers in ${shown(room)} are shown it.`,
  button: 'Send',
  fields: [{ name: 'text', label: 'Text', kind: 'long', maxBytes: NOTICE_BYTES, required: true }],
  call: ({ text }) => ['POST', 'notice', { body: { ...(room !== null && { room }), text } }],
  done: (answer) => `The notice went to ${count(answer.peers, 'peer')}.`,
});

export const drain = () => ({
  title: 'Drain this server?',
  text: 'It lets nobody in any more, tells every client when to come back, and ends when all are gone or its time is up. '
    + 'The drain can be taken back until it closes the first connection.',
  button: 'Drain',
  call: () => ['POST', 'drain', { body: {} }],
  done: ({ status, connections, deadlineMs }) => `${status === 'draining' ? 'The server drains' : 'The server was draining already'}: `
    + `${count(connections, 'connection')} left, and it ends within ${texts.span(deadlineMs / 1000)}.`,
});

export const undrain = () => ({
  title: 'Take the drain back?',
  text: 'Nobody is disconnected, and everybody is let in again.',
  button: 'Take it back',
  call: () => ['POST', 'undrain', { body: {} }],
  done: ({ connections }) => `The drain is taken back: ${count(connections, 'connection')} stay.`,
});
