// The code in this package's documents.

import { readdirSync, readFileSync } from 'node:fs';

const PACKAGE = new URL('../../', import.meta.url);

export interface CodeBlock {
  /** Where it stands. */
  document: string;
  line: number;
  language: 'ts' | 'tsx' | 'js';
  code: string;
  /** What its first line calls it. */
  file: string | undefined;
}

/** README.md, the pages of docs, and the API reference. */
export const documents = (): string[] => [
  'README.md',
  ...readdirSync(new URL('docs/', PACKAGE))
    .filter((name) => name.endsWith('.md'))
    .map((name) => `docs/${name}`),
  ...readdirSync(new URL('docs/api/', PACKAGE)).map((name) => `docs/api/${name}`),
];

export const textOf = (document: string): string => readFileSync(new URL(document, PACKAGE), 'utf8');

/** All code of a document. In the API reference signatures look like code, too: there it is what is called an example. */
export function blocksOf(document: string): CodeBlock[] {
  const text = textOf(document);
  const reference = document.startsWith('docs/api/');
  return [...text.matchAll(/(^[^\n]*\n\n)?^```(ts|tsx|js)\n(.*?)^```$/gms)]
    .filter(([, before]) => !reference || /^#+ Examples?\n\n$/.test(before ?? ''))
    .map(({ 2: language, 3: code = '', index }) => ({
      document,
      line: text.slice(0, index).split('\n').length,
      language: language as CodeBlock['language'],
      code,
      file: /^\/\/ ([\w-]+\.tsx?)\n/.exec(code)?.[1],
    }));
}
