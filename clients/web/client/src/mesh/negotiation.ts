// The rules by which two peers agree on one connection: perfect negotiation (W3C webrtc, section 10.7), and which connection a
// description or a candidate belongs to. Without a browser, so that it can be tested by the million.
//
// Every RTCPeerConnection has a random id. Whatever is signalled carries its sender's, and the receiver's as soon as that is known.
// So nothing is ever applied to another connection than the one that it was made for, be it an older one, or that of a page that was
// reloaded. An answer names the offer that it answers: one whose offer was made anew meanwhile is of no use.

/** What goes with each description and candidate, as `connection` in `data`. */
export interface ConnectionLabel {
  /** The sender's RTCPeerConnection. */
  id: string;
  /** The receiver's, if the sender knows it. */
  peer?: string;
  /** Counts the sender's descriptions on this connection. */
  generation: number;
  /** In an answer: the generation of the offer. */
  answers?: number;
}

/** As much of a description as the rules need. */
export interface Described {
  type: string;
  connection: ConnectionLabel;
}

/**
 * What is to be done with a description.
 *
 * - `apply`: it is for this connection.
 * - `ignore`: two offers cross, and ours is the one that counts.
 * - `stale`: it is for a connection, or an offer, that is gone on our side.
 * - `replaced`: the peer has another connection than the one we know.
 */
export type Verdict = 'apply' | 'ignore' | 'stale' | 'replaced';

/** Ids are 128 random bits in hex. `getRandomValues` is there on insecure origins, too. */
export const randomId = (): string =>
  Array.from(crypto.getRandomValues(new Uint8Array(16)), (byte) => byte.toString(16).padStart(2, '0')).join('');

const LONGEST_ID = 64;
const isId = (id: unknown): id is string => typeof id === 'string' && id.length <= LONGEST_ID;
const isCount = (count: unknown): count is number => Number.isSafeInteger(count) && (count as number) >= 0;

/**
 * The label of what came; undefined where there is none that can be understood. A client of another make sends none: then it has
 * one connection, with the id `''`.
 */
export function labelOf(data: unknown): ConnectionLabel | undefined {
  if (typeof data !== 'object' || data === null) return undefined;
  const label = (data as { connection?: unknown }).connection as Partial<ConnectionLabel> | undefined | null;
  if (label === undefined) return { id: '', generation: 0 };
  const { id, peer, generation, answers } = label ?? {};
  if (!isId(id) || !isCount(generation)) return undefined;
  if ((peer !== undefined && !isId(peer)) || (answers !== undefined && !isCount(answers))) return undefined;
  return { id, generation, ...(peer !== undefined && { peer }), ...(answers !== undefined && { answers }) };
}

/** One connection's side of the agreement. */
export class Negotiation {
  /** Whether we give way when two offers cross. May change while nothing is pending. */
  polite: boolean;
  /** An offer of ours is being made. */
  makingOffer = false;
  readonly #id: string;
  #peer: string | undefined;
  #generation = 0;
  #offer = -1; // the generation of our offer that waits for its answer
  #answering = -1; // that of the peer's offer which we answer

  constructor(id: string, polite: boolean) {
    this.#id = id;
    this.polite = polite;
  }

  /** The id of our connection. */
  get id(): string {
    return this.#id;
  }

  /** The id of the peer's, once it is known. */
  get peer(): string | undefined {
    return this.#peer;
  }

  /** A description of ours is about to be made: those before it are of no use any more. */
  begin(): void {
    this.#generation += 1;
  }

  /** What goes with a description of ours, or with a candidate. */
  label(type?: string): ConnectionLabel {
    if (type === 'offer') this.#offer = this.#generation;
    const label: ConnectionLabel = { id: this.#id, generation: this.#generation };
    if (this.#peer) label.peer = this.#peer;
    if (type === 'answer' && this.#answering >= 0) label.answers = this.#answering;
    return label;
  }

  /** A description came, while the connection's `signalingState` is this. */
  judge({ type, connection }: Described, signalingState: string): Verdict {
    const offer = type === 'offer';
    if (connection.peer !== undefined && connection.peer !== this.#id) return 'stale';
    if (this.#peer !== undefined && connection.id !== this.#peer) return offer ? 'replaced' : 'stale';
    if (!offer) {
      const ours = signalingState === 'have-local-offer' && !this.makingOffer;
      return ours && (connection.answers ?? this.#offer) === this.#offer ? 'apply' : 'stale';
    }
    const collision = this.makingOffer || signalingState !== 'stable';
    return collision && !this.polite ? 'ignore' : 'apply';
  }

  /** It is applied: from now on the two connections know each other. */
  accept({ type, connection }: Described): void {
    this.#peer = connection.id;
    this.#offer = -1;
    this.#answering = type === 'offer' ? connection.generation : -1;
  }

  /** Whether a candidate may be one for this connection. */
  takes({ id, peer }: ConnectionLabel): boolean {
    return (peer === undefined || peer === this.#id) && (this.#peer === undefined || id === this.#peer);
  }

  /** Whether a description of ours is still the latest: if not, nobody waits for it. */
  isCurrent(generation: number): boolean {
    return generation === this.#generation;
  }
}

const SETUP = /^(a=setup:)(\w+)/gm;
const OPPOSITE: { [role: string]: string } = { active: 'passive', passive: 'active' };
type Agreed = { type: string; sdp: string } | null | undefined;

/**
 * A further offer, with the role in DTLS that was agreed on before (RFC 8842, section 5.5, allows that as well as `actpass`), out of
 * the connection's current descriptions. Left the choice, Firefox changes the role when ICE restarts, which Chromium refuses: then the
 * connection would have to be made anew.
 */
export function keepRole(sdp: string, local: Agreed, remote: Agreed): string {
  const answer = [local, remote].find((one) => one?.type === 'answer');
  const told = answer && SETUP[Symbol.matchAll](answer.sdp).next().value?.[2];
  const role = answer === local ? told : OPPOSITE[told ?? ''];
  return role && OPPOSITE[role] ? sdp.replace(SETUP, `$1${role}`) : sdp;
}

/** Most candidates that wait for the description that they belong to. Browsers find a dozen. */
const WAITING_CANDIDATES = 128;

/** Fields of `RTCIceCandidateInit` that tell where a candidate belongs. */
export interface Candidate {
  candidate?: string;
  usernameFragment?: string | null;
}

/**
 * Candidates wait until the description that they belong to is in force. Those of an offer that was ignored, or rolled back, never get
 * there.
 */
export class CandidateQueue<C extends Candidate> {
  #waiting: { label: ConnectionLabel; candidate: C }[] = [];

  /** One came. Beyond the bound the oldest is forgotten: it belongs to what never came. */
  add(label: ConnectionLabel, candidate: C): void {
    this.#waiting.push({ label, candidate });
    if (this.#waiting.length > WAITING_CANDIDATES) this.#waiting.shift();
  }

  get size(): number {
    return this.#waiting.length;
  }

  /** Those that belong to this remote description of the connection `peer`, in order. They wait no longer. */
  take(peer: string | undefined, sdp: string): C[] {
    const fragments = new Set(Array.from(sdp.matchAll(/^a=ice-ufrag:(\S+)/gm), ([, fragment]) => fragment));
    const ready: C[] = [];
    this.#waiting = this.#waiting.filter(({ label, candidate }) => {
      const { usernameFragment: fragment } = candidate;
      if (label.id !== peer || (fragment && !fragments.has(fragment))) return true;
      ready.push(candidate);
      return false;
    });
    return ready;
  }
}
