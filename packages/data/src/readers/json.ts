import type { RowProblem } from '../row.ts';
import type { RecordBatch, TableRecord } from './table-record.ts';

const describe = (value: unknown): string =>
  Array.isArray(value) ? 'an array' : (JSON.stringify(value) ?? 'nothing').slice(0, 60);

/** Parses one piece of JSON that has to be an object. */
function parseRecord(file: string, line: number, content: string): TableRecord | RowProblem {
  let value: unknown;
  try {
    value = JSON.parse(content);
  } catch (error) {
    // V8 adds a line and a column of the piece, which are not those of the file.
    const reason = String(error)
      .replace(/^SyntaxError: /, '')
      .replace(/ \(line \d+ column \d+\)$/, '');
    return { file, line, message: `This is not JSON: ${reason}.` };
  }
  if (typeof value !== 'object' || value === null || Array.isArray(value))
    return { file, line, message: `A row must be a JSON object, but is ${describe(value)}.` };
  return { line, values: new Map(Object.entries(value)) };
}

function sortOut(items: readonly (TableRecord | RowProblem)[]): RecordBatch {
  const isProblem = (item: TableRecord | RowProblem): item is RowProblem => 'message' in item;
  return {
    records: items.filter((item): item is TableRecord => !isProblem(item)),
    problems: items.filter(isProblem),
  };
}

/** The objects of lines with one each; `first` is the number of the first line. */
export function readJsonLines(file: string, text: string, first: number): RecordBatch {
  return sortOut(
    text
      .split('\n')
      .flatMap((content, index) =>
        content.trim() === '' ? [] : [parseRecord(file, first + index, content)],
      ),
  );
}

function isJson(text: string): boolean {
  try {
    JSON.parse(text);
    return true;
  } catch {
    return false;
  }
}

/**
 * The objects of a file that is one array, each parsed on its own so that it keeps its line; a file that is one object
 * is one record, as in folders with a file for each text.
 */
export function readJsonArray(file: string, text: string): RecordBatch {
  if (/^\s*\{/.test(text) && isJson(text)) return sortOut([parseRecord(file, 1, text)]);
  const pieces = splitArray(text);
  if (pieces === undefined) {
    const message =
      'This file must hold one JSON array of objects, one object, or one object a line as .jsonl.';
    return { records: [], problems: [{ file, line: 1, message }] };
  }
  return sortOut(pieces.map((piece) => parseRecord(file, piece.line, piece.content)));
}

/** Cuts an array's text at the commas of its first level; undefined where it is not an array. */
function splitArray(
  text: string,
): readonly { readonly line: number; readonly content: string }[] | undefined {
  if (!/^\s*\[/.test(text)) return undefined;
  const pieces: { line: number; content: string }[] = [];
  let [depth, line, start, startLine] = [0, 1, 0, 1];
  let isInString = false;
  const close = (end: number): void => {
    const content = text.slice(start, end);
    if (content.trim() !== '')
      pieces.push({ line: startLine + (/^\s*/.exec(content)?.[0].split('\n').length ?? 1) - 1, content });
    start = end + 1;
    startLine = line;
  };
  for (let at = 0; at < text.length; at++) {
    const character = text[at];
    if (character === '\n') line++;
    if (isInString) {
      if (character === '\\') at++;
      else if (character === '"') isInString = false;
    } else if (character === '"') isInString = true;
    else if (character === '[' || character === '{') {
      depth++;
      if (depth === 1) [start, startLine] = [at + 1, line];
    } else if (character === ']' || character === '}') {
      depth--;
      if (depth === 0) {
        close(at);
        return text.slice(at + 1).trim() === '' ? pieces : undefined;
      }
    } else if (character === ',' && depth === 1) close(at);
  }
  return undefined;
}
