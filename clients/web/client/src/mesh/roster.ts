// Who is who: the same person has another id after each session.

interface Known {
  id: string;
  who: string | undefined;
}

/**
 * Whom of those that we know each one in the room is, by the id in the room: the one with that id, or else one with the same `who`
 * that is not in the room under its own id. Of several, the one that we knew last. Nobody is two.
 */
export function recognise<K extends Known>(
  known: readonly K[],
  present: readonly { id: string; who?: string }[],
): Map<string, K> {
  const found = new Map<string, K>();
  const ids = new Set(present.map(({ id }) => id));
  for (const one of known) if (ids.has(one.id)) found.set(one.id, one);
  const free = known.filter(({ id }) => !ids.has(id));
  for (const { id, who } of present) {
    if (who === undefined || found.has(id)) continue;
    const at = free.map((one) => one.who).lastIndexOf(who);
    if (at >= 0) found.set(id, free.splice(at, 1)[0] as K);
  }
  return found;
}
