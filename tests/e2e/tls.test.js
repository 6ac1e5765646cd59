// The server's own TLS, with a browser's idea of it: the page, the socket, and a certificate that is replaced meanwhile.

import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { createHash, X509Certificate } from 'node:crypto';
import { mkdtempSync, readFileSync, renameSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { connect } from 'node:tls';
import { after, before } from 'node:test';
import { scenario } from './support/scenario.js';
import { startServer } from './support/server.js';
import { until } from './support/until.js';
import { openBrowser, Visitor } from './support/visitor.js';

const ROOM = 'lucky-maple-640';

let home;
let browser;

/** Makes another certificate for the same key and puts it in its place. */
function makeCertificate(days) {
  const [key, aside, certificate] = ['key.pem', 'aside.pem', 'cert.pem'].map((name) => join(home, name));
  execFileSync('openssl', [
    'req', '-x509', '-key', key, '-out', aside, '-days', String(days),
    '-subj', '/CN=127.0.0.1', '-addext', 'subjectAltName=IP:127.0.0.1',
  ], { stdio: 'pipe' });
  renameSync(aside, certificate);
}

before(async () => {
  home = mkdtempSync(join(tmpdir(), 'switchboard-tls-'));
  execFileSync('openssl', ['ecparam', '-name', 'prime256v1', '-genkey', '-noout', '-out', join(home, 'key.pem')]);
  makeCertificate(30);
  const { publicKey } = new X509Certificate(readFileSync(join(home, 'cert.pem')));
  // The browser knows this one key and no other that nobody has signed.
  const pin = createHash('sha256').update(publicKey.export({ type: 'spki', format: 'der' })).digest('base64');
  browser = await openBrowser(`--ignore-certificate-errors-spki-list=${pin}`);
});

after(async () => {
  await browser?.close();
  rmSync(home, { recursive: true, force: true });
});

/** The certificate that the server shows now. */
const shown = (port) => new Promise((resolve, reject) => {
  const socket = connect({ host: '127.0.0.1', port, rejectUnauthorized: false }, () => {
    resolve(socket.getPeerCertificate().fingerprint256);
    socket.destroy();
  });
  socket.on('error', reject);
});

scenario('people meet over https and wss, and a renewed certificate interrupts nobody', async (t) => {
  const server = await startServer(t, {
    SWITCHBOARD__TLS__CERT_FILE: join(home, 'cert.pem'),
    SWITCHBOARD__TLS__KEY_FILE: join(home, 'key.pem'),
  });
  const url = `https://127.0.0.1:${server.port}/`;
  const [ada, grace] = [await Visitor.arrive(t, browser, url), await Visitor.arrive(t, browser, url)];
  const sockets = [];
  ada.page.on('websocket', (socket) => sockets.push(socket));
  await ada.joined(ROOM, 'Ada');
  await grace.joined(ROOM, 'Grace');
  await ada.sees('Grace', 'connected');
  assert.match(sockets[0].url(), /^wss:/);

  const former = await shown(server.port);
  makeCertificate(60);
  await until('the other certificate is shown', async () => (await shown(server.port)) !== former);
  const late = await Visitor.arrive(t, browser, url);
  await late.joined(ROOM, 'Late');
  await ada.sees('Late', 'connected');
  await ada.sees('Grace', 'connected');
  assert.deepEqual(sockets.map((socket) => socket.isClosed()), [false], 'one socket, which is open');
});
