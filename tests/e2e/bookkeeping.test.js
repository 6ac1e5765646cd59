// The bookkeeping that docs/protocol.md shows to authors of clients, run as it stands there.

import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { scenario } from './support/scenario.js';
import { REPOSITORY } from './support/server.js';

const page = readFileSync(join(REPOSITORY, 'docs/protocol.md'), 'utf8');
const [, code] = /### A client's bookkeeping\n[\s\S]*?```js\n([\s\S]*?)```/.exec(page);

/** The client of the document, with a socket that keeps what it was given. */
function client() {
  const sent = [];
  const socket = { send: (text) => sent.push(JSON.parse(text)) };
  const made = new Function('socket', 'room', 'attempt', 'meta', 'showRoom', 'handle', 'connectAgainWithBackOff',
    `${code}\nreturn { send, hear, lost };`)(socket, 'r', 0, { name: 'Ada' }, () => {}, () => {}, () => {});
  return { ...made, sent, take: () => sent.splice(0) };
}

const welcome = { type: 'welcome', features: ['resume'] };
const joined = (more) => ({ type: 'joined', self: { id: 'a' }, peers: [], resume: { token: 't1', windowMs: 1 }, ...more });
const gone = { type: 'error', re: 'join', code: 'session_not_found' };
const chat = (data) => ({ type: 'signal', to: '*', kind: 'app', data });
const signals = (frames) => frames.filter(({ type }) => type === 'signal').map(({ data }) => data);

scenario('a frame sent before the first joined is sent after it', () => {
  const { send, hear, take } = client();
  send(chat('before the connection'));
  hear(welcome);
  send(chat('before joined'));
  assert.deepEqual(signals(take()), []);
  hear(joined());
  assert.deepEqual(signals(take()), ['before the connection', 'before joined']);
});

scenario('what is not acknowledged is sent again, and nothing twice', () => {
  const { send, hear, lost, take } = client();
  hear(welcome);
  send(chat(1));
  hear(joined());
  send(chat(2));
  hear({ type: 'signal', from: 'b', kind: 'app', data: 0 });
  take();
  lost();
  send(chat(3));
  hear(welcome);
  assert.deepEqual(take().at(-1).resume, { token: 't1', ack: 1 });
  hear(joined({ complete: true, ack: 1, peers: undefined, resume: { token: 't2', windowMs: 1 } }));
  assert.deepEqual(signals(take()), [2, 3]);
  hear({ type: 'pong', ack: 3 });
  lost();
  hear(welcome);
  assert.deepEqual(take().at(-1).resume, { token: 't2', ack: 1 });
  hear(joined({ complete: false, ack: 3 }));
  assert.deepEqual(signals(take()), []);
});

scenario('metadata of an update is what the next join says, connected or not when it was made', () => {
  for (const away of [false, true]) {
    const { send, hear, lost, take } = client();
    hear(welcome);
    hear(joined());
    if (away) lost();
    send({ type: 'update', meta: { name: 'Countess' } });
    if (!away) lost();
    hear(welcome);
    hear(gone);
    const join = take().at(-1);
    assert.equal(join.resume, undefined);
    assert.deepEqual(join.meta, { name: 'Countess' });
  }
});

const invalid = (re) => ({ type: 'error', re, code: 'invalid_message', category: 'INVALID_MESSAGE', retryable: false });
const rejoined = ({ hear, lost, take }) => {
  lost();
  hear(welcome);
  hear(gone);
  return take().at(-1);
};

scenario('metadata of an update that was refused are in no later join, and those before it hold on', () => {
  const it = client();
  it.hear(welcome);
  it.hear(joined());
  const update = (name) => {
    it.send({ type: 'update', meta: { name } });
    return it.take().find(({ type }) => type === 'update').id;
  };
  const [first, second, third] = ['Countess', 'too long', 'banned word'].map(update);
  assert.equal(new Set([first, second, third]).size, 3, 'each is told apart');
  it.hear({ type: 'peer_updated', re: first, id: 'a', meta: { name: 'Countess' } });
  it.hear(invalid(third));
  it.hear(invalid(second));
  assert.deepEqual(rejoined(it).meta, { name: 'Countess' });
  it.hear(joined());
  const own = update('Ada again');
  it.hear(invalid('of something else'));
  it.hear({ type: 'peer_updated', re: own, id: 'a', meta: { name: 'Ada again' } });
  assert.deepEqual(rejoined(it).meta, { name: 'Ada again' });
});

scenario('a join that is refused for metadata that were not accepted yet is sent again without them', () => {
  const { send, hear, lost, take } = client();
  hear(welcome);
  hear(joined());
  lost();
  send({ type: 'update', meta: { name: 'too long' } });
  hear(welcome);
  hear(gone);
  assert.deepEqual(take().at(-1).meta, { name: 'too long' });
  hear(invalid('join'));
  const again = take().at(-1);
  assert.deepEqual([again.type, again.meta, again.resumable], ['join', { name: 'Ada' }, true]);
  hear(joined());
  assert.deepEqual(take().filter(({ type }) => type === 'update'), [], 'what was refused is not sent, either');
});

scenario('a server that cannot resume is not asked to, and gets nothing twice', () => {
  const { send, hear, lost, take } = client();
  const bare = { type: 'welcome', features: [] };
  send(chat('early'));
  hear(bare);
  assert.deepEqual(take(), [{ type: 'join', id: 'join', room: 'r', attempt: 0, meta: { name: 'Ada' } }]);
  hear({ type: 'joined', self: { id: 'a' }, peers: [] });
  send(chat('later'));
  hear({ type: 'peer_joined', id: 'b' });
  assert.deepEqual(take(), [chat('early'), chat('later')]);
  lost();
  send(chat('away'));
  hear(bare);
  take();
  hear({ type: 'joined', self: { id: 'c' }, peers: [] });
  assert.deepEqual(take(), [chat('away')]);
});

scenario('a token is worth nothing to a server that cannot resume', () => {
  const { hear, lost, take } = client();
  hear(welcome);
  hear(joined());
  lost();
  take();
  hear({ type: 'welcome', features: [] });
  assert.deepEqual(take(), [{ type: 'join', id: 'join', room: 'r', attempt: 0, meta: { name: 'Ada' } }]);
});
