// The recipes of docs/cookbook.md, as they are written, at work.

import { mkdirSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, onTestFinished, test, vi } from 'vitest';
import WebSocket from 'ws';
import { Awareness } from 'y-protocols/awareness';
import * as Y from 'yjs';
import type { Peer, Room } from '../src/index.ts';
import { blocksOf } from './support/docs.ts';
import { memoryRooms } from './support/memory-rooms.ts';
import { startServer } from './support/real.ts';

const BLOCKS = blocksOf('docs/cookbook.md');

/** A recipe as a module. Within the package, so that its name leads to what was built. */
async function recipe(file: string, change = (code: string) => code): Promise<any> {
  const block = BLOCKS.find((one) => one.file === file);
  expect(block, `the recipe ${file}`).toBeDefined();
  const folder = new URL(`../dist/cookbook-${file}/`, import.meta.url);
  mkdirSync(folder, { recursive: true });
  onTestFinished(() => rmSync(folder, { recursive: true, force: true }));
  const module = new URL(file, folder);
  writeFileSync(module, change(block?.code ?? ''));
  return import(/* @vite-ignore */ module.href);
}

const only = ({ peers }: Room): Peer => peers[0] as Peer;

test('a file is offered, sent in parts and arrives whole; one that is declined, or of which parts are lost, does not', async () => {
  const { sendFile, receiveFiles } = await recipe('files.ts');
  const { enter, done } = memoryRooms();
  const [ada, grace] = [await enter('Ada'), await enter('Grace')];
  const files: File[] = [];
  const offers: unknown[] = [];
  receiveFiles(
    grace,
    (_: Peer, offer: { name: string; size: number }) => {
      offers.push([offer.name, offer.size]);
      return offer.name !== 'unwanted';
    },
    (_: Peer, file: File) => files.push(file),
  );
  const content = Uint8Array.from({ length: 300_000 }, (_, at) => (at * 31) % 256);
  const sent: number[] = [];
  const film = new File([content], 'film', { type: 'video/mp4' });
  expect(
    await done(
      'it is sent',
      sendFile(ada, only(ada), film, (bytes: number) => sent.push(bytes)),
    ),
  ).toBe(true);
  expect(await done('an empty one is', sendFile(ada, only(ada), new File([], 'empty')))).toBe(true);
  expect(await done('it is declined', sendFile(ada, only(ada), new File(['no'], 'unwanted')))).toBe(false);
  expect(offers).toEqual([
    ['film', 300_000],
    ['empty', 0],
    ['unwanted', 2],
  ]);
  expect(files.map(({ name, type, size }) => [name, type, size])).toEqual([
    ['film', 'video/mp4', 300_000],
    ['empty', '', 0],
  ]);
  expect(Buffer.from(await (files[0] as File).arrayBuffer()).equals(Buffer.from(content))).toBe(true);
  expect(sent).toEqual([65_536, 131_072, 196_608, 262_144, 300_000]);
  // What was never sent is not said to be there.
  const channel = ada.channel('files');
  const offer = { id: 7, name: 'half', type: '', size: 10 };
  expect(await done('it is taken', channel.request(only(ada), offer))).toBe(true);
  expect(await done('it is not whole', channel.request(only(ada), { complete: 7 }))).toBe(false);
  for (const bad of [null, 1, 'x', {}, { id: 1, name: 'x', type: '', size: -1 }]) {
    expect(await done('nonsense is declined', channel.request(only(ada), bad))).toBe(false);
  }
  expect(files).toHaveLength(2);
});

