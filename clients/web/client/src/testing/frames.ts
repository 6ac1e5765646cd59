// What a client may send ("Frames from the client" in docs/protocol.md), as strictly as the server takes it.

import type { Limits } from '../wire.generated.ts';
import { depthOf, isPlainInteger, readJson } from './json.ts';
import { isReport } from './reports.ts';

/** A frame, as JSON has it. */
// biome-ignore lint/suspicious/noExplicitAny: a test looks into whatever a client sends
export type Frame = { [field: string]: any };

type Check = (value: unknown, limits: Limits) => boolean;
interface Field {
  optional?: boolean;
  /** It is an integer, and has to be written as one. */
  integer?: boolean;
  check: Check;
}

const bytes = (text: string): number => new TextEncoder().encode(text).length;
const isText = (value: unknown): value is string => typeof value === 'string';
const textOf =
  (least: number, most: number): Check =>
  (value) =>
    isText(value) && bytes(value) >= least && bytes(value) <= most;
// biome-ignore lint/suspicious/noControlCharactersInRegex: they are what is looked for
const CONTROL = /[\u0000-\u001f\u007f-\u009f]/;
const isObject = (value: unknown): value is Frame => typeof value === 'object' && value !== null && !Array.isArray(value);
const integer =
  (least: number, most: number): Check =>
  (value) =>
    Number.isInteger(value) && (value as number) >= least && (value as number) <= most;
const bool: Check = (value) => typeof value === 'boolean';
const hexId: Check = (value) => isText(value) && /^[0-9a-f]{32}$/.test(value);
const identity: Check = (value) => isText(value) && /^[!-~]{22,128}$/.test(value);
const room: Check = (value, { roomNameBytes }) =>
  textOf(1, roomNameBytes)(value, {} as Limits) && !CONTROL.test(value as string);
const meta: Check = (value, limits) => isObject(value) && depthOf(value) <= limits.jsonDepth;
const name: Check = textOf(0, 64);
const to: Check = (value, limits) =>
  Array.isArray(value)
    ? value.length > 0 && value.length <= limits.recipients && value.every((one) => name(one, limits))
    : name(value, limits);
const ack: Field = { integer: true, check: integer(0, Number.MAX_SAFE_INTEGER) };
const resume: Check = (value, limits) =>
  isObject(value) &&
  Object.keys(value).every((field) => ['token', 'ack'].includes(field)) &&
  isText(value['token']) &&
  ack.check(value['ack'], limits);
const reason: Check = (value) => textOf(1, 256)(value, {} as Limits) && !CONTROL.test((value as string).replaceAll('\n', ''));
const DAYS_30_MS = 2_592_000_000;

const optional = (check: Check): Field => ({ optional: true, check });
const FRAMES: { [type: string]: { [field: string]: Field } } = {
  join: {
    room: { check: room },
    meta: optional(meta),
    attempt: { optional: true, integer: true, check: integer(0, 2 ** 32 - 1) },
    resumable: optional(bool),
    resume: optional(resume),
    identity: optional(identity),
    replace: optional(bool),
    token: optional(isText),
  },
  leave: {},
  signal: {
    to: { check: to },
    kind: { check: (value) => ['offer', 'answer', 'candidate', 'app'].includes(value as string) },
    data: { check: (value, limits) => depthOf(value) <= limits.jsonDepth },
  },
  update: { meta: optional(meta), token: optional(isText) },
  ice: {},
  kick: {
    peer: optional(hexId),
    who: optional(hexId),
    user: optional(textOf(1, 128)),
    reason: optional(reason),
    banMs: { optional: true, integer: true, check: integer(1_000, DAYS_30_MS) },
  },
  lock: { locked: { check: bool } },
  report: { events: { check: (value, { reportEvents }) => isReport(value, reportEvents) } },
  ping: { t: optional((value) => typeof value === 'number'), ack: { ...ack, optional: true } },
};

/** What fields only together, or not together, make sense. */
const TOGETHER: { [type: string]: (frame: Frame) => boolean } = {
  join: ({ resume, resumable, identity, replace }) =>
    !(resume && resumable === false) && !(replace !== undefined && identity === undefined),
  update: ({ meta, token }) => meta !== undefined || token !== undefined,
  kick: ({ peer, who, user }) => [peer, who, user].filter((one) => one !== undefined).length === 1,
};

/** A frame, or what is wrong with it: `id` is the request's, if it has a good one. */
export interface Read {
  frame?: Frame;
  id?: string;
  type?: string;
  code?: 'invalid_message' | 'unknown_type';
  message?: string;
}

/** What a text of a client's says. */
export function readFrame(text: string, limits: Limits): Read {
  const { value: frame, flaw } = readJson(text);
  if (!isObject(frame)) return { code: 'invalid_message', message: flaw ?? 'no JSON object' };
  const { id, type } = frame;
  const isRepeated = flaw?.startsWith('the field id ') ?? false;
  const goodId = !isRepeated && textOf(1, 64)(id, limits) && !/[\ud800-\udfff]/u.test(id);
  const head = { ...(goodId && { id: id as string }), ...(isText(type) && { type }) };
  const invalid = (message: string): Read => ({ ...head, code: 'invalid_message', message });
  if (flaw) return invalid(flaw);
  if (id !== undefined && !goodId) return invalid('the id is no good one');
  if (!isText(type)) return invalid('no type');
  const fields = FRAMES[type];
  if (!fields) return { ...head, code: 'unknown_type', message: `no such type: ${type}` };
  for (const field of Object.keys(frame)) {
    if (field !== 'type' && field !== 'id' && !Object.hasOwn(fields, field)) return invalid(`${type} has no field ${field}`);
  }
  for (const [field, { optional, integer, check }] of Object.entries(fields)) {
    const value = frame[field];
    if (value === undefined ? !optional : !check(value, limits)) return invalid(`${field} is missing, or not good`);
    if (integer && value !== undefined && !isPlainInteger(text, field)) return invalid(`${field} is no integer`);
  }
  if (frame['resume'] && !isPlainInteger(text, 'ack')) return invalid('ack is no integer');
  // The server counts white space, too; clients send none.
  if (frame['meta'] && bytes(JSON.stringify(frame['meta'])) > limits.metaBytes) return invalid('meta is too long');
  if (TOGETHER[type]?.(frame) === false) return invalid('fields that do not go together');
  return { ...head, frame };
}
