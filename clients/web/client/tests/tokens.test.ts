// Where a client's tokens come from, and when. What goes wrong with them is in trouble.test.ts.

import { expect, test } from 'vitest';
import { refusal } from './support/model.ts';
import { inRoom, outcome, prepared } from './support/started.ts';

test('a token is asked for at each new session, renewed before its end, and replaced when it is refused', async () => {
  let made = 0;
  const asked = prepared({ token: async () => `token-${++made}` });
  const { clock, model, client } = asked;
  model.features = [...model.features, 'tokens'];
  model.joinedFields = { permissions: ['join'], expiresInMs: 120_000 };
  model.judge = ({ token }) => (token === 'token-1' ? refusal('token_expired', 'AUTH', false) : undefined);
  void client.start();
  await clock.passing(500);
  expect(model.joins.map(({ token }) => token)).toEqual(['token-1', 'token-2']);
  const renewed: unknown[] = [];
  client.on('permissions', (frame) => renewed.push(frame));
  await clock.passing(60_500);
  expect(made).toBe(3);
  expect(renewed.length).toBe(1);
  model.cut();
  await clock.passing(10_000);
  expect(made, 'a resume needs none').toBe(3);
  model.tell(model.openSockets[0]!, { type: 'bye', reason: 'token_expired', action: 'disconnect', retryAfterMs: 0 });
  await clock.passing(100);
  model.end(model.session!, 'token_expired');
  model.openSockets[0]!.ended(4502);
  await clock.passing(10_000);
  expect(model.joins.at(-1)).toMatchObject({ token: 'token-4', resumable: true });
  const permissions = outcome(client.setToken('by-hand'));
  await clock.passing(500);
  expect(await permissions).toMatchObject({ type: 'permissions' });
});

test('a token that is fixed ends with its time, and one that cannot be had is tried for again', async () => {
  const { clock, model, client } = await inRoom({ token: 'fixed' });
  model.openSockets[0]!.ended(4502);
  expect(client.state).toMatchObject({ name: 'closed', reason: 'code_4502', error: { retryable: false } });
  let calls = 0;
  const source = () => {
    calls += 1;
    if (calls < 3) throw new Error('the login is not to be had');
    return 'good';
  };
  const failing = prepared({ token: source });
  failing.model.features = [...failing.model.features, 'tokens'];
  const joined = outcome(failing.client.start());
  await failing.clock.passing(10_000);
  expect(await joined).toMatchObject({ type: 'joined' });
  expect(failing.errors).toEqual(['token_failed', 'token_failed']);
  void clock;
});
