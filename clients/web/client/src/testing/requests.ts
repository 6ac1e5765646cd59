// What a client asks of a `TestServer` beside `join`.

import type { ErrorCode, Permission } from '../wire.generated.ts';
import { errorFrame } from './defaults.ts';
import type { Frame } from './frames.ts';
import type { TestServer } from './server.ts';
import type { Session } from './session.ts';
import type { TestSocket } from './socket.ts';
import { granted, permits, USUAL } from './tokens.ts';

/** Most bans of one room: the server's own default. */
const BANS_PER_ROOM = 64;

export class Requests {
  readonly #server: TestServer;

  constructor(server: TestServer) {
    this.#server = server;
  }

  /** Does what is asked, and answers; or returns the error to answer with. */
  handle(socket: TestSocket, session: Session | undefined, frame: Frame, re: Frame): Frame | undefined {
    if (frame['type'] === 'ping') return this.#ping(socket, session, frame, re);
    if (!session) return errorFrame('not_in_room');
    switch (frame['type']) {
      case 'leave':
        this.#server.tell(socket, { type: 'left', ...re, room: session.room.name });
        this.#server.end(session, 'left');
        return undefined;
      case 'signal':
        return this.#signal(session, frame);
      case 'update':
        return this.#update(session, frame, re);
      case 'ice':
        this.#server.post(session, { type: 'ice_servers', ...re, iceServers: this.#server.iceServers });
        return undefined;
      case 'report':
        return this.#report(session);
      case 'kick':
        return denied(session, 'admin') ?? this.#kick(session, frame, re);
      default:
        return denied(session, 'admin') ?? this.#lock(session, frame, re);
    }
  }

  #ping(socket: TestSocket, session: Session | undefined, { t, ack }: Frame, re: Frame): Frame | undefined {
    const counts = session?.resumable;
    if (counts && ack !== undefined && !session.acknowledge(ack)) return errorFrame('invalid_message', 'no such ack');
    this.#server.tell(socket, { type: 'pong', ...re, ...(t !== undefined && { t }), ...(counts && { ack: session.handled }) });
    return undefined;
  }

  #signal(session: Session, { to, kind, data }: Frame): Frame | undefined {
    const refused = denied(session, to === '*' ? 'broadcast' : 'signal');
    if (refused) return refused;
    const others = session.room.others(session);
    const names: string[] = to === '*' ? others.map(({ id }) => id) : [...new Set(Array.isArray(to) ? to : [to])];
    const missing = names.filter((name) => !others.some(({ id }) => id === name));
    for (const other of others) {
      if (names.includes(other.id)) this.#server.post(other, { type: 'signal', from: session.id, kind, data });
    }
    return missing.length > 0 ? errorFrame('peer_not_found', 'no such peer in this room', { peers: missing }) : undefined;
  }

  #update(session: Session, { meta, token }: Frame, re: Frame): Frame | undefined {
    const { room, id } = session;
    if (token !== undefined) {
      const grant = this.#server.grantFor(token, room.name);
      if (typeof grant === 'string') return errorFrame(grant as ErrorCode);
      if (!permits(grant, 'join')) return errorFrame('permission_denied');
      if (grant.user !== session.grant.user) return errorFrame('permission_denied', 'the token of another user');
      session.grant = grant;
      const { permissions = [...USUAL], expiresInMs = 86_400_000 } = grant;
      this.#server.post(session, { type: 'permissions', ...(meta === undefined && re), permissions, expiresInMs });
    }
    if (meta === undefined) return undefined;
    const refused = denied(session, 'update');
    if (refused) return refused;
    session.meta = granted(session.grant, meta);
    this.#server.announce(room, { type: 'peer_updated', id, meta: session.meta }, session);
    this.#server.post(session, { type: 'peer_updated', ...re, id, meta: session.meta });
    return undefined;
  }

  /** Nothing is made of it; but it may come only so often, and one sooner. */
  #report(session: Session): Frame | undefined {
    const now = this.#server.clock.steady();
    const { reportIntervalMs } = this.#server.limits;
    const retryAfterMs = session.reportsFrom - reportIntervalMs - now;
    if (retryAfterMs > 0) return errorFrame('rate_limited', 'a report came only just now', { retryAfterMs });
    session.reportsFrom = Math.max(now, session.reportsFrom) + reportIntervalMs;
    return undefined;
  }

  #kick(session: Session, { peer, who, user, reason, banMs }: Frame, re: Frame): Frame | undefined {
    const { room } = session;
    const hit = room.members.filter((one) => one.id === peer || (who && one.who === who) || (user && one.grant.user === user));
    if (hit.length === 0 && who === undefined && banMs === undefined) return errorFrame('peer_not_found');
    if (banMs !== undefined) {
      const known = [who, user, ...hit.flatMap((one) => [one.who, one.grant.user])].some((one) => one !== undefined);
      if (!known) return errorFrame('invalid_message', 'nothing is known of that peer that a ban could go by');
      const until = this.#server.clock.wall() + banMs;
      if (room.bans >= BANS_PER_ROOM)
        return errorFrame('rate_limited', 'the room has as many bans as it may', { retryAfterMs: banMs });
      for (const ban of hit.length > 0 ? hit.map((one) => ({ who: one.who, user: one.grant.user })) : [{ who, user }]) {
        room.ban({ ...ban, until });
      }
    }
    if (who !== undefined && hit.length === 0) this.#server.announce(room, { type: 'kicked', who });
    // Whoever means itself hears of its own end, and nothing more.
    if (!hit.includes(session)) this.#server.post(session, { type: 'kicked', ...re });
    for (const one of hit) this.#server.end(one, 'kicked', 'kicked', reason);
    return undefined;
  }

  #lock(session: Session, { locked }: Frame, re: Frame): undefined {
    const { room } = session;
    const changes = room.locked !== locked;
    room.locked = locked;
    if (changes) this.#server.announce(room, { type: 'room_state', locked });
    this.#server.post(session, { type: 'room_state', ...re, locked });
  }
}

const denied = ({ grant }: Session, permission: Permission): Frame | undefined =>
  permits(grant, permission) ? undefined : errorFrame('permission_denied', 'this session may not do that');
