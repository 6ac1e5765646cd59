// A real Redis on loopback, which keeps nothing.

import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Child } from './child.js';
import { freePort } from './port.js';

/** Starts a Redis that ends with the test `t`. */
export async function startRedis(t) {
  const home = mkdtempSync(join(tmpdir(), 'switchboard-redis-'));
  const port = await freePort();
  const child = new Child('redis-server', ['--port', `${port}`, '--bind', '127.0.0.1', '--save', '', '--appendonly', 'no', '--maxmemory', '256mb', '--dir', home]);
  t.after(async () => {
    await child.kill();
    rmSync(home, { recursive: true, force: true });
  });
  await child.line('Redis takes connections', (line) => line.includes('Ready to accept connections'));
  return { url: `redis://127.0.0.1:${port}`, port };
}
