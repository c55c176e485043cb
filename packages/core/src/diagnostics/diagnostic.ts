import type { DiagnosticCode } from './catalogue.ts';
export type { DiagnosticCode } from './catalogue.ts';
import type { Source, SourceRange } from './source.ts';

/** Something that a user should know about a pipeline. */
export interface Diagnostic {
  readonly code: DiagnosticCode;
  readonly severity: 'error' | 'warning';
  /** What is wrong and what was found, in full sentences. */
  readonly message: string;
  /** Absent for what no file says, such as a command-line value. */
  readonly range?: SourceRange;
  /** Other places that matter. */
  readonly notes?: readonly { readonly message: string; readonly range: SourceRange }[];
  /** Something to type. */
  readonly help?: string;
}

/** Line and column, both from 1; columns count characters. */
export interface Position {
  readonly line: number;
  readonly column: number;
}

/** Offsets at which lines begin, by source: a large file has thousands of places to tell. */
const lineStarts = new WeakMap<Source, readonly number[]>();

function startsOf(source: Source): readonly number[] {
  const known = lineStarts.get(source);
  if (known !== undefined) return known;
  const starts = [0];
  for (let at = source.text.indexOf('\n'); at !== -1; at = source.text.indexOf('\n', at + 1))
    starts.push(at + 1);
  lineStarts.set(source, starts);
  return starts;
}

/** The position of an offset. */
export function positionAt(source: Source, offset: number): Position {
  const starts = startsOf(source);
  let [low, high] = [0, starts.length - 1];
  while (low < high) {
    const middle = Math.ceil((low + high) / 2);
    if ((starts[middle] ?? 0) <= offset) low = middle;
    else high = middle - 1;
  }
  const before = source.text.slice(starts[low] ?? 0, offset).replace(/^\uFEFF/, '');
  return { line: low + 1, column: [...before].length + 1 };
}

/** `file:line:column` of a place. */
export function formatPlace(range: SourceRange): string {
  const { line, column } = positionAt(range.source, range.start);
  return `${escapeUnsafe(range.source.file)}:${line}:${column}`;
}

/** Characters that take two columns in a terminal: Hangul, kana, Han, wide forms and emoji. */
const isWide = (character: string): boolean =>
  /[\u1100-\u115f\u2e80-\ua4cf\uac00-\ud7a3\uf900-\ufaff\ufe30-\ufe6f\uff00-\uff60\uffe0-\uffe6]|\p{Emoji_Presentation}/u.test(
    character,
  );
/** Marks stand on the character before them. */
const isMark = (character: string): boolean => /[\p{Mn}\p{Me}\u200d]/u.test(character);
const columnsOf = (text: string): number =>
  [...text].reduce((sum, character) => sum + (isWide(character) ? 2 : isMark(character) ? 0 : 1), 0);

/** Characters that move the cursor, hide text or turn its direction: a message shows them and does not obey them. */
const unsafe = /[\0-\x08\v\f\x0e-\x1f\x7f-\x9f\u200b\u200e\u200f\u202a-\u202e\u2060-\u2069]/g;
const escapeUnsafe = (text: string): string =>
  text.replaceAll(
    unsafe,
    (character) => `\\u${(character.codePointAt(0) ?? 0).toString(16).padStart(4, '0')}`,
  );

const maxFrameColumns = 100;

/** The line of a place with carets under it; a long line is cut around the place. */
function formatFrame(range: SourceRange): readonly [string, string] {
  const { text } = range.source;
  const { line: number } = positionAt(range.source, range.start);
  const start = startsOf(range.source)[number - 1] ?? 0;
  const next = text.indexOf('\n', start);
  const line = text
    .slice(start, next === -1 ? text.length : next)
    .replace(/\r$/, '')
    .replaceAll(/[\t\uFEFF]/g, ' ')
    .replaceAll(unsafe, '\uFFFD');
  const at = Math.min(range.start - start, line.length);
  const isShort = line.length <= maxFrameColumns || at <= maxFrameColumns * 0.8;
  const shift = isShort ? 0 : at - maxFrameColumns / 2;
  const shown = line.slice(shift, shift + maxFrameColumns).trimEnd();
  const gutter = String(number).padStart(5);
  const before = columnsOf(line.slice(shift, at));
  const marked = columnsOf(line.slice(at, Math.max(at, range.end - start)));
  const carets = '^'.repeat(Math.max(1, Math.min(marked, maxFrameColumns - before)));
  return [`${gutter} | ${shown}`, `${' '.repeat(gutter.length)} | ${' '.repeat(before)}${carets}`];
}

/** How a diagnostic is printed. */
export interface FormatOptions {
  /** Whether terminal colours are written; the default is false. */
  readonly hasColor?: boolean;
}

const paints = { red: 31, yellow: 33, cyan: 36, bold: 1, dim: 2 } as const;

/** A diagnostic as people read it: place, what, the line, notes, help. */
export function formatDiagnostic(diagnostic: Diagnostic, options: FormatOptions = {}): string {
  const paint = (text: string, style: keyof typeof paints): string =>
    options.hasColor === true ? `\u001b[${paints[style]}m${text}\u001b[0m` : text;
  const { range, severity, code, notes = [] } = diagnostic;
  const message = escapeUnsafe(diagnostic.message);
  const help = diagnostic.help === undefined ? undefined : escapeUnsafe(diagnostic.help);
  const tone = severity === 'error' ? 'red' : 'yellow';
  const place = range === undefined ? '' : `${paint(formatPlace(range), 'bold')} `;
  const lines = [`${place}${paint(`${severity} ${code}`, tone)}  ${message}`];
  if (range !== undefined) {
    const [text, carets] = formatFrame(range);
    lines.push(text, paint(carets, tone));
  }
  for (const note of notes) {
    lines.push(`  note: ${escapeUnsafe(note.message)}`, `  ${paint(formatPlace(note.range), 'bold')}`);
    lines.push(...formatFrame(note.range).map((line) => paint(line, 'dim')));
  }
  if (help !== undefined) lines.push(`  ${paint('help:', 'cyan')} ${help}`);
  return lines.join('\n');
}

/** A diagnostic as programs read it. */
export function describeDiagnostic(diagnostic: Diagnostic): Record<string, unknown> {
  const { range, notes = [], ...rest } = diagnostic;
  return {
    ...rest,
    ...(range === undefined ? {} : describeRange(range)),
    notes: notes.map((note) => ({ message: note.message, ...describeRange(note.range) })),
  };
}

function describeRange(range: SourceRange): Record<string, unknown> {
  const end = positionAt(range.source, range.end);
  return {
    file: range.source.file,
    ...positionAt(range.source, range.start),
    endLine: end.line,
    endColumn: end.column,
  };
}
