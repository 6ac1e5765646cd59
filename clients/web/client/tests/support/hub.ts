// A server's part as the mesh sees it, for many clients in a time of their own: who is in the room, and signals from one to another, in order.
// Of sessions it knows only what becomes of them; how they are resumed is the signaling client's affair, and tested there.

import { Emitter } from '../../src/emitter.ts';
import { MeshCoordinator, type MeshOptions } from '../../src/mesh/coordinator.ts';
import type { Peer } from '../../src/mesh/peer.ts';
import type { SignalingClient } from '../../src/signaling/client.ts';
import { SignalingError } from '../../src/signaling/error.ts';
import type { FakeClock } from './clock.ts';
import type { FakeNetwork } from './rtc.ts';

type Json = Record<string, any>;
interface Outgoing {
  to: string;
  kind: string;
  data: unknown;
  resolve(): void;
  reject(error: Error): void;
}

const failure = (code: string, facts: object = {}) =>
  new SignalingError(code, { category: 'PEER', retryable: false, ...facts });

/** Somebody with a mesh. */
export class Member {
  readonly name: string;
  readonly events = new Emitter<Record<string, any>>();
  readonly mesh: MeshCoordinator;
  readonly hub: Hub;
  /** Empty: not in the room. */
  id = '';
  connected = false;
  /** Frames that wait while it is not connected. */
  inbox: Json[] = [];
  outbox: Outgoing[] = [];
  heard: { from: Peer; data: unknown }[] = [];
  troubles: Error[] = [];
  changes: string[] = [];
  lastAt = 0;
  /** Frames that are on their way, and which of its connections they take. */
  flying: Json[] = [];
  connection = 0;
  /** How often the server was asked for ICE servers. */
  iceRequests = 0;

  constructor(hub: Hub, name: string, options: MeshOptions) {
    this.hub = hub;
    this.name = name;
    const client = {
      on: (type: string, listener: (detail: unknown) => void) => this.events.on(type, listener),
      signal: (to: string, kind: string, data: unknown) => this.signal(to, kind, data),
      request: async () => {
        this.iceRequests += 1;
      },
    };
    this.mesh = new MeshCoordinator(client as unknown as SignalingClient, options);
    this.mesh.messages.on('message', ({ peer, data }) => this.heard.push({ from: peer, data }));
    this.mesh.on('error', (error) => this.troubles.push(error));
    this.mesh.on('peer', ({ peer, change }) => this.changes.push(`${peer.meta['name']} ${change}`));
  }

  signal(to: string, kind: string, data: unknown): Promise<void> {
    const copy = JSON.parse(JSON.stringify(data));
    const sent = new Promise<void>((resolve, reject) => {
      const outgoing = { to, kind, data: copy, resolve, reject };
      if (this.connected) this.hub.relay(this, outgoing);
      else this.outbox.push(outgoing);
    });
    sent.catch(() => {});
    return sent;
  }

  peer(other: Member): Peer | undefined {
    return this.mesh.peers.find(({ meta }) => meta['name'] === other.name);
  }
}

export class Hub {
  readonly clock: FakeClock;
  readonly network: FakeNetwork;
  readonly members: Member[] = [];
  readonly random: () => number;
  /** Of a signal, at most. */
  latencyMs = 40;
  capacity = 10;
  iceTtlMs: number | undefined;
  /** Refuses a signal with this. */
  refuses: (from: Member, kind: string) => SignalingError | undefined = () => undefined;
  #ids = 0;
  #room: Member[] = []; // in the order of their joins

  constructor(clock: FakeClock, network: FakeNetwork, random: () => number) {
    this.clock = clock;
    this.network = network;
    this.random = random;
  }

  member(name: string, options: MeshOptions = {}): Member {
    const { RTCPeerConnection } = this.network;
    const member = new Member(this, name, { clock: this.clock, RTCPeerConnection, ...options });
    this.members.push(member);
    return member;
  }

