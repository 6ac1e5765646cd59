// Words: what the page says about the server's state and errors.

const LEVELS = { healthy: 'good', degraded: 'wait', unhealthy: 'bad' };

/** "3 d 4 h", "5 min", "12 s": the two largest units. */
export function span(seconds) {
  const units = [['d', 86_400], ['h', 3_600], ['min', 60], ['s', 1]];
  let rest = Math.floor(seconds);
  const parts = units.map(([unit, size]) => {
    const count = Math.floor(rest / size);
    rest -= count * size;
    return [count, unit];
  });
  const first = parts.findIndex(([count]) => count > 0);
  if (first === -1) return '0 s';
  return parts.slice(first, first + 2).filter(([count]) => count > 0).map((part) => part.join(' ')).join(' ');
}

/** The level and the words of the status line. */
export function status(health, figures) {
  const level = LEVELS[health.status] ?? 'bad';
  if (figures?.draining) return ['wait', 'Draining: clients are being sent away before the server ends'];
  if (figures && !figures.ready) return ['wait', `${health.status}, not ready for new clients`];
  return [level, health.status[0].toUpperCase() + health.status.slice(1)];
}

export const silent = (error) => (error?.name === 'TimeoutError'
  ? 'No answer in time: the server is busy or gone'
  : `No answer: the server is gone or out of reach (${error?.message ?? error})`);

export const facts = ({ uptime, timestamp }) => `Up for ${span(uptime)} – its clock says ${timestamp.slice(0, 19).replace('T', ' ')} UTC`;

export const check = ({ name, status: how, responseTimeMs, message }) => `${name}: ${how}, ${responseTimeMs.toFixed(1)} ms${message ? ` – ${message}` : ''}`;

export const errorCells = ({ lastSeen, count, severity, code, doing, examples }) => [
  lastSeen.slice(0, 19).replace('T', ' '), count.toLocaleString('en'), severity, code, doing, examples?.[0]?.cause ?? '',
];
