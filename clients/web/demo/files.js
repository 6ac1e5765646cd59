// Files in the room: the lines that show them, and what is done with them. What the two sides say is in transfers.js.

import { beyondKept, FILE_BYTES, fileName, OPEN_TRANSFERS, Transfers } from './transfers.js';
import * as texts from './texts.js';
import * as view from './view.js';

/** A browser that is slow to begin a download still finds it. */
const SAVED_MS = 60_000;
/** Lines that are shown: those that are over go first. */
const LINES = 50;

/**
 * Into the folder for downloads, and nowhere else: nothing that somebody sends is opened in this page's name. A type that browsers show
 * would be opened by them.
 */
function save(name, blob) {
  const link = document.createElement('a');
  link.href = URL.createObjectURL(new Blob([blob], { type: 'application/octet-stream' }));
  link.download = name;
  link.click();
  setTimeout(() => URL.revokeObjectURL(link.href), SAVED_MS);
}

const button = (text, act) => {
  const made = view.element('button', 'quiet', text);
  made.type = 'button';
  made.addEventListener('click', act);
  return made;
};

/** One file on the page: with one peer if it comes, with all that it is offered to if it goes. */
class Line {
  #element = view.element('li', 'file', '');
  #facts = view.element('span', 'facts', '');
  #progress = document.createElement('progress');
  #actions = view.element('span', 'actions', '');
  #shown = '';
  transfers = [];

  constructor({ name, size }, from) {
    const title = view.element('span', 'title', '');
    title.append(...(from ? [view.named(from), ': '] : []), view.named(name), ` (${texts.bytes(size)})`);
    this.#progress.setAttribute('aria-label', `Progress of ${name}`);
    this.#progress.max = Math.max(size, 1);
    // Each news of it is on the screen; read out is only what the log says.
    this.#facts.setAttribute('aria-live', 'off');
    this.#element.append(title, this.#progress, this.#facts, this.#actions);
  }

