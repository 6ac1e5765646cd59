// What has to compile: the types of the outside world fit. Nothing here runs.

import WebSocketOfNode from 'ws';
import type { JoinedFrame, SignalingClient, SignalingEvents, SocketClass } from '../src/signaling/index.ts';

export const browser: SocketClass = globalThis.WebSocket;
export const node: SocketClass = WebSocketOfNode;

export function usual(client: SignalingClient, joined: JoinedFrame): RTCPeerConnection {
  client.on('peer_left', ({ reason }) => reason === 'left' || reason === 'of a later version');
  // @ts-expect-error: a frame has no such field
  client.on('peer_left', ({ why }) => why);
  // @ts-expect-error: no such event
  client.on('peer_lost', () => {});
  const error: keyof SignalingEvents = 'error';
  client.on(error, () => {});
  return new RTCPeerConnection({ iceServers: joined.iceServers });
}
