// Node has no page that could tell of its network: here the test is the page.

const page = new EventTarget();
Object.assign(globalThis, {
  addEventListener: page.addEventListener.bind(page),
  removeEventListener: page.removeEventListener.bind(page),
  dispatchEvent: page.dispatchEvent.bind(page),
});

/** The news that a browser would tell: `online`, `pageshow`. */
export const tells = (type: string): void => void page.dispatchEvent(new Event(type));
