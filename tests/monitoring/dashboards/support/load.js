// A little of everything that a server meets: meshes that form, broadcasts, rooms that are full, clients that come back,
// mistakes, refused handshakes. Goes on until it is stopped.

import { WebSocket } from 'ws';
import { until } from '../../../e2e/support/until.js';

/** A client: frames go out as objects; `heard` is told of each that comes in. */
export class Client {
  #socket;

  constructor(url, heard, options = {}) {
    this.#socket = new WebSocket(url, 'switchboard.v1', options);
    this.#socket.on('message', (text) => heard(this, JSON.parse(text)));
    this.closed = new Promise((resolve) => {
      this.#socket.on('close', resolve);
      this.#socket.on('error', resolve);
    });
  }

  say(frame) {
    if (this.#socket.readyState === WebSocket.OPEN) this.#socket.send(typeof frame === 'string' ? frame : JSON.stringify(frame));
  }

  close() {
    this.#socket.close();
    return this.closed;
  }

  vanish() {
    this.#socket.terminate();
  }
}

const TEXT = { type: 'offer', sdp: 'x'.repeat(1500) };

/** What a member of a mesh does with what it hears. */
const negotiate = (client, frame) => {
  if (frame.type === 'joined') for (const { id } of frame.peers) client.say({ type: 'signal', to: id, kind: 'offer', data: TEXT });
  if (frame.type !== 'signal') return;
  if (frame.kind === 'offer') client.say({ type: 'signal', to: frame.from, kind: 'answer', data: TEXT });
  if (frame.kind === 'candidate' || frame.kind === 'app') return;
  for (let n = 0; n < 4; n += 1) client.say({ type: 'signal', to: frame.from, kind: 'candidate', data: { n } });
};

/** Joins as soon as it is welcome. */
const joining = (room, more = {}) => (client, frame) => {
  if (frame.type === 'welcome') client.say({ type: 'join', room, meta: { name: 'load' }, ...more });
  negotiate(client, frame);
};

/** A member that says how it is doing: connected to those that it hears of, but for the last. */
const reporting = (room) => (client, frame) => {
  joining(room)(client, frame);
  if (frame.type !== 'joined') return;
  const ids = frame.peers.map(({ id }) => id);
  client.say({
    type: 'report',
    events: [
      { kind: 'opened', ms: 40 }, { kind: 'round_trip', ms: 12 }, { kind: 'reconnect_attempt' }, { kind: 'reconnected', ms: 900 },
      { kind: 'error', code: 'peer_busy' },
      ...ids.slice(0, -1).flatMap((peer) => [
        { kind: 'pair_attempt', peer }, { kind: 'pair_connected', peer, ms: 300, candidate: 'host' }, { kind: 'pair_round_trip', peer, ms: 7 },
      ]),
      ...ids.slice(-1).map((peer) => ({ kind: 'pair_failed', peer, reason: 'ice_failed' })),
    ],
  });
};

/** Does these things in order when it is in the room, then goes. */
const doing = (room, frames, more) => (client, frame) => {
  joining(room, more)(client, frame);
  if (frame.type === 'joined') for (const one of frames) client.say(one);
};

const MISTAKES = ['not json', { type: 'dance' }, { type: 'signal', to: 'nobody', kind: 'app', data: 1 }, { type: 'update', meta: 1 }];
const MANNERS = [{ type: 'ping', t: 1 }, { type: 'update', meta: { name: 'new' } }, { type: 'signal', to: '*', kind: 'app', data: 1 }];

/** Starts the load on the server at `url`, ends it with the test `t` or the server. Stays: one mesh and a full room. */
export async function startLoad(t, url) {
  const socket = `${url.replace('http', 'ws')}ws`;
  const residents = [
    ...Array.from({ length: 3 }, () => new Client(socket, joining('mesh'))),
    ...Array.from({ length: 10 }, () => new Client(socket, joining('full'))),
  ];
  let stopped = false;
  async function round(n) {
    const visitors = [
      new Client(socket, doing('mesh', [...MANNERS, ...MISTAKES])),
      new Client(socket, doing(`room-${n % 5}`, [...MANNERS, { type: 'leave' }], { attempt: 1 })),
      new Client(socket, joining('full', { attempt: 2 })),
      new Client(socket, joining('full')),
      new Client(socket, reporting('mesh')),
    ];
    new Client(socket, () => {}, { origin: 'https://elsewhere.example' });
    await fetch(`${url}nowhere`);
    await fetch(`${url}readyz`);
    await new Promise((resolve) => { setTimeout(resolve, 300); }); // the pace of the load; nothing waits for it
    visitors[1].vanish();
    await Promise.all(visitors.map((visitor) => visitor.close()));
  }
  const running = (async () => {
    for (let n = 0; !stopped; n += 1) await round(n);
  })().catch(() => { stopped = true; }); // the server is gone: what that means is for the test to say
  t.after(async () => {
    stopped = true;
    await running;
    await Promise.all(residents.map((resident) => resident.close()));
  });
  await until('the server counts the residents', async () => (await (await fetch(`${url}health`)).json()).activePeers >= 13);
}