  get element() { return this.#element; }

  get isOver() { return this.transfers.every(({ isOver }) => isOver); }

  show(facts, actions) {
    const moving = this.transfers.filter(({ state }) => state === 'moving');
    this.#progress.hidden = moving.length === 0;
    this.#progress.value = moving.reduce((sum, { bytes }) => sum + bytes, 0) / Math.max(moving.length, 1);
    this.#facts.replaceChildren(...facts);
    const labels = Object.keys(actions).join();
    if (labels === this.#shown) return; // whoever is about to press one finds it where it was
    this.#shown = labels;
    const hadFocus = this.#actions.contains(document.activeElement);
    this.#actions.replaceChildren(...Object.entries(actions).map(([label, act]) => button(label, act)));
    if (hadFocus) (this.#actions.querySelector('button') ?? document.getElementById('message')).focus();
  }
}

export class Files {
  #room; #nameOf; #transfers; #list;
  #lines = new Map(); // of a transfer: its line
  #told = new WeakMap(); // of a transfer: the state that the log has told of

  /** `nameOf(peer)`: by which name a peer is shown. */
  constructor(room, nameOf) {
    this.#room = room;
    this.#nameOf = nameOf;
    this.#list = document.getElementById('files');
    this.#list.replaceChildren();
    const channel = room.channel('files');
    this.#transfers = new Transfers({
      send: (to, data) => channel.send(data, { to }),
      read: async (file, from, to) => new Uint8Array(await file.slice(from, to).arrayBuffer()),
      pack: (parts) => new Blob(parts),
      changed: (transfer) => this.#changed(transfer),
      first: crypto.getRandomValues(new Uint32Array(1))[0],
    });
    channel.on('message', ({ peer, data }) => this.#transfers.heard(peer, data));
    room.on('peer', ({ peer, change }) => {
      if (change === 'state' && peer.state === 'connected') this.#transfers.reconnected(peer);
      if (change === 'left' || (change === 'unreachable' && peer.unreachable)) this.#transfers.gone(peer);
    });
  }

  /** Offers these to everybody who is connected. */
  offer(files) {
    const near = this.#room.peers.filter(({ state }) => state === 'connected');
    if (near.length === 0) return view.note('Nobody is connected who could get a file.');
    for (const file of [...files].slice(0, OPEN_TRANSFERS)) {
      if (file.size > FILE_BYTES) {
        view.note([view.named(fileName(file.name)), ` is too large: ${texts.bytes(FILE_BYTES)} are the most.`]);
        continue;
      }
      const { transfers, refused } = this.#transfers.offer({ name: file.name, size: file.size, source: file }, near);
      if (refused.length > 0) view.note(['Not offered yet: ', view.named(fileName(file.name)), '. Too many files wait for an answer.']);
      if (transfers.length > 0) view.note(['You offer ', view.named(transfers[0].name), ` to ${texts.people(transfers.length)}.`]);
    }
    if (files.length > OPEN_TRANSFERS) view.note(`At most ${OPEN_TRANSFERS} files at once: the others were left out.`);
    return undefined;
  }

  /** The stay is over. */
  close() {
    for (const peer of new Set([...this.#lines.keys()].map((transfer) => transfer.peer))) this.#transfers.gone(peer);
  }

  #changed(transfer) {
    const line = this.#lines.get(transfer) ?? this.#newLine(transfer);
    this.#show(line);
    if (this.#told.get(transfer) === transfer.state) return;
    this.#told.set(transfer, transfer.state);
    if (transfer.isOurs) this.#tellOurs(transfer);
    else this.#tellTheirs(transfer);
  }

  #tellOurs(transfer) {
    if (transfer.isOver) view.note([view.named(transfer.name), ' – ', view.named(this.#nameOf(transfer.peer)), `: ${texts.transfer(transfer)}`]);
    else if (transfer.state === 'moving') view.note(['accepts ', view.named(transfer.name)], this.#nameOf(transfer.peer));
  }

  #tellTheirs(transfer) {
    const name = view.named(transfer.name);
    if (transfer.state === 'offered') {
      view.note(['offers you ', name, ` (${texts.bytes(transfer.size)}). Accept or decline it below the messages.`], this.#nameOf(transfer.peer));
    } else if (transfer.state === 'done') {
      save(transfer.name, transfer.source);
      for (const old of beyondKept([...this.#lines.keys()])) {
        old.source = null;
        this.#show(this.#lines.get(old));
      }
      view.note([name, ' has arrived. It is among your downloads.']);
    } else if (transfer.isOver && transfer.state !== 'declined' && transfer.cancelledBy !== 'us') {
      view.note([name, `: ${texts.transfer(transfer)}`]);
    }
  }

  #newLine(transfer) {
    const known = [...this.#lines].find(([other]) => transfer.isOurs && other.isOurs && other.number === transfer.number);
    const line = known?.[1] ?? new Line(transfer, transfer.isOurs ? null : this.#nameOf(transfer.peer));
    this.#lines.set(transfer, line);
    line.transfers.push(transfer);
    if (!known) this.#list.append(line.element);
    this.#trim();
    return line;
  }

  #trim() {
    const lines = [...new Set(this.#lines.values())];
    for (const line of lines.filter(({ isOver }) => isOver).slice(0, Math.max(0, lines.length - LINES))) this.#remove(line);
    this.#list.hidden = this.#lines.size === 0;
  }

  #remove(line) {
    const hadFocus = line.element.contains(document.activeElement);
    line.element.remove();
    for (const transfer of line.transfers) {
      transfer.source = null; // the memory that it holds
      this.#lines.delete(transfer);
    }
    this.#list.hidden = this.#lines.size === 0;
    if (hadFocus) document.getElementById('message').focus();
  }

  #show(line) {
    const { transfers } = line;
    const [first] = transfers;
    const facts = first.isOurs
      ? transfers.flatMap((one, nth) => [nth ? ' · ' : '', view.named(this.#nameOf(one.peer)), `: ${texts.transfer(one)}`])
      : [texts.transfer(first)];
    line.show(facts, this.#actions(line, first));
  }

  #actions(line, first) {
    const remove = { Remove: () => this.#remove(line) };
    if (!first.isOurs && first.state === 'offered') {
      return { Accept: () => this.#transfers.accept(first), Decline: () => this.#transfers.decline(first) };
    }
    if (!line.isOver) return { Cancel: () => line.transfers.forEach((one) => this.#transfers.cancel(one)) };
    if (!first.isOurs && first.source) return { 'Save again': () => save(first.name, first.source), ...remove };
    return remove;
  }
}

/** The ways by which somebody chooses files; `offer(files)` is told. Called once. */
export function listenForFiles(offer) {
  const [input, talk] = [document.getElementById('file'), document.querySelector('.talk')];
  document.getElementById('attach').addEventListener('click', () => input.click());
  input.addEventListener('change', () => {
    offer([...input.files]);
    input.value = ''; // the same file may be chosen again
  });
  const holdsFiles = ({ dataTransfer }) => [...(dataTransfer?.types ?? [])].includes('Files');
  talk.addEventListener('dragover', (event) => {
    if (holdsFiles(event)) event.preventDefault();
  });
  talk.addEventListener('drop', (event) => {
    if (!holdsFiles(event)) return;
    event.preventDefault();
    offer([...event.dataTransfer.files]);
  });
  document.getElementById('message').addEventListener('paste', (event) => {
    const files = [...(event.clipboardData?.files ?? [])];
    if (files.length === 0) return;
    event.preventDefault();
    offer(files);
  });
}
