// Node has no page that could tell of its network: here the test is the page.

import { setMaxListeners } from 'node:events';

const page = new EventTarget();
setMaxListeners(0, page); // many clients may be on one page
Object.assign(globalThis, {
  addEventListener: page.addEventListener.bind(page),
  removeEventListener: page.removeEventListener.bind(page),
  dispatchEvent: page.dispatchEvent.bind(page),
});

/** The news that a browser would tell: `online`, `pageshow`. */
export const tells = (type: string): void => void page.dispatchEvent(new Event(type));
