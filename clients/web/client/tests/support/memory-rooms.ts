// Rooms over a server, a network and connections that are all in memory, in a time of their own.

import { expect, onTestFinished } from 'vitest';
import { joinRoom, type Room } from '../../src/index.ts';
import { TestClock, TestServer } from '../../src/testing/index.ts';
import { FakeNetwork } from './rtc.ts';

export interface MemoryRooms {
  clock: TestClock;
  server: TestServer;
  network: FakeNetwork;
  rooms: Room[];
  enter(name: string): Promise<Room>;
  /** Lets time pass until `probe` is true, for at most two minutes of it; what the machine does on its own gets its turns. */
  until(what: string, probe: () => boolean): Promise<void>;
  /** The same until a promise has come to something. */
  done<T>(what: string, promise: Promise<T>): Promise<T>;
}

/** The rooms end with the test. */
export function memoryRooms(): MemoryRooms {
  const clock = new TestClock();
  const server = new TestServer({ clock, latencyMs: 5 });
  const network = new FakeNetwork(clock);
  const rooms: Room[] = [];
  const until = async (what: string, probe: () => boolean) => {
    for (let waited = 0; !probe(); waited += 50) {
      expect(waited, `within two minutes: ${what}`).toBeLessThan(120_000);
      await clock.passing(50);
      await new Promise((resolve) => setImmediate(resolve));
    }
  };
  const done = async <T>(what: string, promise: Promise<T>): Promise<T> => {
    let settled = false;
    const mark = () => {
      settled = true;
    };
    promise.then(mark, mark);
    await until(what, () => settled);
    return promise;
  };
  const enter = async (name: string) => {
    const joining = joinRoom('blue', {
      url: server.url,
      meta: { name },
      WebSocket: server.WebSocket,
      RTCPeerConnection: network.RTCPeerConnection,
      clock,
    });
    const room = await done(`${name} is in the room`, joining);
    rooms.push(room);
    onTestFinished(async () => {
      const left = room.leave();
      await clock.passing(4_000);
      await left;
    });
    const connected = () =>
      rooms.every(({ peers }) => peers.length === rooms.length - 1 && peers.every(({ state }) => state === 'connected'));
    await until('all are connected', connected);
    return room;
  };
  return { clock, server, network, rooms, enter, until, done };
}
