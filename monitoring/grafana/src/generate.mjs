#!/usr/bin/env node
// Writes ../dashboards/*.json from the modules beside this one: `node generate.mjs`. With `--check` it writes nothing and
// fails if what is there differs. No packages, Node 18 or newer.

import { readFileSync, readdirSync, writeFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';

import capacity from './capacity.mjs';
import cluster from './cluster.mjs';
import logs from './logs.mjs';
import overview from './overview.mjs';
import rooms from './rooms.mjs';
import runtime from './runtime.mjs';
import signaling from './signaling.mjs';

const DIRECTORY = fileURLToPath(new URL('../dashboards/', import.meta.url));

/** File name -> dashboard. */
export const DASHBOARDS = new Map([overview, rooms, signaling, runtime, cluster, capacity, logs].map((one) => [`${one.uid.replace(/^switchboard-/, '')}.json`, one]));

const text = (dashboard) => `${JSON.stringify(dashboard, null, 2)}\n`;

/** The files that are not what the modules say: changed, missing, or too many. */
export function drifted() {
  const there = readdirSync(DIRECTORY).filter((name) => name.endsWith('.json'));
  const read = (name) => (there.includes(name) ? readFileSync(DIRECTORY + name, 'utf8') : null);
  const changed = [...DASHBOARDS].filter(([name, dashboard]) => read(name) !== text(dashboard)).map(([name]) => name);
  return [...changed, ...there.filter((name) => !DASHBOARDS.has(name))];
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  if (process.argv[2] === '--check') {
    const names = drifted();
    if (names.length) {
      console.error(`not what monitoring/grafana/src says (run generate.mjs): ${names.join(', ')}`);
      process.exit(1);
    }
  } else {
    for (const [name, dashboard] of DASHBOARDS) writeFileSync(DIRECTORY + name, text(dashboard));
  }
}
