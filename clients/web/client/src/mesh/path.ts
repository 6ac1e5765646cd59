// The way that packets take between two peers, out of the browser's statistics (W3C webrtc-stats).

/** What kind of address an end of the path has (RFC 8445): one of the machine's own, one that a STUN server or the peer saw, or a TURN server's. */
export type CandidateType = 'host' | 'srflx' | 'prflx' | 'relay';

/** The way that packets take between two peers. */
export interface Path {
  /** The kind of our address. */
  local: CandidateType;
  /** The kind of the peer's. */
  remote: CandidateType;
  /** Whether a TURN server is on the way. */
  relayed: boolean;
  /** `udp` or `tcp`. */
  protocol: string;
  /** The round trip, in milliseconds, once it was measured. */
  rttMs: number | undefined;
}

type Stats = { [field: string]: unknown };

/** The path that `report` shows in use. */
export function pathOf(report: Iterable<[string, unknown]>): Path | undefined {
  const stats = new Map(report as Iterable<[string, Stats]>);
  const all = [...stats.values()];
  const transport = all.find(({ type, selectedCandidatePairId: id }) => type === 'transport' && id);
  const named = transport && stats.get(transport['selectedCandidatePairId'] as string);
  // Firefox has no such field of the transport's.
  const pair =
    named ??
    all.find(
      ({ type, nominated, state, selected }) => type === 'candidate-pair' && (selected || (nominated && state === 'succeeded')),
    );
  const local = pair && stats.get(pair['localCandidateId'] as string);
  const remote = pair && stats.get(pair['remoteCandidateId'] as string);
  if (!local || !remote) return undefined;
  const rtt = pair['currentRoundTripTime'];
  const types = { local: local['candidateType'] as CandidateType, remote: remote['candidateType'] as CandidateType };
  return {
    ...types,
    relayed: types.local === 'relay' || types.remote === 'relay',
    protocol: String(local['protocol'] ?? ''),
    rttMs: typeof rtt === 'number' ? rtt * 1000 : undefined,
  };
}
