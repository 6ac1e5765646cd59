// What a session may ("Tokens" in docs/protocol.md). Tokens are no more than texts here: the test says what they grant.

import type { ErrorCode, Meta, Open, Permission } from '../wire.generated.ts';

/** What somebody is granted. */
export interface Grant {
  /** Default: all but `admin`. */
  permissions?: Open<Permission>[];
  /** How long, in milliseconds; told, and not enforced. Default: without an end. */
  expiresInMs?: number;
  /** The user that the token names. */
  user?: string;
  /** Whether the others are told. */
  showUser?: boolean;
  /** Most peers in the room for this join to be let in. */
  cap?: number;
  /** Laid over the client's metadata. */
  meta?: Meta;
}

/** What a token grants in a room, or the code that it is refused with: `unauthorized`, `token_expired`, `permission_denied`. */
export type TokenCheck = (token: string | undefined, room: string) => Grant | ErrorCode;

export const USUAL: readonly Permission[] = ['join', 'signal', 'broadcast', 'update'];

/** Whether a grant permits it. */
export const permits = ({ permissions = [...USUAL] }: Grant, permission: Permission): boolean =>
  permissions.includes(permission);

/** The client's metadata with those of its token. */
export const granted = ({ meta: over }: Grant, meta: Meta | undefined): Meta | undefined =>
  over ? { ...meta, ...over } : meta;