test('positions arrive, late ones and nonsense do not count, and all agree on one host', async () => {
  const { sharePositions, isHost } = await recipe('game.ts');
  const { enter, until, clock } = memoryRooms();
  const rooms = [await enter('Ada'), await enter('Grace'), await enter('Hedy')] as const;
  const seen: unknown[] = [];
  const heard = ({ meta }: Peer, { x, y }: { x: number; y: number }) => seen.push([meta['name'], x, y]);
  const [ada] = rooms.map((room) => sharePositions(room, room === rooms[1] ? heard : () => {}));
  ada.move({ x: 1, y: 2 });
  ada.move({ x: 3, y: 4 });
  await until('they are seen', () => seen.length === 2);
  const channel = rooms[0].channel('positions');
  for (const late of [[1, 9, 9], [Number.MAX_SAFE_INTEGER, 'x', 1], 'nonsense', null]) void channel.send(late);
  await clock.passing(500);
  expect(seen).toEqual([
    ['Ada', 1, 2],
    ['Ada', 3, 4],
  ]);
  expect(rooms.filter(isHost)).toHaveLength(1);
});

test('a document is the same for all: what one finds, what changes, and what changed while they were apart', async () => {
  const { shareDocument, shareAwareness } = await recipe('document.ts');
  const { enter, until, network } = memoryRooms();
  const docs = [new Y.Doc(), new Y.Doc()] as const;
  const texts = docs.map((doc) => doc.getText('notes'));
  texts[0]?.insert(0, 'Agenda');
  const ends: (() => void)[] = [];
  const awareness: Awareness[] = [];
  for (const doc of docs) {
    const room = await enter(`writer ${ends.length}`);
    ends.push(shareDocument(room, doc));
    const cursors = new Awareness(doc);
    onTestFinished(() => cursors.destroy());
    awareness.push(cursors);
    shareAwareness(room, cursors);
  }
  const same = () => texts[0]?.toString() === texts[1]?.toString();
  await until('the second finds what there is', () => texts[1]?.toString() === 'Agenda');
  texts[1]?.insert(6, ': tea');
  texts[0]?.insert(0, 'Our ');
  await until('both changes are there', same);
  expect(texts[0]?.toString()).toBe('Our Agenda: tea');
  awareness[0]?.setLocalState({ cursor: 3 });
  await until('the cursor is seen', () => awareness[1]?.getStates().get(docs[0].clientID)?.['cursor'] === 3);
  network.reaches = () => false;
  network.changed();
  await until('they are apart', () => network.open.every(({ connectionState }) => connectionState !== 'connected'));
  texts[0]?.insert(0, 'Not ');
  network.reaches = () => true;
  network.changed();
  await until('it is caught up with', same);
  expect(texts[1]?.toString()).toBe('Not Our Agenda: tea');
  for (const end of ends) end();
});

test('a token lets its user into its room, and a page that is refused one gives up', async () => {
  const secret = 'not-a-secret-but-long-enough-for-a-test';
  const file = join(tmpdir(), `switchboard-cookbook-${process.pid}`);
  writeFileSync(file, `${secret}\n`);
  onTestFinished(() => rmSync(file, { force: true }));
  const server = await startServer({
    SWITCHBOARD__AUTH__MODE: 'token',
    SWITCHBOARD__AUTH__KEYS: JSON.stringify([{ algorithm: 'HS256', file }]),
  });
  const { tokenFor } = await recipe('tokens.ts');
  const url = `${server.url.replace('http', 'ws')}ws`;
  const { joinInvited } = await recipe('invited.ts', (code) => code.replace('wss://sb.example/ws', url));
  vi.stubGlobal('WebSocket', WebSocket);
  vi.stubGlobal('fetch', async (path: string) => {
    const room = new URL(path, 'http://page.example').searchParams.get('room') as string;
    return room === 'staff only' ? new Response('', { status: 403 }) : new Response(tokenFor('ada', room, secret));
  });
  onTestFinished(() => void vi.unstubAllGlobals());
  const room = await joinInvited('blue');
  onTestFinished(() => room.leave());
  expect(room.permissions).toEqual(['join', 'signal', 'broadcast', 'update']);
  await expect(joinInvited('staff only')).rejects.toMatchObject({ code: 'unauthorized' });
});
