// Pages of what was built and of packages of npm, bundled as an application does it.

import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { fileURLToPath } from 'node:url';
import { build, type Rolldown } from 'vite';
import { onTestFinished } from 'vitest';

const CLIENT = fileURLToPath(new URL('../../', import.meta.url));

/** One module of `code`, whose imports are found as in a file of this package. */
export async function bundle(code: string): Promise<string> {
  const entry = 'virtual:page';
  const output = (await build({
    root: CLIENT,
    configFile: false,
    logLevel: 'error',
    define: { 'process.env.NODE_ENV': '"development"' },
    plugins: [
      {
        name: 'page',
        resolveId: (id) => (id === entry ? `${CLIENT}tests/page.js` : null),
        load: (id) => (id.endsWith('tests/page.js') ? code : null),
      },
    ],
    build: { write: false, minify: false, rollupOptions: { input: entry, output: { format: 'es', codeSplitting: false } } },
  })) as Rolldown.RolldownOutput;
  return output.output[0].code;
}

/** A server of one page that runs `script`; ends with the test. Returns its port. */
export async function servePage(script: string, headers: Record<string, string> = {}): Promise<number> {
  const page =
    '<!doctype html><meta charset="utf-8"><title>page</title><link rel="icon" href="data:,"><main></main><script type="module" src="/page.js"></script>';
  const server = createServer(({ url }, response) => {
    if (url === '/') return response.writeHead(200, { 'content-type': 'text/html', ...headers }).end(page);
    if (url === '/page.js') return response.writeHead(200, { 'content-type': 'text/javascript' }).end(script);
    return response.writeHead(404).end();
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  onTestFinished(() => {
    server.closeAllConnections();
    server.close();
  });
  return (server.address() as AddressInfo).port;
}
