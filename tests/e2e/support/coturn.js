// A real coturn with the configuration that this repository ships, on loopback and on ports of its own.

import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Child } from './child.js';
import { freePort } from './port.js';
import { REPOSITORY } from './server.js';

const SHIPPED = join(REPOSITORY, 'config/coturn/turnserver.conf');
const START = join(REPOSITORY, 'config/coturn/start.sh');

/** The one address that two relayed peers meet at here, as they do at the server's own elsewhere. All others of loopback stay denied. */
const OURS = ['listening-ip=127.0.0.1', 'listening-ip=::1', 'relay-ip=127.0.0.1', 'relay-ip=::1', 'allow-loopback-peers',
  'allowed-peer-ip=127.0.0.1', 'verbose'];

/** Starts coturn for the test `t`. `secrets`: the lines of its file. `more`: lines for its configuration. */
export async function startCoturn(t, secrets, more = []) {
  const home = mkdtempSync(join(tmpdir(), 'switchboard-coturn-'));
  const port = await freePort();
  const here = { 'listening-port': port, pidfile: join(home, 'pid'), userdb: join(home, 'db') };
  const shipped = readFileSync(SHIPPED, 'utf8').split('\n').map((line) => {
    const [name] = line.split('=');
    return name in here ? `${name}=${here[name]}` : line;
  });
  const [config, secretFile] = [join(home, 'turnserver.conf'), join(home, 'secret')];
  writeFileSync(config, [...shipped, ...OURS, ...more, ''].join('\n'));
  writeFileSync(secretFile, `${secrets.join('\n')}\n`);
  const child = new Child(START, [config, secretFile], { env: { ...process.env, TMPDIR: home, TURN_EXTERNAL_IP: '' } });
  t.after(async () => {
    await child.kill();
    rmSync(home, { recursive: true, force: true });
  });
  await child.line('coturn listens', (line) => line.includes(`UDP listener opened on: 127.0.0.1:${port}`));
  return { host: '127.0.0.1', port, secretFile, lines: child.lines };
}
