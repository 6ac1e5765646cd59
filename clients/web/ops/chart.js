// A small chart: lines over the last minutes, as SVG. It knows numbers and times, nothing of what they mean.

const SVG = 'http://www.w3.org/2000/svg';
const [WIDTH, HEIGHT, AIR] = [300, 72, 3];

const svg = (name, attributes = {}) => {
  const made = document.createElementNS(SVG, name);
  for (const [key, value] of Object.entries(attributes)) made.setAttribute(key, value);
  return made;
};

/** A round number that `value` fits under, so that the scale does not change with every point. */
export function ceiling(value) {
  if (!(value > 0)) return 1;
  const power = 10 ** Math.floor(Math.log10(value));
  return [1, 2, 5, 10].map((step) => step * power).find((round) => round >= value * 0.999);
}

/** The lines' paths: a point for each value, a gap where it is `null`. A point alone becomes a dot. */
export function pathOf(points, { from, to, top }) {
  const x = (at) => ((at - from) / (to - from)) * WIDTH;
  const y = (value) => HEIGHT - AIR - (value / top) * (HEIGHT - 2 * AIR);
  let [path, drawing] = ['', false];
  for (const { at, value } of points) {
    if (value === null) {
      drawing = false;
      continue;
    }
    const place = `${x(at).toFixed(1)} ${y(value).toFixed(1)}`;
    path += drawing ? `L${place}` : `M${place}h0.1`;
    drawing = true;
  }
  return path;
}

export class Chart {
  #plot = svg('svg', { viewBox: `0 0 ${WIDTH} ${HEIGHT}`, preserveAspectRatio: 'none', role: 'img' });
  #cursor = svg('line', { class: 'cursor', y1: 0, y2: HEIGHT, visibility: 'hidden' });
  #lines;
  #shown = { from: 0, to: 1 };

  /** `onPoint(at)` is called with the time the pointer is at, and with `null` when it has gone. */
  constructor(lines, onPoint) {
    for (const share of [0, 0.5, 1]) {
      const y = AIR + share * (HEIGHT - 2 * AIR);
      this.#plot.append(svg('line', { class: 'grid', x1: 0, x2: WIDTH, y1: y, y2: y }));
    }
    this.#lines = Array.from({ length: lines }, (_, index) => svg('path', { class: `line line-${index}` }));
    this.#plot.append(...this.#lines, this.#cursor);
    this.#plot.addEventListener('pointermove', (event) => this.#point(event, onPoint));
    this.#plot.addEventListener('pointerleave', () => {
      this.#cursor.setAttribute('visibility', 'hidden');
      onPoint(null);
    });
  }

  get element() { return this.#plot; }

  /** `series` is a list of points for each line; `label` says in words what is seen. Returns the top of the scale. */
  draw(series, { from, to, label }) {
    const values = series.flat().map(({ value }) => value).filter((value) => value !== null);
    const top = ceiling(Math.max(0, ...values));
    this.#shown = { from, to };
    this.#plot.setAttribute('aria-label', label);
    series.forEach((points, index) => this.#lines[index].setAttribute('d', pathOf(points, { from, to, top })));
    return top;
  }

  #point(event, onPoint) {
    const { left, width } = this.#plot.getBoundingClientRect();
    const share = Math.min(1, Math.max(0, (event.clientX - left) / width));
    for (const end of ['x1', 'x2']) this.#cursor.setAttribute(end, share * WIDTH);
    this.#cursor.setAttribute('visibility', 'visible');
    onPoint(this.#shown.from + share * (this.#shown.to - this.#shown.from));
  }
}
