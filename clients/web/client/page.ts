// What the server's own page uses of this library: `npm run page` makes clients/web/demo/client.js of it.

export * from './src/index.ts';
export { closeMedia, Devices, openMedia, openScreen, switchDevice } from './src/media.ts';
export { SignalingClient } from './src/signaling/index.ts';
export { reportFrom } from './src/telemetry/index.ts';
