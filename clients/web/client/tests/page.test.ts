// The server embeds this library in one file that is committed, and QR codes in another, so that building the server needs no Node.

import { execFileSync } from 'node:child_process';
import { mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { expect, onTestFinished, test } from 'vitest';

test('the files that the page at / loads are what these sources give', () => {
  const home = mkdtempSync(join(tmpdir(), 'switchboard-page-'));
  onTestFinished(() => rmSync(home, { recursive: true, force: true }));
  const cwd = fileURLToPath(new URL('..', import.meta.url));
  execFileSync('npx', ['tsdown', '--config', 'tsdown.page.config.ts', '--out-dir', home], { cwd, stdio: 'pipe' });
  const files = readdirSync(home);
  expect(files.sort()).toEqual(['client.js', 'qr.js']);
  for (const file of files) {
    const committed = readFileSync(new URL(`../../demo/${file}`, import.meta.url), 'utf8');
    const made = readFileSync(join(home, file), 'utf8');
    expect(made === committed, `run \`npm run page\` in clients/web/client, and commit clients/web/demo/${file}`).toBe(true);
  }
});
