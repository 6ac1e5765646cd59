// What the documents say of this package is so: the API reference is what the sources give, and all code fits the library as it is built.

import { spawnSync } from 'node:child_process';
import { existsSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import ts from 'typescript';
import { expect, onTestFinished, test, vi } from 'vitest';
import { blocksOf, type CodeBlock, documents, textOf } from './support/docs.ts';

const PACKAGE = fileURLToPath(new URL('..', import.meta.url));

/** A compiler, on a machine that may have other things to do. */
vi.setConfig({ testTimeout: 240_000 });

test('the API reference is what the sources give, and everything that is exported has a comment', () => {
  const home = mkdtempSync(join(tmpdir(), 'switchboard-api-'));
  onTestFinished(() => rmSync(home, { recursive: true, force: true }));
  const { status, stdout, stderr } = spawnSync('npx', ['typedoc', '--out', home], { cwd: PACKAGE, encoding: 'utf8' });
  expect(status, stderr).toBe(0);
  const warnings = `${stdout}\n${stderr}`.split('\n');
  expect(warnings.join('\n'), 'they are told').toMatch(/Found 0 errors and \d+ warnings/);
  const complaints = warnings
    .filter((line) => line.includes('[warning]') && !/Found \d+ errors and \d+ warnings/.test(line))
    // docs/protocol.md tells of the fields of frames, and a field of an unnamed type is told of by whatever has that type.
    .filter((line) => !line.includes('/src/wire.generated.ts') && !line.includes('.__type.'));
  expect(complaints).toEqual([]);
  const made = readdirSync(home).sort();
  expect(readdirSync(join(PACKAGE, 'docs/api')).sort()).toEqual(made);
  for (const file of made) {
    const fresh = readFileSync(join(home, file), 'utf8') === textOf(`docs/api/${file}`);
    expect(fresh, `run \`npm run api\` in clients/web/client, and commit docs/api/${file}`).toBe(true);
  }
});

/** The entries by what they export: an example of the reference need not say where from. */
const EXPORTS = new Map<string, string>();
for (const entry of ['index', 'signaling', 'telemetry', 'media', 'react', 'testing', 'texts']) {
  const types = readFileSync(join(PACKAGE, `dist/${entry}.d.ts`), 'utf8');
  const [, list = ''] = /^export \{ (.*) \};$/m.exec(types) ?? [];
  for (const name of list.split(', ').map((one) => one.replace(/^type /, '').replace(/^.* as /, ''))) {
    if (!EXPORTS.has(name)) EXPORTS.set(name, entry === 'index' ? '@switchboard/client' : `@switchboard/client/${entry}`);
  }
}

/** What examples have without saying so, and pages say that it is the reader's own. */
const GIVEN = `
import type { Peer, Publication, Room } from '@switchboard/client';
import type { Devices } from '@switchboard/client/media';
import type { SignalingClient } from '@switchboard/client/signaling';
import type { TestServer } from '@switchboard/client/testing';
declare global {
  const room: Room;
  const peer: Peer;
  const publication: Publication;
  const client: SignalingClient;
  const server: TestServer;
  const devices: Devices;
  const stream: MediaStream;
  const friendId: string;
  const h: (type: any, properties: object | null, ...children: any[]) => import('react').ReactElement;
  function show(stream: MediaStream, of?: unknown): void;
  function videoOf(peer: Peer): HTMLVideoElement;
  function sendToFriend(text: string): void;
  function onMessageOfFriend(listener: (text: string) => void): void;
}
`;

function written({ code, document }: CodeBlock): string {
  if (!document.startsWith('docs/api/')) return `${code}\nexport {};\n`;
  const own = (name: string) => new RegExp(`(const|function|let) ${name}\\b`).test(code);
  const used = [...EXPORTS].filter(
    ([name]) => new RegExp(`\\b${name}\\b(?!:)`).test(code) && !own(name) && !/^[a-z]$/.test(name),
  );
  return `${used.map(([name, from]) => `import { ${name} } from '${from}';`).join('\n')}\n${code}\nexport {};\n`;
}

/** What the compiler says of these blocks, each by where it stands. */
function complaintsAbout(blocks: CodeBlock[], options: ts.CompilerOptions): string[] {
  // Within the package, so that its name leads to what was built.
  const home = join(PACKAGE, 'dist/documented');
  rmSync(home, { recursive: true, force: true });
  onTestFinished(() => rmSync(home, { recursive: true, force: true }));
  const places = new Map<string, CodeBlock>();
  for (const [at, block] of blocks.entries()) {
    const folder = join(home, block.document.replace(/\W/g, '-'));
    mkdirSync(folder, { recursive: true });
    const file = join(folder, block.file ?? `block-${at}.${block.language}`);
    writeFileSync(file, written(block));
    places.set(file, block);
  }
  const given = join(home, 'given.d.ts');
  writeFileSync(given, GIVEN);
  const program = ts.createProgram([given, ...places.keys()], {
    target: ts.ScriptTarget.ES2022,
    module: ts.ModuleKind.ESNext,
    moduleResolution: ts.ModuleResolutionKind.Bundler,
    lib: ['lib.es2022.d.ts', 'lib.dom.d.ts', 'lib.dom.iterable.d.ts', 'lib.esnext.disposable.d.ts'],
    types: ['node'],
    jsx: ts.JsxEmit.ReactJSX,
    strict: true,
    noUncheckedIndexedAccess: true,
    exactOptionalPropertyTypes: true,
    allowImportingTsExtensions: true,
    skipLibCheck: true,
    noEmit: true,
    ...options,
  });
  return ts.getPreEmitDiagnostics(program).map(({ file, messageText }) => {
    const block = places.get(file?.fileName ?? '');
    return `${block ? `${block.document}:${block.line}` : file?.fileName}: ${ts.flattenDiagnosticMessageText(messageText, '\n')}`;
  });
}

test('all code in the documents fits the library, and what its pages say of others', () => {
  const blocks = documents().flatMap(blocksOf);
  const typed = blocks.filter(({ language }) => language !== 'js');
  expect(typed.length).toBeGreaterThan(38);
  expect(complaintsAbout(typed, {})).toEqual([]);
  const untyped = blocks.filter(({ language }) => language === 'js');
  expect(untyped.length).toBeGreaterThan(4);
  const lenient = { allowJs: true, checkJs: true, strict: false, exactOptionalPropertyTypes: false };
  expect(complaintsAbout(untyped, lenient)).toEqual([]);
  // A compiler that is content with everything would be, too.
  const [, block] = typed as [CodeBlock, CodeBlock];
  expect(
    complaintsAbout([{ ...block, code: "import { joinRoom } from '@switchboard/client';\njoinRoom(1);" }], {}),
  ).toHaveLength(1);
});

test('links of the documents lead somewhere', () => {
  const lost: string[] = [];
  const headings = (path: string) =>
    [...readFileSync(path, 'utf8').matchAll(/^#+ (.*)$/gm)].map(([, heading]) =>
      (heading as string)
        .toLowerCase()
        .replace(/[^\p{L}\p{N}\s_-]/gu, '')
        .replace(/ /g, '-'),
    );
  for (const document of documents().filter((name) => !name.startsWith('docs/api/'))) {
    for (const [, target = ''] of textOf(document)
      .replace(/```.*?```/gs, '')
      .matchAll(/\]\(([^)]+)\)/g)) {
      if (/^https?:/.test(target)) continue;
      const [file = '', anchor] = target.split('#');
      const path = file ? join(PACKAGE, dirname(document), file) : join(PACKAGE, document);
      if (!existsSync(path) || (anchor && !headings(path).includes(anchor))) lost.push(`${document}: ${target}`);
    }
  }
  expect(lost).toEqual([]);
});
