// Prometheus' text format 0.0.4, as much of it as the server writes: names, labels, values.

const SAMPLE = /^([a-zA-Z_:][\w:]*)(?:\{(.*)\})? (\S+)/;
const LABEL = /([a-zA-Z_]\w*)="((?:[^"\\]|\\.)*)"/g;
const ESCAPED = { n: '\n' };

const labelsOf = (text = '') => Object.fromEntries(
  [...text.matchAll(LABEL)].map(([, name, value]) => [name, value.replace(/\\(.)/g, (_, letter) => ESCAPED[letter] ?? letter)]),
);

const numberOf = (text) => (text.endsWith('Inf') ? (text.startsWith('-') ? -Infinity : Infinity) : Number(text));

/** The samples of each name: `Map(name -> [{ labels, value }])`. */
export function parse(text) {
  const families = new Map();
  for (const line of text.split('\n')) {
    const [, name, labels, value] = (!line.startsWith('#') && SAMPLE.exec(line)) || [];
    if (!name) continue;
    if (!families.has(name)) families.set(name, []);
    families.get(name).push({ labels: labelsOf(labels), value: numberOf(value) });
  }
  return families;
}

/** The sum of the samples that have these labels; `null` when there is none. */
export function total(families, name, labels = {}) {
  const wanted = Object.entries(labels);
  const samples = (families.get(name) ?? []).filter((sample) => wanted.every(([key, value]) => sample.labels[key] === value));
  return samples.length ? samples.reduce((sum, { value }) => sum + value, 0) : null;
}

/** A histogram without labels: `[[upper bound, cumulative count], …]`, ascending. */
export const buckets = (families, name) => (families.get(`${name}_bucket`) ?? [])
  .map(({ labels, value }) => [numberOf(labels.le), value])
  .sort(([a], [b]) => a - b);
