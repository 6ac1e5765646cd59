// What goes wrong costs no more than itself: metadata that are refused, functions that fail or never answer, tokens that come too
// late, frames and sockets that break the rules.

import { expect, test } from 'vitest';
import { type Model, refusal } from './support/model.ts';
import { inRoom, outcome, prepared, until } from './support/started.ts';

/** Refuses metadata that say so, in `join` and in `update`. */
const pickyAboutMeta = (model: Model): void => {
  model.judge = ({ meta }) => (meta?.bad ? refusal('invalid_message', 'INVALID_MESSAGE', false) : undefined);
};
const joinedMetas = (model: Model) => model.joins.filter(({ resume }) => !resume).map(({ meta }) => meta);

test('metadata that the server refused never go into a join: those before them hold', async () => {
  const { clock, model, client } = await inRoom({ meta: { n: 1 } });
  pickyAboutMeta(model);
  const [good, bad] = [outcome(client.update({ n: 2 })), outcome(client.update({ bad: true }))];
  await clock.passing(6_000);
  expect(await Promise.all([good, bad])).toEqual(['done', 'invalid_message']);
  model.restart();
  await clock.passing(10_000);
  expect(client.state.name).toBe('joined');
  void client.close();
  await clock.passing(4_000);
  void client.start();
  await clock.passing(500);
  expect(joinedMetas(model), 'nor after close and start').toEqual([{ n: 1 }, { n: 2 }, { n: 2 }]);
});

test('metadata that are refused within a join are told to who asked, and the join goes on with those before them', async () => {
  const { clock, model, client, errors } = await inRoom({ meta: { n: 1 } });
  await clock.passing(6_000);
  pickyAboutMeta(model);
  model.refuses = true;
  model.restart();
  const asked = [{ n: 2 }, { bad: 1 }, { bad: 2 }].map((meta) => outcome(client.update(meta)));
  model.refuses = false;
  await clock.passing(20_000);
  expect(await Promise.all(asked)).toEqual(['done', 'invalid_message', 'invalid_message']);
  expect(errors).toEqual(['invalid_message', 'invalid_message']);
  expect(client.state.name).toBe('joined');
  expect(joinedMetas(model)).toEqual([{ n: 1 }, { bad: 2 }, { bad: 1 }, { n: 2 }]);
});

test('a refusal that was lost with its connection does not end the client at the next join', async () => {
  const { clock, model, client } = await inRoom({ meta: { n: 1 } });
  await clock.passing(6_000);
  pickyAboutMeta(model);
  const asked = outcome(client.update({ bad: true }));
  await until('the server has refused it', clock, () => (model.session?.buffer.length ?? 0) > 0);
  model.loseBuffers();
  model.cut();
  await clock.passing(20_000);
  expect(await asked).toBe('reply_lost');
  model.restart();
  await clock.passing(20_000);
  expect(client.state.name).toBe('joined');
  expect(joinedMetas(model)).toEqual([{ n: 1 }, { bad: true }, { n: 1 }]);
});

test('metadata that are longer than a frame may be go into no join', async () => {
  const long = { text: 'x'.repeat(70_000) };
  const { clock, model, client } = prepared({ meta: { n: 1 } });
  const started = outcome(client.start());
  const asked = outcome(client.update(long));
  await clock.passing(500);
  expect(await asked).toBe('message_too_large');
  expect(await started).toMatchObject({ room: 'blue' });
  expect(joinedMetas(model)).toEqual([{ n: 1 }]);
  const hopeless = prepared({ meta: long });
  const refused = outcome(hopeless.client.start());
  await hopeless.clock.passing(500);
  expect(await refused).toBe('message_too_large');
  expect(hopeless.model.joins).toEqual([]);
  expect(hopeless.client.state).toMatchObject({ name: 'closed', reason: 'refused' });
});