  join(member: Member): void {
    member.id = `${member.name}-${++this.#ids}`;
    member.connected = true;
    const facts = (one: Member) => ({ id: one.id, who: one.name, meta: { name: one.name } });
    // Members are told first, and the newcomer last.
    for (const other of this.#room) this.tell(other, { type: 'peer_joined', ...facts(member), polite: false });
    const peers = this.#room.map((one) => ({ ...facts(one), polite: true, ...(!one.connected && { away: {} }) }));
    this.#room.push(member);
    this.tell(member, { ...this.#joined(member), peers });
    this.#sends(member);
  }

  #joined(member: Member): Json {
    const { capacity, iceTtlMs } = this;
    return { type: 'joined', self: { id: member.id }, capacity, iceServers: [{ urls: `stun:${member.id}` }], iceTtlMs };
  }

  #sends(member: Member): void {
    for (const outgoing of member.outbox.splice(0)) this.relay(member, outgoing);
  }

  isIn(member: Member): boolean {
    return this.#room.includes(member);
  }

  leave(member: Member, reason = 'left'): void {
    const { id } = member;
    this.#out(member);
    for (const other of this.#room) this.tell(other, { type: 'peer_left', id, reason });
  }

  #out(member: Member): void {
    member.connection += 1;
    member.flying = [];
    this.#room = this.#room.filter((one) => one !== member);
    member.id = '';
    member.connected = false;
    member.inbox = [];
    for (const { reject } of member.outbox.splice(0)) reject(failure('session_lost'));
  }

  /** Its connection to the server is lost, and its session kept. */
  cut(member: Member): void {
    member.connected = false;
    member.connection += 1;
    // What was on its way is sent again with the rest.
    member.inbox = member.flying.splice(0);
    member.events.emit('state', { name: 'waiting', reason: 'disconnected', delayMs: 0, attempt: 1 });
    for (const other of this.#room) if (other !== member) this.tell(other, { type: 'peer_away', id: member.id, until: 0 });
  }

  /** It has resumed its session; or, if not complete, what was sent to it meanwhile is lost. */
  back(member: Member, complete = true): void {
    member.connected = true;
    const inbox = member.inbox.splice(0);
    const others = this.#room.filter((one) => one !== member);
    const order = (one: Member) => this.#room.indexOf(one);
    const peers = others.map((one) => ({
      id: one.id,
      who: one.name,
      meta: { name: one.name },
      polite: order(one) < order(member),
      ...(!one.connected && { away: {} }),
    }));
    this.tell(member, { ...this.#joined(member), complete, ...(!complete && { peers }) });
    if (complete) for (const frame of inbox) this.tell(member, frame);
    for (const other of others) this.tell(other, { type: 'peer_back', id: member.id });
    this.#sends(member);
  }

  /** All sessions are gone, and with them what was on its way. They join again in any order, each in its time. */
  restart(): void {
    const had = this.#room;
    for (const member of had) this.#out(member);
    for (const member of had) {
      member.events.emit('state', { name: 'waiting', reason: 'disconnected', delayMs: 0, attempt: 1 });
      this.clock.setTimeout(() => {
        if (!this.isIn(member)) this.join(member);
      }, this.random() * 3_000);
    }
  }

  relay(from: Member, { to, kind, data, resolve, reject }: Outgoing): void {
    const receiver = this.#room.find(({ id }) => id === to);
    const refusal = receiver ? this.refuses(from, kind) : failure('peer_not_found');
    if (refusal || !receiver) return reject(refusal as Error);
    this.tell(receiver, { type: 'signal', from: from.id, kind, data });
    resolve();
  }

  /** In order, each with a delay by chance. */
  tell(to: Member, frame: Json): void {
    if (!to.connected) {
      to.inbox.push(frame);
      return;
    }
    const { connection } = to;
    to.lastAt = Math.max(to.lastAt, this.clock.steady() + this.random() * this.latencyMs);
    to.flying.push(frame);
    this.clock.setTimeout(() => {
      if (to.connection !== connection) return;
      to.flying.shift();
      to.events.emit(frame['type'], frame);
    }, to.lastAt - this.clock.steady());
  }
}
