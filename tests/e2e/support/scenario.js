// A test with an end: whatever hangs (a page's promise that nobody keeps) fails after a minute and a half.

import { test } from 'node:test';

export const scenario = (name, run) => test(name, { timeout: 90_000 }, run);