test('an update that found the queue full, or the client closed, does not come back with a join', async () => {
  const { clock, model, client } = prepared({ meta: { n: 1 } });
  expect(await outcome(client.update({ n: 2 }))).toBe('closed');
  model.refuses = true;
  void client.start();
  for (let sent = 0; sent < 512; sent += 1) void client.signal('*', 'app', sent);
  expect(await outcome(client.update({ n: 3 }))).toBe('queue_full');
  model.refuses = false;
  await clock.passing(20_000);
  expect(joinedMetas(model)).toEqual([{ n: 1 }]);
});

test('metadata and data are taken as they are when they are handed in', async () => {
  const meta: Record<string, unknown> = { n: 1 };
  const { clock, model, client } = await inRoom({ meta });
  meta['self'] = meta;
  const next: Record<string, unknown> = { n: 2 };
  void client.update(next);
  next['self'] = next;
  await clock.passing(1_000);
  model.restart();
  await clock.passing(10_000);
  expect(client.state.name).toBe('joined');
  expect(joinedMetas(model)).toEqual([{ n: 1 }, { n: 2 }]);
});

test('a frame that breaks the rules costs a connection, and close() closes', async () => {
  const { clock, model, client, errors } = prepared();
  const { hello } = model;
  model.hello = { heartbeat: null, features: 7 };
  const started = outcome(client.start());
  await clock.passing(200);
  expect(errors).toEqual(['client_failed']);
  expect(client.state.name).toBe('waiting');
  expect(model.openSockets).toEqual([]);
  model.hello = hello;
  await clock.passing(10_000);
  expect(await started).toMatchObject({ room: 'blue' });
  model.hello = { heartbeat: null };
  model.restart();
  await clock.passing(10_000);
  const closed = client.close();
  await clock.passing(4_000);
  await closed;
  expect(client.state).toMatchObject({ name: 'closed', reason: 'left' });
  expect(model.openSockets).toEqual([]);
  expect(clock.timers).toBe(0);
});

test('a socket that throws is given up, and what it did not take goes over the next one, once', async () => {
  const { clock, model, client, errors, states } = await inRoom();
  await clock.passing(6_000);
  model.openSockets[0]!.send = () => {
    throw new Error('the socket’s own mistake');
  };
  const said = outcome(client.signal('*', 'app', 1));
  await clock.passing(20_000);
  expect(errors).toEqual(['client_failed']);
  expect(await said).toBe('done');
  expect(model.signals).toEqual([1]);
  expect(states.at(-1)).toEqual({ name: 'joined', resumed: true });
});

test('when the rules themselves fail, the client ends with an error, leaves nothing open, and can be started anew', async () => {
  let fails = false;
  const random = () => {
    if (fails) throw new Error('no chance');
    return 0.5;
  };
  const { clock, model, client, states } = await inRoom({ random });
  const said = outcome(client.signal('*', 'app', 1));
  fails = true;
  model.swallow();
  await clock.passing(200_000);
  expect(states.at(-1)).toMatchObject({ name: 'closed', reason: 'failed', error: { code: 'client_failed', retryable: false } });
  expect(await said).toBe('client_failed');
  await client.close();
  expect(model.openSockets).toEqual([]);
  expect(clock.timers).toBe(0);
  fails = false;
  const again = outcome(client.start());
  await clock.passing(500);
  expect(await again).toMatchObject({ room: 'blue' });
});

const withTokens = (options: Parameters<typeof prepared>[0]) => {
  const started = prepared(options);
  started.model.features = [...started.model.features, 'tokens'];
  return started;
};
const never = () => new Promise<string>(() => {});
const after = (clock: { setTimeout(run: () => void, ms: number): unknown }, ms: number, token: string) =>
  new Promise<string>((resolve) => clock.setTimeout(() => resolve(token), ms));

