// The real Prometheus, with the rules that are shipped, looking at a server every second.

import { existsSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Child } from '../../../e2e/support/child.js';
import { freePort } from '../../../e2e/support/port.js';
import { REPOSITORY } from '../../../e2e/support/server.js';
import { until } from '../../../e2e/support/until.js';

const RULES = join(REPOSITORY, 'monitoring/prometheus/rules');

/** An alert of each severity that always fires, so that panels of alerts have something to show. */
const PROBE = {
  groups: [{
    name: 'probe',
    rules: ['critical', 'warning'].map((severity) => ({ alert: 'PanelProbe', expr: 'vector(1)', labels: { severity } })),
  }],
};

const configuration = (home, port, ops, ca, more) => ({
  global: { scrape_interval: '1s', scrape_timeout: '1s', evaluation_interval: '1s' },
  rule_files: [join(home, 'probe.json'), ...(existsSync(RULES) ? readdirSync(RULES).filter((name) => /\.ya?ml$/.test(name)).map((name) => join(RULES, name)) : [])],
  scrape_configs: [
    { job_name: 'switchboard', static_configs: [{ targets: [ops] }], ...(ca && { scheme: 'https', tls_config: { ca_file: ca } }) },
    { job_name: 'prometheus', static_configs: [{ targets: [`127.0.0.1:${port}`] }] },
    ...more,
  ],
});

/** Starts it; it ends with the test `t` at the latest. `ops` is the server's ops address; `ca` the file of the certificate, if that speaks TLS;
 * `more` are scrape configurations beside it. */
export async function startPrometheus(t, ops, ca, more = []) {
  const home = mkdtempSync(join(tmpdir(), 'switchboard-prometheus-'));
  const port = await freePort();
  // JSON is YAML.
  writeFileSync(join(home, 'prometheus.yml'), JSON.stringify(configuration(home, port, ops, ca, more)));
  writeFileSync(join(home, 'probe.json'), JSON.stringify(PROBE));
  const child = new Child(process.env.PROMETHEUS_BIN ?? 'prometheus', [
    `--config.file=${home}/prometheus.yml`, `--storage.tsdb.path=${home}/data`, `--web.listen-address=127.0.0.1:${port}`,
  ]);
  t.after(async () => {
    await child.kill();
    rmSync(home, { recursive: true, force: true });
  });
  const url = `http://127.0.0.1:${port}`;
  await until('Prometheus is ready', async () => {
    if (!child.running) throw new Error(child.lines.slice(-5).join('\n'));
    return (await fetch(`${url}/-/ready`)).ok;
  });
  return {
    /** The answer to a query now; an error with Prometheus' words if it cannot be asked. */
    async query(expr) {
      const answer = await (await fetch(`${url}/api/v1/query`, { method: 'POST', body: new URLSearchParams({ query: expr }) })).json();
      if (answer.status !== 'success') throw new Error(`${answer.error}: ${expr}`);
      return answer.data.result;
    },
  };
}
