// What the server in memory has in common with the real one: its limits, its errors, and what it makes of an identity.

import { hmac } from '@noble/hashes/hmac.js';
import { sha256 } from '@noble/hashes/sha2.js';
import { bytesToHex, utf8ToBytes } from '@noble/hashes/utils.js';
import { ERROR_CODES, type ErrorCode, type Limits } from '../wire.generated.ts';
import type { Frame } from './frames.ts';

/** The server's own defaults: docs/configuration.md. */
export const DEFAULT_LIMITS: Limits = {
  frameBytes: 65_536,
  queueBytes: 786_432,
  queueFrames: 256,
  busyPauseMs: 1_000,
  metaBytes: 4_096,
  roomNameBytes: 128,
  peersPerRoom: 10,
  recipients: 64,
  jsonDepth: 32,
  joinTimeoutMs: 10_000,
  resumeFrames: 512,
  resumeBytes: 1_572_864,
  resumeWindowMs: 30_000,
  frameRate: 50,
  frameBurst: 200,
  byteRate: 131_072,
  byteBurst: 1_048_576,
  byteRatePerAddress: 8_388_608,
  byteBurstPerAddress: 335_544_320,
  reportIntervalMs: 5_000,
  reportEvents: 32,
};

/**
 * An error of the server's.
 *
 * @example
 * ```ts
 * server.judge = ({ type }) => (type === 'join' ? errorFrame('room_full', 'no seat', { retryAfterMs: 1_000 }) : undefined);
 * ```
 */
export function errorFrame(code: ErrorCode, message: string = `no: ${code}`, more: Frame = {}): Frame {
  const { category, retryable } = ERROR_CODES[code];
  return { type: 'error', code, category, retryable, message, ...more };
}

/** What others see of an identity: "Who somebody is" in docs/protocol.md. */
export const whoOf = (identity: string, room: string): string =>
  bytesToHex(hmac(sha256, utf8ToBytes(identity), utf8ToBytes(`switchboard who v1:${room}`)).subarray(0, 16));
