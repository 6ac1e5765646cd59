// The rules by which files go from page to page, played over a connection that is cut at any moment, against a model that knows only what
// was decided on either side.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { beyondKept, FILE_BYTES, fileName, KEPT_BYTES, NAME_CHARS, OPEN_TRANSFERS, PIECE_BYTES, REMEMBERED, Transfers } from '../../clients/web/demo/transfers.js';

/** Chance that can be repeated (mulberry32). */
const chance = (seed) => {
  let state = seed;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
};
const settled = () => new Promise((resolve) => { setImmediate(resolve); });
const join = (parts) => Uint8Array.from(Buffer.concat(parts));

/** Two pages, and what is on its way between them. */
function pair() {
  const ways = { ada: [], grace: [] }; // to which page
  let isUp = true;
  const page = (own, other) => {
    const shown = new Map();
    const transfers = new Transfers({
      send: (to, data) => new Promise((resolve, reject) => {
        assert.equal(to, other);
        ways[other].push({ data, resolve, reject, isFlying: isUp });
      }),
      read: async (source, from, to) => source.slice(from, to),
      pack: join,
      changed: (transfer) => {
        assert.ok(transfer.bytes <= transfer.size, `${transfer.bytes} of ${transfer.size} bytes`);
        shown.set(`${transfer.isOurs} ${transfer.number}`, transfer);
      },
      first: own === 'ada' ? 7 : 2 ** 32 - 2,
    });
    return { transfers, shown };
  };
  const pages = { ada: page('ada', 'grace'), grace: page('grace', 'ada') };
  const other = { ada: 'grace', grace: 'ada' };
  return {
    pages,
    deliver(to) {
      const next = isUp && ways[to].shift();
      if (!next) return false;
      next.resolve();
      pages[to].transfers.heard(other[to], next.data);
      return true;
    },
    /** What is on its way is lost: some of it was called sent already. */
    cut(random) {
      isUp = false;
      for (const way of Object.values(ways)) {
        for (const { resolve, reject } of way.splice(0)) if (random() < 0.5) resolve(); else reject(new Error('closed'));
      }
    },
    connect() {
      isUp = true;
      for (const own of ['ada', 'grace']) pages[own].transfers.reconnected(other[own]);
    },
    get isUp() { return isUp; },
  };
}

const contents = (size, random) => Uint8Array.from({ length: size }, () => Math.floor(random() * 256));

test('whatever is cut, declined and cancelled, both sides agree in the end, and what has arrived is what was sent', async () => {
  const seen = new Set();
  for (let seed = 1; seed <= 150; seed += 1) {
    const random = chance(seed);
    const pick = (list) => list[Math.floor(random() * list.length)];
    const it = pair();
    const sent = new Map();
    const offer = (from) => {
      const source = contents(pick([0, 1, PIECE_BYTES - 1, PIECE_BYTES, PIECE_BYTES + 1, 3 * PIECE_BYTES + 17]), random);
      const { transfers: [made] } = it.pages[from].transfers.offer({ name: 'a', size: source.length, source }, [from === 'ada' ? 'grace' : 'ada']);
      sent.set(`${from} ${made.number}`, source);
    };
    offer('ada');
    for (let step = 0; step < 60; step += 1) {
      const turn = random();
      const side = pick(['ada', 'grace']);
      const one = pick([...it.pages[side].shown.values()]);
      if (turn < 0.6) it.deliver(side);
      else if (turn < 0.7 && it.isUp) it.cut(random);
      else if (turn < 0.8 && !it.isUp) it.connect();
      else if (turn < 0.92 && one) it.pages[side].transfers.accept(one);
      else if (turn < 0.94 && one) it.pages[side].transfers.decline(one);
      else if (turn < 0.95 && one) it.pages[side].transfers.cancel(one);
      else if (turn > 0.97 && sent.size < 4) offer(side);
      await settled();
    }
    // From here on nothing is lost, and everybody decides.
    for (let round = 0; round < 3; round += 1) {
      if (it.isUp) it.cut(random);
      it.connect();
      for (let quiet = 0; quiet < 3;) {
        const moved = it.deliver('ada') | it.deliver('grace');
        for (const { transfers, shown } of Object.values(it.pages)) for (const one of shown.values()) transfers.accept(one);
        await settled();
        quiet = moved ? 0 : quiet + 1;
      }
    }
    for (const [from, to] of [['ada', 'grace'], ['grace', 'ada']]) {
      for (const ours of [...it.pages[from].shown.values()].filter(({ isOurs }) => isOurs)) {
        const theirs = it.pages[to].shown.get(`false ${ours.number}`);
        const what = `seed ${seed}: ${ours.state} by ${ours.cancelledBy} of ${ours.size} bytes, ${theirs?.state} by ${theirs?.cancelledBy}`;
        assert.ok(ours.isOver && (theirs?.isOver ?? ours.state === 'cancelled'), what);
        if (ours.state === 'done') assert.equal(theirs.state, 'done', what);
        if (ours.state === 'declined') assert.equal(theirs.state, 'declined', what);
        if (theirs?.state === 'declined') assert.ok(ours.state === 'declined' || ours.cancelledBy === 'us', what);
        if (theirs?.state === 'done') assert.deepEqual(theirs.source, sent.get(`${from} ${ours.number}`), what);
        else assert.ok(!theirs || theirs.source === null, `${what}: nothing is kept of a file that did not arrive`);
        seen.add(`${ours.state} ${theirs?.state}`);
      }
    }
  }
  for (const end of ['done done', 'declined declined', 'cancelled cancelled']) assert.ok(seen.has(end), `no round ended so: ${end}`);
});

