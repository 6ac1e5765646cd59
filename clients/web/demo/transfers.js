// Files from page to page: what the two say to each other, and what becomes of it. The rules alone: no page, no channel, no clock.
//
// Whoever has a file offers it; no byte of it moves before the other side accepts. `accept` says from which piece on, so that a
// transfer survives a lost connection: the sender repeats its offer on the next one, the receiver says what it lacks.
// Pieces come in order; whatever else comes is not what was asked for, and is left out.

/** Longest file: what a phone's browser holds while it arrives, next to everything else. */
export const FILE_BYTES = 250_000_000;
/** Of a file in one message, with its head: a quarter of what the channel hands to the browser at once. */
export const PIECE_BYTES = 64 * 1024 - 8;
/** File number and piece number, 32 bits each. */
const HEAD_BYTES = 8;
/** Longest name that is shown and saved: file systems take 255 bytes, and a letter may have four. */
export const NAME_CHARS = 60;
/** Of that the end is kept, with what tells the kind of the file. */
const ENDING_CHARS = 12;
/** Unfinished transfers with one peer, each way: nobody decides on more at once, and each of them is a line on the page. */
export const OPEN_TRANSFERS = 8;
/** Transfers that are remembered: finished ones beyond that are forgotten, the oldest first. */
export const REMEMBERED = 200;
/** Bytes of files that have arrived and may be saved again, all together: two of the longest. */
export const KEPT_BYTES = 2 * FILE_BYTES;
/** So many pieces are packed into one part: the browser may put that on the disk. */
const PACKED_PIECES = 128;
const NUMBERS = 2 ** 32;

const UNFINISHED = ['offered', 'moving'];

/**
 * A name as it may be shown and saved: no path, nothing that cannot be seen or that turns the text around it, and not too long. The
 * kind stays readable: of "photo (U+202E) gpj.exe", which looks like a picture, "photogpj.exe" is left.
 */
