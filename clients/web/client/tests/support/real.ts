// The real server, the real `ws`, and a path between them that breaks.

import { onTestFinished } from 'vitest';
import WebSocket from 'ws';
import { openPath } from '../../../../../tests/e2e/support/path.js';
import { startServer as start } from '../../../../../tests/e2e/support/server.js';
import { SignalingClient, type SignalingOptions } from '../../src/signaling/index.ts';

export { until } from '../../../../../tests/e2e/support/until.js';

/** What the support of the end-to-end tests knows of a test: that it ends. */
const test = { after: (run: () => unknown) => void onTestFinished(async () => void (await run())) };

export type Server = Awaited<ReturnType<typeof start>>;
export type Path = Awaited<ReturnType<typeof openPath>>;

/** A server that ends with the test. `settings` are variables of docs/configuration.md. */
export const startServer = (settings: Record<string, string> = {}): Promise<Server> => start(test, settings);

/** A path to it that can be cut. */
export const pathTo = (server: Server): Promise<Path> => openPath(test, Number(server.port));

/** A client that is closed with the test, in front of `url` (`http://host:port/`). */
export function visit(url: string, room: string, options: Partial<SignalingOptions> = {}): SignalingClient {
  const client = new SignalingClient({ url: new URL('ws', url), room, WebSocket, ...options });
  onTestFinished(() => client.close());
  return client;
}

/** Numbered messages: what came, and from which peer. */
export function inbox(client: SignalingClient): { from: string; data: unknown }[] {
  const messages: { from: string; data: unknown }[] = [];
  client.on('signal', ({ from, data }) => messages.push({ from, data }));
  return messages;
}

/** Who else is in the room, by what this client hears. */
export function roster(client: SignalingClient): Map<string, unknown> {
  const peers = new Map<string, unknown>();
  client.on('joined', (frame) => {
    if (!frame.peers) return;
    peers.clear();
    for (const { id, meta } of frame.peers) peers.set(id, meta);
  });
  client.on('peer_joined', ({ id, meta }) => peers.set(id, meta));
  client.on('peer_updated', ({ id, meta }) => peers.set(id, meta));
  client.on('peer_left', ({ id }) => peers.delete(id));
  return peers;
}
