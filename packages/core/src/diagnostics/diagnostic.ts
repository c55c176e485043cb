import type { DiagnosticCode } from './catalogue.ts';
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

/** The position of an offset. */
export function positionAt(source: Source, offset: number): Position {
  const before = source.text.slice(0, offset);
  const start = before.lastIndexOf('\n') + 1;
  let line = 1;
  for (let at = before.indexOf('\n'); at !== -1; at = before.indexOf('\n', at + 1)) line++;
  return { line, column: [...before.slice(start)].length + 1 };
}

/** `file:line:column` of a place. */
export function formatPlace(range: SourceRange): string {
  const { line, column } = positionAt(range.source, range.start);
  return `${range.source.file}:${line}:${column}`;
}

/** Characters that take two columns in a terminal: Hangul, kana, Han and wide forms. */
const isWide = (character: string): boolean =>
  /[\u1100-\u115f\u2e80-\ua4cf\uac00-\ud7a3\uf900-\ufaff\ufe30-\ufe6f\uff00-\uff60\uffe0-\uffe6]/.test(
    character,
  );
const columnsOf = (text: string): number =>
  [...text].reduce((sum, character) => sum + (isWide(character) ? 2 : 1), 0);

const maxFrameColumns = 100;

/** The line of a place with carets under it. */
function formatFrame(range: SourceRange): string {
  const { text } = range.source;
  const start = text.lastIndexOf('\n', range.start - 1) + 1;
  const next = text.indexOf('\n', range.start);
  const end = next === -1 ? text.length : next;
  const line = text.slice(start, end).replace(/\r$/, '').replaceAll('\t', ' ');
  const { line: number } = positionAt(range.source, range.start);
  const shift = Math.max(0, range.start - start - maxFrameColumns / 2);
  const shown = line.slice(shift, shift + maxFrameColumns);
  const gutter = String(number).padStart(5);
  const before = columnsOf(line.slice(shift, range.start - start));
  const marked = line.slice(range.start - start, Math.min(range.end, end) - start);
  const carets = '^'.repeat(Math.max(1, Math.min(columnsOf(marked), maxFrameColumns)));
  return `${gutter} | ${shown}\n${' '.repeat(gutter.length)} | ${' '.repeat(before)}${carets}`;
}

/** A diagnostic as people read it: place, what, the line, notes, help. */
export function formatDiagnostic(diagnostic: Diagnostic): string {
  const { range, severity, code, message, notes = [], help } = diagnostic;
  const place = range === undefined ? '' : `${formatPlace(range)} `;
  const lines = [`${place}${severity} ${code}  ${message}`];
  if (range !== undefined) lines.push(formatFrame(range));
  for (const note of notes) lines.push(`  note: ${note.message}`, `  ${formatPlace(note.range)}`);
  if (help !== undefined) lines.push(`  help: ${help}`);
  return lines.join('\n');
}

/** A diagnostic as programs read it. */
export function describeDiagnostic(diagnostic: Diagnostic): Record<string, unknown> {
  const { range, notes = [], ...rest } = diagnostic;
  const place =
    range === undefined ? {} : { file: range.source.file, ...positionAt(range.source, range.start) };
  return {
    ...rest,
    ...place,
    notes: notes.map((note) => ({
      message: note.message,
      file: note.range.source.file,
      ...positionAt(note.range.source, note.range.start),
    })),
  };
}
