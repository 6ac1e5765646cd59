// The real server: built from this tree unless SWITCHBOARD_BIN names another one, on ports of its own choice.

import { execFileSync } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { Child } from './child.js';

export const REPOSITORY = fileURLToPath(new URL('../../../', import.meta.url));

let built;

/** The server's binary. Building is left to cargo, which does nothing when nothing changed. */
function binary() {
  if (process.env.SWITCHBOARD_BIN) return process.env.SWITCHBOARD_BIN;
  if (!built) {
    const cargo = (...args) => execFileSync('cargo', args, { cwd: REPOSITORY, encoding: 'utf8', maxBuffer: 2 ** 26 });
    cargo('build', '--quiet', '--locked', '--bin', 'switchboard');
    const { target_directory: target } = JSON.parse(cargo('metadata', '--no-deps', '--locked', '--format-version', '1'));
    built = join(target, 'debug', 'switchboard');
  }
  return built;
}

const OWN_ENVIRONMENT = {
  SWITCHBOARD__SERVER__HOST: '127.0.0.1',
  SWITCHBOARD__SERVER__PORT: '0',
  SWITCHBOARD__SERVER__READY_DELAY_MS: '0',
  SWITCHBOARD__OPS__PORT: '0',
  // All tests come from one address.
  SWITCHBOARD__LIMITS__EXEMPT_LOOPBACK: 'true',
};

/** Variables that would change the server under the tests' feet. */
const isForeign = (name) => /^SWITCHBOARD__|^(HOST|PORT|MAX_CONNECTIONS|HEARTBEAT_INTERVAL|CONNECTION_TIMEOUT|LOG_LEVEL)$/.test(name);

/** Starts a server that ends with the test `t` at the latest. `settings` are variables of docs/configuration.md. */
export async function startServer(t, settings = {}) {
  const inherited = Object.entries(process.env).filter(([name]) => !isForeign(name));
  const home = mkdtempSync(join(tmpdir(), 'switchboard-e2e-'));
  const child = new Child(binary(), [], {
    cwd: home,
    env: { ...Object.fromEntries(inherited), ...OWN_ENVIRONMENT, ...settings },
  });
  t.after(async () => {
    await child.kill();
    rmSync(home, { recursive: true, force: true });
  });
  const started = await child.line('the server says that it started', startedEvent);
  return {
    url: `http://${started.public}/`,
    opsUrl: `http://${started.ops}/`,
    ops: started.ops,
    port: started.public.split(':').at(-1),
    /** SIGTERM; the drain begins, `exit()` tells when it is over. */
    terminate: () => child.signal('SIGTERM'),
    exit: () => child.exit(),
    crash: () => child.kill(),
  };
}

/** Starts `switchboard stun` on that port of loopback, and waits until it answers there. */
export async function startStun(t, port) {
  const inherited = Object.entries(process.env).filter(([name]) => !isForeign(name));
  const own = { SWITCHBOARD__STUN__PORT: `${port}`, SWITCHBOARD__STUN__HOST: '127.0.0.1' };
  const child = new Child(binary(), ['stun'], { env: { ...Object.fromEntries(inherited), ...own } });
  t.after(() => child.kill());
  await child.line('it says that it listens', (line) => event(line, 'stun_started'));
}

const startedEvent = (line) => event(line, 'server_started');

function event(line, name) {
  if (!line.startsWith('{')) return null;
  const entry = JSON.parse(line);
  return entry.event === name ? entry : null;
}
