// The documented frames (tests/fixtures/protocol): what this client says is among them, and what the server says reaches who
// listens for it.

import { readdirSync, readFileSync } from 'node:fs';
import { expect, test } from 'vitest';
import { type OtherRequest, SignalingError } from '../src/signaling/index.ts';
import { TestClock } from '../src/testing/clock.ts';
import { ERROR_CODES } from '../src/wire.generated.ts';
import { type FakeSocket, Model } from './support/model.ts';
import { inRoom, prepared } from './support/started.ts';

type Json = Record<string, any>;

const FOLDER = new URL('../../../../tests/fixtures/protocol/', import.meta.url);
const fixtures = (folder: string): [string, Json][] =>
  readdirSync(new URL(folder, FOLDER)).map((name) => [
    name.replace('.json', ''),
    JSON.parse(readFileSync(new URL(`${folder}/${name}`, FOLDER), 'utf8')),
  ]);

test.each(fixtures('server'))('server/%s reaches who listens', async (_, frame) => {
  const { clock, model, client } = await inRoom();
  const heard: unknown[] = [];
  const any: unknown[] = [];
  client.on(frame['type'], (detail: unknown) => heard.push(detail));
  client.on('frame', (detail) => any.push(detail));
  model.tell(model.openSockets[0] as FakeSocket, frame);
  await clock.passing(50);
  expect(any).toContainEqual(frame);
  if (frame['type'] !== 'error') return expect(heard).toContainEqual(frame);
  expect(heard[0]).toBeInstanceOf(SignalingError);
  const { code, category, retryable, retryAfterMs, message, peers } = frame;
  expect(heard).toMatchObject([{ code, category, retryable, retryAfterMs, message, peers }]);
  expect(ERROR_CODES[code as keyof typeof ERROR_CODES]).toEqual({ category, retryable });
});

test.each(fixtures('server').filter(([, { type, re }]) => type === 'error' && re === '1'))(
  'server/%s is the answer to a join',
  async (_, frame) => {
    const { clock, model, client, states } = prepared({ wait: false });
    model.judge = () => frame;
    const refused = client.start().catch((error: SignalingError) => error);
    await clock.passing(500);
    expect(await refused).toMatchObject({ code: frame['code'], retryable: frame['retryable'] });
    expect(states.at(-1)).toMatchObject({ name: 'closed', reason: 'refused' });
  },
);

/** What a client says when it is asked to, in the words of the fixtures. */
const said: { [name: string]: (frame: Json) => Promise<Json> } = {};
const asJoin = (options: (frame: Json) => Json) => async (frame: Json) => {
  const clock = new TestClock();
  const model = new Model(clock);
  if (!frame['resumable']) model.features = model.features.filter((feature) => feature !== 'resume');
  model.features.push('tokens');
  const started = prepared({ room: frame['room'], identity: false, ...options(frame) }, clock, model);
  void started.client.start();
  await clock.passing(200);
  return model.joins[0] as Json;
};
const asRequest =
  (ask: (client: Awaited<ReturnType<typeof inRoom>>['client'], frame: Json) => unknown) => async (frame: Json) => {
    const { clock, model, client } = await inRoom();
    let last: Json = {};
    model.judge = (heard) => {
      if (heard['type'] === frame['type']) last = heard;
      return undefined;
    };
    void ask(client, frame);
    await clock.passing(6_000);
    return last;
  };
for (const name of ['join', 'join_with_meta', 'join_resumable', 'join_escaped']) said[name] = asJoin(({ meta }) => ({ meta }));
said['join_identity'] = asJoin(({ identity }) => ({ identity }));
said['join_replace'] = asJoin(({ identity, replace }) => ({ identity, replace }));
said['join_token'] = asJoin(({ token }) => ({ token }));
for (const name of ['offer', 'answer', 'candidate', 'candidates_end', 'app_some', 'app_everyone']) {
  said[`signal_${name}`] = asRequest((client, { to, kind, data }) => client.signal(to, kind, data));
}
said['update'] = asRequest((client, { meta }) => client.update(meta));
said['update_token'] = asRequest((client, { token }) => client.setToken(token));
said['ping_ack'] = said['ping'] = said['ping_bare'] = asRequest((client) => client.ping());

/** What this client has no use for: it closes instead of leaving, and renews metadata and token apart. */
const UNUSED = ['leave', 'update_with_token', 'join_resume_elsewhere', 'join_resume_token'];
/** These need a session that is lost; rules.property.test.ts checks them by their fields. */
const OF_A_LOST_SESSION = ['join_resume', 'join_again'];

test.each(fixtures('client'))('client/%s is how it is said here', async (name, frame) => {
  if (UNUSED.includes(name) || OF_A_LOST_SESSION.includes(name)) return;
  if (!said[name] && frame['type'] === 'join') throw new Error(`no way here to say ${name}: add one, or say why there is none`);
  const ask = said[name] ?? asRequest((client) => client.request(frame as OtherRequest));
  const heard = await ask(frame);
  // The ids are the client's own, as are the numbers; a ping of this client always says all it can, and `replace`.
  const { id, t, ack, replace, ...rest } = frame;
  expect(heard).toMatchObject(rest);
  const more = frame['type'] === 'ping' ? ['t', 'ack'] : frame['identity'] ? ['replace', 'resumable'] : [];
  const allowed = new Set([...Object.keys(frame), 'id', ...more]);
  expect(Object.keys(heard).filter((field) => !allowed.has(field))).toEqual([]);
  if (replace !== undefined) expect(heard['replace']).toBe(replace);
});
