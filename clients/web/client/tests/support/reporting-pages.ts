// Pages that are in a room and report, and what the server's operator sees of it.

import type { Browser } from 'playwright-core';
import type { PastEvent } from '../../src/telemetry/index.ts';
import { startServer } from './real.ts';
import { openRoomPage, serveRooms } from './room-pages.ts';

/** What `/admin/v1/rooms/{room}/mesh` answers, as far as tests look at it. */
export interface Mesh {
  peers: { id: string; reaches: number; fractured: boolean }[];
  pairs: {
    peers: string[];
    state: string;
    told: { by: string; candidate?: string; reason?: string; roundTripMs?: number }[];
  }[];
}

/** What the operator sees of a server. */
export const operatorOf = (server: { opsUrl: string }) => ({
  metric: async (line: string): Promise<number> => {
    const text = await (await fetch(new URL('metrics', server.opsUrl))).text();
    const found = text.split('\n').find((one) => one.startsWith(`switchboard_${line}`));
    return Number(found?.split(' ').at(-1));
  },
  mesh: async (room: string) => (await fetch(new URL(`admin/v1/rooms/${room}/mesh`, server.opsUrl))).json() as Promise<Mesh>,
});

const SCRIPT = `
import { joinRoom } from '@switchboard/client';
import { reportFrom } from '/telemetry.js';
/** The connections to the first of two others find no path, however often they are made anew. */
globalThis.breakFirst = () => {
  let made = 0;
  const Whole = RTCPeerConnection;
  globalThis.RTCPeerConnection = class extends Whole {
    constructor(options) {
      made += 1;
      super({ ...options, ...(made !== 2 && { iceTransportPolicy: 'relay' }) });
    }
  };
};
globalThis.enter = async (options) => {
  globalThis.room = await joinRoom('blue', options);
  globalThis.telemetry = reportFrom(room);
  return room.self.id;
};
globalThis.states = () => Object.fromEntries(room.peers.map((peer) => [peer.meta.name, peer.state]));
globalThis.ready = true;
`;

/** A server that takes reports often, and pages that enter the room `blue` there. */
export async function openPages(browser: Browser) {
  const server = await startServer({
    SWITCHBOARD__HTTP__ALLOWED_ORIGINS: '*',
    SWITCHBOARD__LIMITS__REPORT_INTERVAL_MS: '1000',
  });
  const pages = await serveRooms(SCRIPT);
  const url = new URL('ws', server.url).href.replace('http', 'ws');
  const enter = async (name: string, before = '') => {
    const { page, complaints } = await openRoomPage(browser, pages);
    await page.waitForFunction('globalThis.ready');
    if (before) await page.evaluate(before);
    const id = (await page.evaluate(`enter(${JSON.stringify({ url, meta: { name }, iceTimeoutMs: 3_000 })})`)) as string;
    return {
      name,
      id,
      complaints,
      states: () => page.evaluate('states()') as Promise<{ [name: string]: string }>,
      /** What it has reported of that kind. */
      told: async (kind: string) =>
        ((await page.evaluate('telemetry.events')) as PastEvent[]).filter((event) => event.kind === kind),
    };
  };
  return { server: operatorOf(server), enter };
}
