// What an ordinary NAT does to UDP: each of its clients' datagrams goes on from an address of the NAT's own, and what comes back goes
// to that client.

import { once } from 'node:events';
import { createSocket } from 'node:dgram';
import { isIPv6 } from 'node:net';

/** A UDP port of loopback that is free. */
export async function freePort() {
  const socket = createSocket('udp4');
  socket.bind(0, '127.0.0.1');
  await once(socket, 'listening');
  const { port } = socket.address();
  socket.close();
  await once(socket, 'close');
  return port;
}

/** Starts one for the test `t` in front of `port`, on the same address. `mapped()` are the ports by which its clients are seen behind it. */
export async function openNat(t, port, host = '127.0.0.1') {
  const family = isIPv6(host) ? 'udp6' : 'udp4';
  let swallows = false;
  const inside = createSocket(family);
  const outside = new Map();
  const of = async (client) => {
    const key = `${client.address}:${client.port}`;
    if (!outside.has(key)) {
      const socket = createSocket(family);
      outside.set(key, socket);
      socket.on('message', (answer) => { if (!swallows) inside.send(answer, client.port, client.address); });
      socket.bind(0, host);
      await once(socket, 'listening');
    }
    return outside.get(key);
  };
  inside.on('message', async (datagram, client) => {
    const socket = await of(client);
    if (!swallows) socket.send(datagram, port, host);
  });
  inside.bind(0, host);
  await once(inside, 'listening');
  t.after(() => {
    for (const socket of [inside, ...outside.values()]) socket.close();
  });
  return {
    port: inside.address().port,
    mapped: () => [...outside.values()].map((socket) => socket.address().port),
    /** From now on nothing comes through, and nobody is told. */
    swallow: () => { swallows = true; },
    heal: () => { swallows = false; },
  };
}
