/** A cell and where it begins. */
export interface Cell {
  readonly value: string;
  /** From 1. */
  readonly line: number;
  /** From 1. */
  readonly column: number;
}

/** A table's records, and what breaks the rules of RFC 4180. */
export interface CsvTable {
  readonly records: readonly (readonly Cell[])[];
  readonly problems: readonly { readonly line: number; readonly column: number; readonly message: string }[];
}

/** The delimiter among `,` `;` tab and `|` that the first line has most of, outside quotes. */
export function detectDelimiter(text: string): string {
  const counts = new Map([',', ';', '\t', '|'].map((character) => [character, 0]));
  let isQuoted = false;
  for (const character of text) {
    if (character === '"') isQuoted = !isQuoted;
    else if (!isQuoted && character === '\n') break;
    else if (!isQuoted && counts.has(character)) counts.set(character, (counts.get(character) ?? 0) + 1);
  }
  return [...counts].reduce((best, item) => (item[1] > best[1] ? item : best))[0];
}

/** Reads one text after the other, keeping line and column. */
class Scanner {
  readonly #text: string;
  at = 0;
  line = 1;
  #lineStart = 0;

  constructor(text: string) {
    this.#text = text;
  }

  get column(): number {
    return this.at - this.#lineStart + 1;
  }

  get isAtEnd(): boolean {
    return this.at >= this.#text.length;
  }

  peek(offset = 0): string {
    return this.#text[this.at + offset] ?? '';
  }

  next(): string {
    const character = this.peek();
    this.at++;
    if (character === '\n') {
      this.line++;
      this.#lineStart = this.at;
    }
    return character;
  }
}

/** Parses comma-separated values: quotes, quoted newlines and doubled quotes, CRLF, a byte order mark. */
export function parseCsv(text: string, delimiter = detectDelimiter(text)): CsvTable {
  const scanner = new Scanner(text);
  if (scanner.peek() === '\uFEFF') scanner.at = 1;
  const records: Cell[][] = [];
  const problems: { line: number; column: number; message: string }[] = [];
  while (!scanner.isAtEnd) {
    const record = parseRecord(scanner, delimiter, problems);
    // A line with nothing on it is not a record.
    if (record.length > 1 || record[0]?.value !== '') records.push(record);
  }
  return { records, problems };
}

function parseRecord(
  scanner: Scanner,
  delimiter: string,
  problems: { line: number; column: number; message: string }[],
): Cell[] {
  const record: Cell[] = [];
  for (;;) {
    const { line, column } = scanner;
    const value =
      scanner.peek() === '"' ? parseQuoted(scanner, delimiter, problems) : parsePlain(scanner, delimiter);
    record.push({ value, line, column });
    if (scanner.isAtEnd) return record;
    const end = scanner.next();
    if (end === delimiter) continue;
    if (end === '\r' && scanner.peek() === '\n') scanner.next();
    return record;
  }
}

function parsePlain(scanner: Scanner, delimiter: string): string {
  let value = '';
  while (!scanner.isAtEnd) {
    const character = scanner.peek();
    if (character === delimiter || character === '\n' || (character === '\r' && scanner.peek(1) === '\n'))
      break;
    value += scanner.next();
  }
  return value;
}

function parseQuoted(
  scanner: Scanner,
  delimiter: string,
  problems: { line: number; column: number; message: string }[],
): string {
  const start = { line: scanner.line, column: scanner.column };
  scanner.next();
  let value = '';
  for (;;) {
    if (scanner.isAtEnd) {
      problems.push({ ...start, message: 'A quoted field begins here and never ends.' });
      return value;
    }
    const character = scanner.next();
    if (character !== '"') value += character;
    else if (scanner.peek() === '"') value += scanner.next();
    else break;
  }
  const after = scanner.peek();
  if (!scanner.isAtEnd && after !== delimiter && after !== '\n' && after !== '\r') {
    problems.push({
      line: scanner.line,
      column: scanner.column,
      message: `After a quoted field comes ${JSON.stringify(after)}, not a delimiter or the end of the line.`,
    });
    parsePlain(scanner, delimiter);
  }
  return value;
}
