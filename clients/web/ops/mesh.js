// The mesh of a room, drawn: a row for each peer, with what is known of its connection to each other one.

/** What a pair's state means to the eye; the words say it, too. */
const LEVELS = { connected: 'good', failed: 'bad', waiting: 'wait', silent: 'none' };

const SAID = { trying: 'is trying', connected: 'connected', failed: 'failed', closed: 'closed it' };

const ago = (ms) => `${Math.round(ms / 1000)} s ago`;

/** What one of the two said last: "connected by srflx, 22 ms, 3 s ago". */
function statement({ says, candidate, reason, roundTripMs, restarts, heardMs }) {
  const path = candidate ? ` by ${candidate}` : '';
  const why = reason ? ` (${reason})` : '';
  const trip = roundTripMs === undefined ? '' : `, ${roundTripMs} ms`;
  const again = restarts ? `, ICE restarted ${restarts} times` : '';
  return `${SAID[says] ?? says}${path}${why}${trip}${again}, ${ago(heardMs)}`;
}

/** The cells of a mesh: for each peer its id, what is to be said of it, and for each peer a cell; null at itself. */
export function matrix({ peers, pairs }) {
  const pairOf = (a, b) => pairs.find(({ peers: two }) => two.includes(a) && two.includes(b));
  const cell = (from, about) => {
    const { state, told } = pairOf(from, about);
    const said = told.find(({ by }) => by === from);
    return { level: LEVELS[state] ?? 'none', state, said: said ? statement(said) : 'says nothing' };
  };
  return peers.map(({ id, reports, away, reaches, fractured }) => ({
    id,
    level: fractured ? 'bad' : 'none',
    about: [
      `reaches ${reaches} of ${peers.length - 1}`, ...(fractured ? ['fractured'] : []), ...(away ? ['away'] : []), ...(reports ? [] : ['does not report']),
    ].join(', '),
    cells: peers.map((other) => (other.id === id ? null : cell(id, other.id))),
  }));
}
