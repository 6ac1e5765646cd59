// The server embeds this library in one file that is committed, so that building the server needs no Node.

import { execFileSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { expect, onTestFinished, test } from 'vitest';

test('the file that the page at / loads is what these sources give', () => {
  const home = mkdtempSync(join(tmpdir(), 'switchboard-page-'));
  onTestFinished(() => rmSync(home, { recursive: true, force: true }));
  const cwd = fileURLToPath(new URL('..', import.meta.url));
  execFileSync('npx', ['tsdown', '--config', 'tsdown.page.config.ts', '--out-dir', home], { cwd, stdio: 'pipe' });
  const committed = readFileSync(new URL('../../demo/client.js', import.meta.url), 'utf8');
  const made = readFileSync(join(home, 'client.js'), 'utf8');
  expect(made === committed, 'run `npm run page` in clients/web/client, and commit clients/web/demo/client.js').toBe(true);
});
