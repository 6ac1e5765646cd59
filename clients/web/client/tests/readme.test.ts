// The quick start of README.md, as it is written, in a program of its own, against the real server.

import { mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { expect, onTestFinished, test } from 'vitest';
import { Child } from '../../../../tests/e2e/support/child.js';
import { inbox, startServer, until, visit } from './support/real.ts';

const readme = readFileSync(new URL('../README.md', import.meta.url), 'utf8');
const blocks = [...readme.matchAll(/```js\n(.*?)```/gs)].map(([, code]) => code as string);

test('the quick start works as it is written', async () => {
  const server = await startServer();
  const [quickStart] = blocks as [string];
  expect(quickStart).toContain("'ws://localhost:8080/ws'");
  // Within the package, so that its name leads to what was built. A browser has a WebSocket; this Node may have none.
  const folder = new URL('../dist/quick-start/', import.meta.url);
  mkdirSync(folder, { recursive: true });
  onTestFinished(() => rmSync(folder, { recursive: true, force: true }));
  writeFileSync(new URL('browser.mjs', folder), "import WebSocket from 'ws';\nglobalThis.WebSocket = WebSocket;\n");
  const file = new URL('quick-start.mjs', folder);
  writeFileSync(file, quickStart.replace('ws://localhost:8080/ws', `${server.url.replace('http', 'ws')}ws`));
  const grace = visit(server.url, 'demo', { meta: { name: 'Grace' } });
  const heard = inbox(grace);
  const names: unknown[] = [];
  grace.on('peer_joined', ({ meta }) => names.push(meta?.['name']));
  await grace.start();
  const child = new Child(process.execPath, ['--import', new URL('browser.mjs', folder).href, fileURLToPath(file)]);
  onTestFinished(() => child.kill());
  for (const line of ['connecting', '1 others are here']) {
    await child.line(`the quick start says ${line}`, (said: string) => (said === line ? line : null));
  }
  const { joined } = grace;
  await until('its greeting is heard', () => heard.length > 0);
  expect(heard.map(({ data }) => data)).toEqual([{ hello: 'everybody' }]);
  expect(names).toEqual(['Ada']);
  void grace.signal(heard[0]!.from, 'app', 'welcome');
  await child.line('it hears an answer', (said: string) => (said.includes(`${joined?.self.id} app welcome`) ? said : null));
});

test('whatever else is imported there exists', async () => {
  const imports = readme.matchAll(/import \{ ([^}]*) \} from '@switchboard\/client\/(\w+)'/g);
  let found = 0;
  for (const [, names, entry] of imports) {
    const module = await import(new URL(`../dist/${entry}.js`, import.meta.url).href);
    for (const name of (names as string).split(', ')) expect(module, `${name} of ${entry}`).toHaveProperty(name);
    found += 1;
  }
  expect(found).toBe(3);
});
