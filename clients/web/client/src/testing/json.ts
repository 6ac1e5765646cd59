// JSON as the server reads it ("Strictness" in docs/protocol.md): what `JSON.parse` is too lenient about is refused.

/** Most digits of a number, those of its fraction and exponent included. */
const LONGEST_NUMBER = 400;
const TOKEN = /"(?:[^"\\]|\\.)*"|-?\d[\d.eE+-]*|[{}[\]:,]|[a-z]+/g;
const LONE_SURROGATE = /[\ud800-\udbff](?![\udc00-\udfff])|(?<![\ud800-\udbff])[\udc00-\udfff]/;

/** What is wrong with the tokens of a text that is JSON: fields of the frame, or of an object in it, that are repeated, numbers, surrogates. */
function flaw(text: string): string | undefined {
  const objects: (Set<string> | undefined)[] = []; // undefined: an array, or within a payload
  let path: string[] = [];
  let previous = '';
  const tokens = text.match(TOKEN) ?? [];
  for (const [at, token] of tokens.entries()) {
    if (token === '{' || token === '[') {
      const payload = path.slice(0, objects.length).some((name) => name === 'data' || name === 'meta');
      objects.push(token === '{' && !payload ? new Set() : undefined);
    } else if (token === '}' || token === ']') objects.pop();
    else if (token.startsWith('"')) {
      const value = JSON.parse(token) as string;
      if (LONE_SURROGATE.test(value)) return 'half of a surrogate pair';
      const fields = objects.at(-1);
      if (tokens[at + 1] === ':' && previous !== ':') {
        if (fields?.has(value)) return `the field ${value} is repeated`;
        fields?.add(value);
        path = [...path.slice(0, objects.length - 1), value];
      }
    } else if (/^[-\d]/.test(token)) {
      if (token.replace(/\D/g, '').length > LONGEST_NUMBER) return 'a number of more than 400 digits';
      if (!Number.isFinite(Number(token))) return 'a number that is infinite';
    }
    previous = token;
  }
  return undefined;
}

/** The value, and what is wrong with it. */
export function readJson(text: string): { value?: unknown; flaw?: string } {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch {
    return { flaw: 'no JSON' };
  }
  const found = flaw(text);
  return { value, ...(found !== undefined && { flaw: found }) };
}

/** How many levels of arrays and objects a value has. */
export function depthOf(value: unknown): number {
  if (typeof value !== 'object' || value === null) return 0;
  return 1 + Math.max(0, ...Object.values(value).map(depthOf));
}

/** Whether the integer that stands for a field is written without fraction and exponent. */
export const isPlainInteger = (text: string, field: string): boolean =>
  !new RegExp(`"${field}"\\s*:\\s*-?\\d+[.eE]`).test(text);
