/** A cell and where it begins. */
export interface Cell {
  readonly value: string;
  /** From 1. */
  readonly line: number;
  /** From 1. */
  readonly column: number;
}

/** What breaks the rules of RFC 4180, and where. */
interface CsvProblem {
  readonly line: number;
  readonly column: number;
  readonly message: string;
}

/** A table's records, and what breaks the rules of RFC 4180. */
export interface CsvTable {
  readonly records: readonly (readonly Cell[])[];
  readonly problems: readonly CsvProblem[];
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
  readonly text: string;
  at = 0;
  line: number;
  #lineStart = 0;

  constructor(text: string, line: number) {
    this.text = text;
    this.line = line;
  }

  get column(): number {
    return this.at - this.#lineStart + 1;
  }

  get isAtEnd(): boolean {
    return this.at >= this.text.length;
  }

  peek(offset = 0): string {
    return this.text[this.at + offset] ?? '';
  }

  next(): string {
    const character = this.peek();
    this.moveTo(this.at + 1);
    return character;
  }

  /** Goes on behind what was read, counting its lines. */
  moveTo(end: number): string {
    const from = this.at;
    for (
      let at = this.text.indexOf('\n', from);
      at !== -1 && at < end;
      at = this.text.indexOf('\n', at + 1)
    ) {
      this.line++;
      this.#lineStart = at + 1;
    }
    this.at = end;
    return this.text.slice(from, end);
  }
}

/** Parses comma-separated values as they come: quotes, quoted newlines and doubled quotes, CRLF, a byte order mark. */
export class CsvParser {
  #delimiter: string | undefined;
  #rest = '';
  #line = 1;

  /** `delimiter` is found in the first line where it is absent. */
  constructor(delimiter?: string) {
    this.#delimiter = delimiter;
  }

  /** The records that end in what was given so far; what may go on is kept for the next call. */
  parse(text: string, isLast: boolean): CsvTable {
    const whole = this.#rest + text;
    this.#delimiter ??= detectDelimiter(whole);
    const scanner = new Scanner(whole, this.#line);
    const records: Cell[][] = [];
    const problems: CsvProblem[] = [];
    let done = { at: 0, line: this.#line };
    while (!scanner.isAtEnd) {
      const found: CsvProblem[] = [];
      const record = parseRecord(scanner, this.#delimiter, found);
      // Blocks end with a line, so only a quoted field can reach over the end: it is read again with what follows.
      const mayGoOn =
        !isLast && whole.length < maxRecord && found.some(({ message }) => message === neverEnds);
      if (scanner.isAtEnd && mayGoOn) break;
      done = { at: scanner.at, line: scanner.line };
      problems.push(...found);
      // A line with nothing on it is not a record.
      if (record.length > 1 || record[0]?.value !== '') records.push(record);
    }
    this.#rest = whole.slice(done.at);
    this.#line = done.line;
    return { records, problems };
  }
}

/** A quoted field that is longer than this many characters has lost its end. */
const maxRecord = 1 << 26;

const neverEnds = 'A quoted field begins here and never ends.';

function parseRecord(scanner: Scanner, delimiter: string, problems: CsvProblem[]): Cell[] {
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
  const { text } = scanner;
  let at = scanner.at;
  for (; at < text.length; at++) {
    const character = text[at];
    if (character === delimiter || character === '\n' || (character === '\r' && text[at + 1] === '\n')) break;
  }
  return scanner.moveTo(at);
}

function parseQuoted(scanner: Scanner, delimiter: string, problems: CsvProblem[]): string {
  const start = { line: scanner.line, column: scanner.column };
  scanner.next();
  let value = '';
  for (;;) {
    const quote = scanner.text.indexOf('"', scanner.at);
    if (quote === -1) {
      problems.push({ ...start, message: neverEnds });
      return value + scanner.moveTo(scanner.text.length);
    }
    value += scanner.moveTo(quote);
    scanner.next();
    if (scanner.peek() === '"') value += scanner.next();
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