/** A page alone: what it says is collected, what it hears is written by the test. */
function alone() {
  const [said, shown] = [[], []];
  const transfers = new Transfers({
    send: async (peer, data) => { said.push({ peer, data }); },
    read: async (source, from, to) => source.slice(from, to),
    pack: join,
    changed: (transfer) => { if (!shown.includes(transfer)) shown.push(transfer); },
    first: 1,
  });
  return { transfers, said, shown };
}

test('not a byte moves before it is accepted, nor is one taken', async () => {
  const { transfers, said } = alone();
  const { transfers: [ours] } = transfers.offer({ name: 'a', size: 3, source: Uint8Array.of(1, 2, 3) }, ['grace']);
  await settled();
  assert.deepEqual(said.map(({ data }) => data), [{ file: 1, act: 'offer', name: 'a', size: 3 }]);
  const theirs = alone();
  theirs.transfers.heard('ada', { file: 5, act: 'offer', name: 'b', size: 2 });
  theirs.transfers.heard('ada', Uint8Array.of(0, 0, 0, 5, 0, 0, 0, 0, 9, 9));
  assert.deepEqual([theirs.shown[0].bytes, theirs.shown[0].state], [0, 'offered']);
  transfers.heard('hedy', { file: 1, act: 'accept', from: 0 });
  await settled();
  assert.equal(ours.state, 'offered', 'somebody else accepts nothing');
  assert.deepEqual(said.at(-1), { peer: 'hedy', data: { file: 1, act: 'cancel' } });
});

test('a page that says nonsense, or more than it has offered, changes nothing and costs nothing', () => {
  const { transfers, said, shown } = alone();
  for (const data of [null, 1, 'x', [], {}, { file: -1, act: 'offer' }, { file: 1.5, act: 'offer' }, { file: 1, act: 'offer', name: 7, size: 1 },
    { file: 1, act: 'offer', name: 'a', size: -1 }, { file: 1, act: 'offer', name: 'a', size: 1e300 }, { file: 1, act: 'explode' },
    { file: 1, act: 'done' }, { file: 1, act: 'decline' }, new Uint8Array(3), new Uint8Array(100)]) {
    transfers.heard('ada', data);
  }
  assert.deepEqual([shown, said], [[], []]);
  transfers.heard('ada', { file: 9, act: 'offer', name: 'a', size: 2 });
  transfers.accept(shown[0]);
  transfers.heard('ada', Uint8Array.of(0, 0, 0, 9, 0, 0, 0, 0, 1, 2, 3));
  assert.deepEqual([shown[0].state, shown[0].source, said.at(-1).data.act], ['broken', null, 'cancel']);
});

test('a peer has so many transfers open and no more, and no file is too large', () => {
  const { transfers, said, shown } = alone();
  for (let file = 0; file < OPEN_TRANSFERS + 3; file += 1) transfers.heard('ada', { file, act: 'offer', name: 'a', size: 1 });
  transfers.heard('hedy', { file: 0, act: 'offer', name: 'a', size: FILE_BYTES + 1 });
  transfers.heard('hedy', { file: 1, act: 'offer', name: 'a', size: FILE_BYTES });
  assert.equal(shown.length, OPEN_TRANSFERS + 1);
  assert.deepEqual(said.map(({ peer, data }) => [peer, data.reason]), [...Array(3).fill(['ada', 'too_many']), ['hedy', 'too_large']]);
  const refused = Array.from({ length: OPEN_TRANSFERS + 1 }, () => transfers.offer({ name: 'a', size: 1, source: null }, ['ada', 'joan'])).at(-1);
  assert.deepEqual(refused.refused, ['ada', 'joan']);
});

test('what is over is forgotten at last, and what is not is kept', () => {
  const { transfers, shown, said } = alone();
  transfers.heard('ada', { file: 1, act: 'offer', name: 'kept', size: 1 });
  for (let file = 2; file < 3 * REMEMBERED; file += 1) {
    transfers.heard('ada', { file, act: 'offer', name: 'a', size: 1 });
    transfers.decline(shown.at(-1));
  }
  said.length = 0;
  transfers.heard('ada', { file: 2, act: 'accept', from: 0 });
  transfers.heard('ada', { file: 1, act: 'offer', name: 'kept', size: 1 });
  assert.equal(shown.filter(({ name }) => name === 'kept').length, 1, 'the same offer again is the same');
});

test('what has arrived may be saved again up to a bound, and the oldest is forgotten first', () => {
  const arrived = (name, size) => ({ name, size, source: {}, isOurs: false });
  const half = KEPT_BYTES / 2;
  const all = [arrived('old', 1), arrived('b', half), { ...arrived('ours', half), isOurs: true }, { ...arrived('gone', half), source: null }, arrived('c', half)];
  assert.deepEqual(beyondKept(all).map(({ name }) => name), ['old']);
  assert.deepEqual(beyondKept(all.slice(1)), []);
});

test('names are what one sees, and lead nowhere', () => {
  for (const [raw, shown] of [
    ['photo.jpg', 'photo.jpg'],
    ['invoice\u202egpj.exe', 'invoicegpj.exe'],
    ['../../etc/passwd', '_.._etc_passwd'],
    ['C:\\boot.ini', 'C__boot.ini'],
    ['.bashrc', 'bashrc'],
    ['a\u0000b\r\nc.txt', 'abc.txt'],
    ['cafe\u0301.txt', 'caf\u00e9.txt'],
    ['', 'file'], ['\u200b\u202e', 'file'], ['...', 'file'],
    ['<img src=x onerror=alert(1)>.png', '_img src=x onerror=alert(1)_.png'],
  ]) assert.equal(fileName(raw), shown);
  const long = fileName(`${'🎸'.repeat(500)}.tar.gz`);
  assert.ok([...long].length === NAME_CHARS && long.endsWith('.tar.gz') && !long.includes('\ufffd'), long);
});
