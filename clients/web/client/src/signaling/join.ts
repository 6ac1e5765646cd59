// The `join`: who we are, and where to.

import type { JoinRequest, Meta } from '../wire.generated.ts';
import type { CoreOptions } from './effects.ts';

/** Takes a session over by `resume`, or begins one; with what the server understands, and no more. */
export function joinText(
  { room, identity, replace }: CoreOptions,
  attempt: number,
  speaks: (feature: string) => boolean,
  resume: JoinRequest['resume'],
  meta: Meta | undefined,
  token: string | undefined,
): string {
  const join: JoinRequest = { type: 'join', id: 'join', room };
  if (attempt) join.attempt = attempt;
  if (resume) join.resume = resume;
  else {
    if (meta) join.meta = meta;
    if (speaks('resume')) join.resumable = true;
    // Nobody else has our identity: a session of the same that seems to be connected is one of ours, not missed yet.
    if (identity && speaks('identity')) Object.assign(join, { identity, replace });
    if (token) join.token = token;
  }
  return JSON.stringify(join);
}
