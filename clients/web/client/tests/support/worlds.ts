// The same play in front of either server: the real one, and that in memory, both in the machine's own time.

import { onTestFinished } from 'vitest';
import { SignalingClient, type SignalingOptions } from '../../src/signaling/index.ts';
import { TestServer } from '../../src/testing/index.ts';
import { startServer, visit } from './real.ts';

export interface World {
  /** A client that is closed with the test. */
  visit(room: string, options?: Partial<SignalingOptions>): SignalingClient;
  /** How many connections there are. */
  connections(): number | Promise<number>;
}

type Start = (limits?: { peersPerRoom?: number }) => World | Promise<World>;

const real: Start = async ({ peersPerRoom } = {}) => {
  const server = await startServer({
    ...(peersPerRoom !== undefined && { SWITCHBOARD__LIMITS__PEERS_PER_ROOM: String(peersPerRoom) }),
  });
  return {
    visit: (room, options) => visit(server.url, room, options),
    connections: async () => {
      const text = await (await fetch(new URL('metrics', server.opsUrl))).text();
      return Number(/^switchboard_connections (\d+)$/m.exec(text)?.[1]);
    },
  };
};

const inMemory: Start = (limits = {}) => {
  const server = new TestServer({ limits, latencyMs: 1 });
  return {
    visit(room, options = {}) {
      const client = new SignalingClient({ url: server.url, room, WebSocket: server.WebSocket, ...options });
      onTestFinished(() => client.close());
      return client;
    },
    connections: () => server.openSockets.length,
  };
};

export const worlds: [string, Start][] = [
  ['the real server', real],
  ['the server in memory', inMemory],
];