export function fileName(raw) {
  const text = String(raw);
  const ends = text.length > 1_000 ? text.slice(0, 500) + text.slice(-500) : text;
  const visible = ends.normalize().replace(/[\p{C}\u2028\u2029]/gu, '').replace(/[/\\:*?"<>|]/g, '_');
  const trimmed = visible.replace(/\s+/g, ' ').replace(/^[.\s]+|[.\s]+$/g, '');
  const letters = [...trimmed];
  if (letters.length === 0) return 'file';
  if (letters.length <= NAME_CHARS) return trimmed;
  return [...letters.slice(0, NAME_CHARS - ENDING_CHARS - 1), '…', ...letters.slice(-ENDING_CHARS)].join('');
}

/** Of these transfers, in the order of their coming, those whose files are to be forgotten: what is beyond {@link KEPT_BYTES}. */
export function beyondKept(transfers) {
  let bytes = 0;
  return transfers.filter(({ isOurs, source }) => source && !isOurs).reverse().filter(({ size }) => {
    bytes += size;
    return bytes > KEPT_BYTES;
  });
}

const piece = (number, index, bytes) => {
  const message = new Uint8Array(HEAD_BYTES + bytes.length);
  const head = new DataView(message.buffer);
  head.setUint32(0, number);
  head.setUint32(4, index);
  message.set(bytes, HEAD_BYTES);
  return message;
};

const isNumber = (value) => Number.isInteger(value) && value >= 0 && value < NUMBERS;

/**
 * A file on its way to or from one peer.
 *
 * `state`: `offered` (nobody has decided), `moving`, `done`, and what else ends it: `declined`, `cancelled` (by `cancelledBy`: "us" or
 * "them"), `gone` (the peer), `unreadable` (our file), `broken` (what came was not what was offered). `reason` of a refusal that no
 * person made: `too_large`, `too_many`. `bytes` of `size` have moved.
 */
class Transfer {
  state = 'offered';
  bytes = 0;
  cancelledBy = null;
  reason = null;
  /** The file when it is ours to send; what has arrived of it when it is ours to receive. */
  source = null;
  parts = [];
  loose = [];
  /** Which run of the sending loop is the current one. */
  run = 0;

  constructor(facts) {
    Object.assign(this, facts);
  }

  get isOver() { return !UNFINISHED.includes(this.state); }

  get pieces() { return Math.ceil(this.size / PIECE_BYTES); }

  /** Pieces that have arrived, all before them included. */
  get arrived() { return this.bytes === this.size ? this.pieces : this.bytes / PIECE_BYTES; }
}

export class Transfers {
  #send; #read; #pack; #changed; #next;
  #all = [];

  /**
   * `send(peer, data)`: what JSON can say, or bytes, to that peer; a promise, kept when little waits to be sent.
   * `read(source, from, to)`: a promise of those bytes. `pack(parts)`: one part of several. `changed(transfer)`: is called at each news.
   * `first`: a number by chance, since a page that was reloaded must not be taken for the one before it.
   */
  constructor({ send, read, pack, changed, first }) {
    this.#send = send;
    this.#read = read;
    this.#pack = pack;
    this.#changed = changed;
    this.#next = first;
  }

  /** Offers a file to these peers. Returns the transfers, and those peers with too many open ones, who get no offer. */
  offer({ name, size, source }, peers) {
    const number = this.#next % NUMBERS;
    this.#next = number + 1;
    const open = peers.filter((peer) => this.#openWith(peer, true) < OPEN_TRANSFERS);
    const transfers = open.map((peer) =>
      this.#add(new Transfer({ peer, number, name: fileName(name), size, source, isOurs: true })));
    for (const transfer of transfers) {
      this.#changed(transfer);
      this.#tellOffer(transfer);
    }
    return { transfers, refused: peers.filter((peer) => !open.includes(peer)) };
  }

  /** The receiver's consent. */
  accept(transfer) {
    if (transfer.isOurs || transfer.state !== 'offered') return;
    transfer.state = 'moving';
    this.#changed(transfer);
    this.#tellArrived(transfer);
  }

  decline(transfer) {
    if (transfer.isOurs || transfer.state !== 'offered') return;
    this.#end(transfer, 'declined');
    this.#tell(transfer, 'decline');
  }

  /** Either side's. */
  cancel(transfer) {
    if (transfer.isOver) return;
    this.#end(transfer, 'cancelled', { cancelledBy: 'us' });
    this.#tell(transfer, 'cancel');
  }

  /** There is a connection to that peer again: what was on the former one may be lost. */
  reconnected(peer) {
    for (const transfer of this.#all.filter((one) => one.peer === peer && !one.isOver)) {
      if (transfer.isOurs) this.#tellOffer(transfer);
      else if (transfer.state === 'moving') this.#tellArrived(transfer);
    }
  }

  /** That peer is gone for good. */
  gone(peer) {
    for (const transfer of this.#all.filter((one) => one.peer === peer && !one.isOver)) this.#end(transfer, 'gone');
  }

  /** A message of that peer's, whatever it is. */
  heard(peer, data) {
    if (data instanceof Uint8Array) return this.#heardPiece(peer, data);
    if (typeof data !== 'object' || data === null || !isNumber(data.file)) return undefined;
    switch (data.act) {
      case 'offer': return this.#heardOffer(peer, data);
      case 'accept': return this.#heardAccept(peer, data);
      case 'done': return this.#with(peer, data.file, true, (transfer) => this.#end(transfer, 'done', { bytes: transfer.size }));
      case 'decline': return this.#with(peer, data.file, true, (transfer) => this.#end(transfer, 'declined', { reason: data.reason ?? null }));
      case 'cancel': return this.#heardCancel(peer, data);
      default: return undefined; // of a newer page
    }
  }

  #heardOffer(peer, { file: number, name, size }) {
    if (typeof name !== 'string' || !Number.isSafeInteger(size) || size < 0) return;
    const known = this.#find(peer, number, false);
    if (known) return this.#repeat(known);
    const refuse = (reason) => this.#tell({ peer, number }, 'decline', { reason });
    if (size > FILE_BYTES) return refuse('too_large');
    if (this.#openWith(peer, false) >= OPEN_TRANSFERS) return refuse('too_many');
    this.#changed(this.#add(new Transfer({ peer, number, name: fileName(name), size, isOurs: false })));
  }

  /** The sender does not know what we said last. */
  #repeat(transfer) {
    switch (transfer.state) {
      case 'moving': return this.#tellArrived(transfer);
      case 'done': return this.#tell(transfer, 'done');
      case 'declined': return this.#tell(transfer, 'decline');
      case 'offered': return undefined;
      default: return this.#tell(transfer, 'cancel');
    }
  }

  #heardAccept(peer, { file: number, from }) {
    const transfer = this.#find(peer, number, true);
    // Of a page that was reloaded, or of a transfer that is over here.
    if (!transfer || transfer.isOver) return this.#tell({ peer, number }, 'cancel');
    if (!isNumber(from) || from > transfer.pieces) return undefined;
    transfer.state = 'moving';
    return this.#feed(transfer, from);
  }

  #heardCancel(peer, { file: number }) {
    for (const isOurs of [true, false]) {
      this.#with(peer, number, isOurs, (transfer) => this.#end(transfer, 'cancelled', { cancelledBy: 'them' }));
    }
  }

  #heardPiece(peer, message) {
    if (message.length < HEAD_BYTES) return;
    const head = new DataView(message.buffer, message.byteOffset);
    const [number, index] = [head.getUint32(0), head.getUint32(4)];
    const transfer = this.#find(peer, number, false);
    if (transfer?.state !== 'moving' || index !== transfer.arrived) return;
    const bytes = message.subarray(HEAD_BYTES);
    if (bytes.length !== Math.min(PIECE_BYTES, transfer.size - transfer.bytes)) {
      this.#end(transfer, 'broken');
      this.#tell(transfer, 'cancel');
      return;
    }
    transfer.loose.push(bytes);
    transfer.bytes += bytes.length;
    if (transfer.loose.length >= PACKED_PIECES) transfer.parts.push(this.#pack(transfer.loose.splice(0)));
    if (transfer.bytes < transfer.size) this.#changed(transfer);
    else this.#arrive(transfer);
  }

  #arrive(transfer) {
    const whole = this.#pack([...transfer.parts.splice(0), ...transfer.loose.splice(0)]);
    this.#end(transfer, 'done', { source: whole });
    this.#tell(transfer, 'done');
  }

  /** Sends piece by piece, each when the path has taken the one before it, until something else is to be done. */
  async #feed(transfer, from) {
    transfer.run += 1;
    const { run } = transfer;
    const isCurrent = () => transfer.run === run && transfer.state === 'moving';
    transfer.bytes = Math.min(transfer.size, from * PIECE_BYTES);
    this.#changed(transfer);
    for (let index = from; index < transfer.pieces; index += 1) {
      const bytes = await this.#read(transfer.source, index * PIECE_BYTES, Math.min(transfer.size, (index + 1) * PIECE_BYTES)).catch(() => null);
      if (!isCurrent()) return;
      if (bytes?.length !== Math.min(PIECE_BYTES, transfer.size - index * PIECE_BYTES)) {
        this.#end(transfer, 'unreadable');
        this.#tell(transfer, 'cancel');
        return;
      }
      const isSent = await this.#send(transfer.peer, piece(transfer.number, index, bytes)).then(() => true, () => false);
      // What was lost with its connection the receiver asks for again.
      if (!isSent || !isCurrent()) return;
      transfer.bytes += bytes.length;
      this.#changed(transfer);
    }
  }

  #tellOffer(transfer) {
    this.#tell(transfer, 'offer', { name: transfer.name, size: transfer.size });
  }

  #tellArrived(transfer) {
    if (transfer.size === 0) this.#arrive(transfer);
    else this.#tell(transfer, 'accept', { from: transfer.arrived });
  }

  /** What does not get there is said again when there is a connection. */
  #tell({ peer, number }, act, more = {}) {
    this.#send(peer, { file: number, act, ...more }).catch(() => {});
  }

  #end(transfer, state, facts = {}) {
    const { source } = transfer;
    Object.assign(transfer, { state, source: transfer.isOurs ? null : source, ...facts });
    transfer.parts.length = transfer.loose.length = 0;
    this.#changed(transfer);
  }

  #add(transfer) {
    this.#all.push(transfer);
    const excess = this.#all.length - REMEMBERED;
    if (excess > 0) {
      const old = this.#all.filter(({ isOver }) => isOver).slice(0, excess);
      this.#all = this.#all.filter((one) => !old.includes(one));
    }
    return transfer;
  }

  #find(peer, number, isOurs) {
    return this.#all.find((one) => one.peer === peer && one.number === number && one.isOurs === isOurs);
  }

  #with(peer, number, isOurs, act) {
    const transfer = this.#find(peer, number, isOurs);
    if (transfer && !transfer.isOver) act(transfer);
  }

  #openWith(peer, isOurs) {
    return this.#all.filter((one) => one.peer === peer && one.isOurs === isOurs && !one.isOver).length;
  }
}
