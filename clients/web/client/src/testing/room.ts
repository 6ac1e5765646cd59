// One room: who is in it, in the order in which they came, and who is not let in. Knows no connections and no clock.

import type { Frame } from './frames.ts';
import type { Session } from './session.ts';

/** Who is not let in, and until when, by the wall clock. */
export interface Ban {
  /** That person. */
  who?: string | undefined;
  /** That user. */
  user?: string | undefined;
  /** Milliseconds since 1970. */
  until: number;
}

/** A room of the server's. */
export class Room {
  /** What clients call it. */
  readonly name: string;
  /** Who is in it, away or not, in the order of their coming. */
  readonly members: Session[] = [];
  /** Whether it lets nobody in. */
  locked = false;
  #bans: Ban[] = [];

  /** @internal For the server. */
  constructor(name: string) {
    this.name = name;
  }

  /** Everybody but `session`. */
  others(session: Session): Session[] {
    return this.members.filter((member) => member !== session);
  }

  /** For `joined.peers` of a newcomer: whoever was there before it is the impolite side. */
  peersFor(session: Session): Frame[] {
    const at = this.members.indexOf(session);
    return this.members.flatMap((member, index) => {
      if (member === session) return [];
      const away = member.socket ? {} : { away: { until: member.until } };
      return [{ ...member.profile, polite: at < 0 || index < at, ...away }];
    });
  }

  /** Those who are away and whose place somebody with this `who` takes; with `replace`, the connected ones, too. */
  replacedBy(who: string | undefined, replace: boolean): Session[] {
    return this.members.filter((member) => who !== undefined && member.who === who && (replace || !member.socket));
  }

  /** Keeps somebody out. */
  ban(ban: Ban): void {
    this.#bans.push(ban);
  }

  /** Until when somebody is kept out; 0: is not. */
  bannedUntil(who: string | undefined, user: string | undefined, now: number): number {
    this.#bans = this.#bans.filter(({ until }) => until > now);
    const fits = (ban: Ban) => (who && ban.who === who) || (user && ban.user === user);
    return Math.max(0, ...this.#bans.filter(fits).map(({ until }) => until));
  }

  /** How many bans hold. */
  get bans(): number {
    return this.#bans.length;
  }
}
