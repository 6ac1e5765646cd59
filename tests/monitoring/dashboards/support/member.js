// A peer that joins a room, stays, and keeps what it hears.

import { until } from '../../../e2e/support/until.js';
import { Client } from './load.js';

/** Joins `room` at the server of that public `url`; ends with the test at the latest. */
export async function join(t, url, room, more = {}) {
  const frames = [];
  const client = new Client(`${url.replace('http', 'ws')}ws`, (self, frame) => {
    frames.push(frame);
    if (frame.type === 'welcome') self.say({ type: 'join', room, ...more });
  });
  t.after(() => client.close());
  const find = (type) => frames.find((frame) => frame.type === type);
  const joined = await until(`the member joins ${room.slice(0, 20)}`, () => find('joined'));
  return {
    id: joined.self.id,
    /** Sends a frame. */
    say: (frame) => client.say(frame),
    /** Every type that was heard since the beginning. */
    heard: () => frames.map(({ type }) => type),
    /** The first frame of that type, when it is there. */
    hears: (type) => until(`the member hears ${type}`, () => find(type)),
    /** The code of the WebSocket's close, when it comes. */
    closed: client.closed,
  };
}