test('a token function that never answers is given up and called again, at the join and for a renewal', async () => {
  let calls = 0;
  const { clock, model, client, errors } = withTokens({
    token: () => {
      calls += 1;
      return calls % 2 ? never() : Promise.resolve(`token-${calls}`);
    },
  });
  model.joinedFields = { permissions: ['join'], expiresInMs: 120_000 };
  const started = outcome(client.start());
  await clock.passing(15_000);
  expect(await started).toMatchObject({ room: 'blue' });
  expect(model.joins.map(({ token }) => token)).toEqual(['token-2']);
  expect(errors).toEqual(['token_failed']);
  const renewed: unknown[] = [];
  client.on('permissions', (frame) => renewed.push(frame));
  await clock.passing(90_000);
  expect([calls, renewed.length, errors.length]).toEqual([4, 1, 2]);
  expect(client.state.name).toBe('joined');
});

test('a token is not given up because the page was held up', async () => {
  const { clock, client, errors } = withTokens({ token: never });
  void client.start();
  await clock.passing(500);
  clock.holdUp(30_000);
  await clock.passing(9_000);
  expect(errors).toEqual([]);
  await clock.passing(1_500);
  expect(errors).toEqual(['token_failed']);
});

test('a token that takes longer than that still lets us in', async () => {
  const slow = withTokens({ token: () => after(slow.clock, 25_000, 'slow') });
  const started = outcome(slow.client.start());
  await slow.clock.passing(40_000);
  expect(await started).toMatchObject({ room: 'blue' });
  expect(slow.model.joins.map(({ token }) => token)).toEqual(['slow']);
});

test('a late answer of a source that was replaced is not used, be it the first or that of setToken', async () => {
  const old = withTokens({ token: () => after(old.clock, 3_000, 'old') });
  const { clock, model, client } = old;
  void client.start();
  await clock.passing(1_000);
  const slow = outcome(client.setToken(() => after(clock, 2_500, 'of a slow function')));
  await clock.passing(500);
  const set = outcome(client.setToken('new'));
  await clock.passing(10_000);
  expect(await slow).toBe('token_failed');
  expect(await set).toMatchObject({ type: 'permissions' });
  model.restart();
  await clock.passing(10_000);
  expect(model.joins.filter(({ resume }) => !resume).map(({ token }) => token)).toEqual(['new', 'new']);
});

test('setToken with a function: renewed by what it gives, refused when it throws or the client is closed', async () => {
  const { clock, model, client } = withTokens({ token: 'first' });
  void client.start();
  await clock.passing(500);
  const sent: unknown[] = [];
  model.judge = ({ type, token }) => void (type === 'update' && sent.push(token));
  const good = outcome(client.setToken(async () => 'second'));
  await clock.passing(500);
  expect(await good).toMatchObject({ type: 'permissions' });
  const failing = outcome(client.setToken(() => Promise.reject(new Error('the login is not to be had'))));
  await clock.passing(500);
  expect(await failing).toBe('token_failed');
  const waiting = outcome(client.setToken(never));
  void client.close();
  expect(await waiting).toBe('closed');
  expect(await outcome(client.setToken('late'))).toBe('closed');
  expect(sent).toEqual(['second']);
});

test('a request that has its answer is not said to have failed when the session is lost', async () => {
  const { clock, model, client, errors } = await inRoom();
  await clock.passing(6_000);
  model.judge = ({ type, data }) => {
    if (type === 'ice') return { type: 'ice_servers', iceServers: [] };
    return data === 'bad' ? { ...refusal('peer_not_found', 'PEER', false), peers: ['b'] } : undefined;
  };
  const asked = [outcome(client.request({ type: 'ice' })), outcome(client.signal(['b'], 'offer', 'bad'))];
  await clock.passing(100);
  expect(await Promise.all(asked)).toMatchObject([{ type: 'ice_servers' }, 'peer_not_found']);
  model.restart();
  await clock.passing(20_000);
  expect(client.state.name).toBe('joined');
  expect(errors, 'once').toEqual(['peer_not_found']);
});
