// A TURN client over UDP (RFC 8656), just as much of it as shows who is let in by a TURN server, and how far.

import { createHash, createHmac, randomBytes } from 'node:crypto';
import { createSocket } from 'node:dgram';
import { isIPv6 } from 'node:net';
import { until } from './until.js';

const MAGIC = 0x2112a442;
const ALLOCATE = 0x003;
const REFRESH = 0x004;
const CREATE_PERMISSION = 0x008;
const ATTRIBUTES = { USERNAME: 0x0006, INTEGRITY: 0x0008, ERROR: 0x0009, LIFETIME: 0x000d, PEER: 0x0012, REALM: 0x0014, NONCE: 0x0015,
  FAMILY: 0x0017, TRANSPORT: 0x0019 };
const IPV4 = 1;
const IPV6 = 2;
const UDP = 17;
/** A request is sent again so often while nothing answers. */
const AGAIN_MS = 250;

/** The parts of an IPv6 address, however it is shortened. */
function groups(address) {
  const dotted = /^(.*:)(\d+)\.(\d+)\.(\d+)\.(\d+)$/.exec(address);
  const hex = (high, low) => ((Number(high) << 8) | Number(low)).toString(16);
  const text = dotted ? `${dotted[1]}${hex(dotted[2], dotted[3])}:${hex(dotted[4], dotted[5])}` : address;
  const [head, tail] = text.split('::').map((part) => (part ? part.split(':') : []));
  const filled = tail === undefined ? head : [...head, ...Array(8 - head.length - tail.length).fill('0'), ...tail];
  return filled.map((group) => parseInt(group, 16));
}

function addressBytes(address) {
  if (!isIPv6(address)) return Buffer.from(address.split('.').map(Number));
  const bytes = Buffer.alloc(16);
  groups(address).forEach((group, at) => bytes.writeUInt16BE(group, 2 * at));
  return bytes;
}

function attribute(type, value) {
  const padded = Buffer.alloc(4 + Math.ceil(value.length / 4) * 4);
  padded.writeUInt16BE(type, 0);
  padded.writeUInt16BE(value.length, 2);
  value.copy(padded, 4);
  return padded;
}

/** XOR-PEER-ADDRESS, on some port: whether one may be reached does not depend on it. */
function peer(address, transaction) {
  const mask = Buffer.alloc(16);
  mask.writeUInt32BE(MAGIC, 0);
  transaction.copy(mask, 4);
  const xored = addressBytes(address).map((byte, at) => byte ^ mask[at]);
  const head = Buffer.from([0, isIPv6(address) ? IPV6 : IPV4, 0, 0]);
  head.writeUInt16BE(9 ^ (MAGIC >>> 16), 2);
  return attribute(ATTRIBUTES.PEER, Buffer.concat([head, xored]));
}

function message(method, transaction, attributes, key) {
  const write = (body, length) => {
    const head = Buffer.alloc(20);
    head.writeUInt16BE(method, 0);
    head.writeUInt16BE(length, 2);
    head.writeUInt32BE(MAGIC, 4);
    transaction.copy(head, 8);
    return Buffer.concat([head, body]);
  };
  const body = Buffer.concat(attributes);
  if (!key) return write(body, body.length);
  const signed = createHmac('sha1', key).update(write(body, body.length + 24)).digest();
  return write(Buffer.concat([body, attribute(ATTRIBUTES.INTEGRITY, signed)]), body.length + 24);
}

function read(answer) {
  const found = new Map();
  for (let at = 20; at + 4 <= answer.length;) {
    const length = answer.readUInt16BE(at + 2);
    found.set(answer.readUInt16BE(at), answer.subarray(at + 4, at + 4 + length));
    at += 4 + Math.ceil(length / 4) * 4;
  }
  const error = found.get(ATTRIBUTES.ERROR);
  return { found, code: error ? error[2] * 100 + error[3] : 200, ok: (answer.readUInt16BE(0) & 0x0110) === 0x0100 };
}

/** A client at one address of a server, with one set of credentials. */
export class TurnClient {
  #socket; #server; #answers = new Map(); #proof = null;

  /** `server`: { host, port }; it ends with the test `t`. */
  constructor(t, server, { username, credential }) {
    this.#server = server;
    this.username = username;
    this.credential = credential;
    this.#socket = createSocket(isIPv6(server.host) ? 'udp6' : 'udp4');
    this.#socket.on('message', (answer) => this.#answers.set(answer.subarray(8, 20).toString('hex'), answer));
    t.after(() => this.#socket.close());
  }

  /** Asks for a relay. The code of the answer: 200, or that of the error. `family`: 4 or 6. */
  async allocate({ family = 4 } = {}) {
    const wanted = [attribute(ATTRIBUTES.TRANSPORT, Buffer.from([UDP, 0, 0, 0]))];
    if (family === 6) wanted.push(attribute(ATTRIBUTES.FAMILY, Buffer.from([IPV6, 0, 0, 0])));
    return this.#proven(ALLOCATE, () => wanted);
  }

  /** Asks for leave to be relayed to and from that address. */
  async permit(address) {
    return this.#proven(CREATE_PERMISSION, (transaction) => [peer(address, transaction)]);
  }

  /** Keeps the relay for `seconds` more; 0 gives it back. */
  async refresh(seconds) {
    const lifetime = Buffer.alloc(4);
    lifetime.writeUInt32BE(seconds);
    return this.#proven(REFRESH, () => [attribute(ATTRIBUTES.LIFETIME, lifetime)]);
  }

  /** The first answer brings realm and nonce, and so may a later one (RFC 8489 section 9.2.4). */
  async #proven(method, attributes) {
    let answer = await this.#request(method, attributes);
    for (let tries = 0; tries < 2 && [401, 438].includes(answer.code); tries += 1) {
      const proven = this.#proof !== null && answer.code === 401;
      if (proven) break;
      const [realm, nonce] = [ATTRIBUTES.REALM, ATTRIBUTES.NONCE].map((type) => answer.found.get(type));
      const key = createHash('md5').update(`${this.username}:${realm}:${this.credential}`).digest();
      this.#proof = { realm, nonce, key };
      answer = await this.#request(method, attributes);
    }
    return answer.code;
  }

  async #request(method, attributes) {
    const transaction = randomBytes(12);
    const proof = this.#proof && [attribute(ATTRIBUTES.USERNAME, Buffer.from(this.username)),
      attribute(ATTRIBUTES.REALM, this.#proof.realm), attribute(ATTRIBUTES.NONCE, this.#proof.nonce)];
    const bytes = message(method, transaction, [...attributes(transaction), ...(proof ?? [])], this.#proof?.key);
    const id = transaction.toString('hex');
    let sentAt = -Infinity;
    const answer = await until(`an answer of the TURN server at ${this.#server.host}:${this.#server.port}`, () => {
      if (performance.now() - sentAt > AGAIN_MS) {
        this.#socket.send(bytes, this.#server.port, this.#server.host);
        sentAt = performance.now();
      }
      return this.#answers.get(id);
    });
    return read(answer);
  }
}
