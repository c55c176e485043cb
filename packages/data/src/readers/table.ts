import type { FieldNames, RawRow, ReadResult, RowProblem, RowShape } from '../row.ts';
import { detectShape, formatConversation, readConversation } from './chat.ts';
import { parseCsv } from './csv.ts';
import { readJsonArray, readJsonLines } from './json.ts';
import type { TableRecord } from './table-record.ts';

/** What to make of a table. */
export interface TableOptions {
  readonly fields?: FieldNames;
  /** Absent: from the names of the first row's fields. */
  readonly shape?: RowShape;
}

const usualNames = {
  text: ['text', 'sentence', 'content', 'message', 'utterance', 'question', 'body', 'query'],
  label: ['label', 'category', 'target', 'intent', 'class', 'labels'],
  id: ['id'],
  group: [],
  split: ['split'],
} as const;

const splits: Readonly<Record<string, RawRow['split']>> = {
  train: 'train',
  training: 'train',
  validation: 'validation',
  valid: 'validation',
  val: 'validation',
  dev: 'validation',
  test: 'test',
};

type Role = keyof typeof usualNames;
const roles: readonly Role[] = ['text', 'label', 'id', 'group', 'split'];

interface ResolvedFields {
  readonly fields: FieldNames;
  readonly problems: readonly RowProblem[];
}

/** Finds the field of each role: the one that a param names, or the first of the usual names. */
function resolveFields(
  file: string,
  line: number,
  names: readonly string[],
  wanted: FieldNames,
): ResolvedFields {
  const problems: RowProblem[] = [];
  const fields: Partial<Record<Role, string>> = {};
  const list = names.map((name) => `"${name}"`).join(', ');
  for (const role of roles) {
    const named = wanted[role];
    const found =
      named === undefined
        ? usualNames[role].find((name) => names.includes(name))
        : names.find((name) => name === named);
    if (found !== undefined) fields[role] = found;
    else if (named !== undefined)
      problems.push({
        file,
        line,
        field: named,
        message: `No field is named "${named}"; the fields are ${list}. Set fields.${role}.`,
      });
  }
  return { fields, problems };
}

const isProblem = (row: RawRow | RowProblem): row is RowProblem => 'message' in row;

const isScalar = (value: unknown): value is string | number | boolean =>
  typeof value === 'string' || typeof value === 'number' || typeof value === 'boolean';

/** A problem at one field of a row, with the column where the file has columns. */
function problemAt(file: string, record: TableRecord, field: string, message: string): RowProblem {
  const column = record.columns?.get(field);
  return { file, line: record.line, ...(column === undefined ? {} : { column }), field, message };
}

/** The values that every shape has: id, group and split. */
function readCommon(
  file: string,
  record: TableRecord,
  fields: FieldNames,
): Pick<RawRow, 'id' | 'group' | 'split'> | RowProblem {
  const read = (role: 'id' | 'group' | 'split'): string | undefined => {
    const value = fields[role] === undefined ? undefined : record.values.get(fields[role]);
    return isScalar(value) && value !== '' ? String(value) : undefined;
  };
  const [id, group, named] = [read('id'), read('group'), read('split')];
  const split = named === undefined ? undefined : splits[named.toLowerCase()];
  if (named !== undefined && split === undefined)
    return problemAt(
      file,
      record,
      fields.split ?? 'split',
      `The split must be train, validation or test, but is ${JSON.stringify(named)}.`,
    );
  return {
    ...(id === undefined ? {} : { id }),
    ...(group === undefined ? {} : { group }),
    ...(split === undefined ? {} : { split }),
  };
}

/** A row with a text and perhaps a label. */
function makeTextRow(file: string, record: TableRecord, fields: FieldNames): RawRow | RowProblem {
  const common = readCommon(file, record, fields);
  if ('message' in common) return common;
  const text = record.values.get(fields.text ?? '');
  if (typeof text !== 'string')
    return problemAt(
      file,
      record,
      fields.text ?? 'text',
      `The text must be a string, but is ${JSON.stringify(text) ?? 'missing'}.`,
    );
  const label = fields.label === undefined ? undefined : record.values.get(fields.label);
  if (label !== undefined && label !== null && !isScalar(label))
    return problemAt(
      file,
      record,
      fields.label ?? 'label',
      `The label must be a string or a number, but is ${JSON.stringify(label)}.`,
    );
  const hasLabel = label !== undefined && label !== null && String(label).trim() !== '';
  return {
    ...common,
    text,
    place: { file, line: record.line },
    ...(hasLabel ? { label: String(label).trim() } : {}),
  };
}

/** A row with a conversation, or every problem in it. */
function makeChatRow(
  file: string,
  record: TableRecord,
  shape: RowShape,
  fields: FieldNames,
): readonly (RawRow | RowProblem)[] {
  const common = readCommon(file, record, fields);
  if ('message' in common) return [common];
  const result = readConversation(record.values, shape);
  if (result.messages === undefined)
    return result.problems.map(({ field, message }) => ({ file, line: record.line, field, message }));
  const { messages } = result;
  return [{ ...common, messages, text: formatConversation(messages), place: { file, line: record.line } }];
}

/** Makes rows of a table's records; the first record decides the shape. */
function makeRows(file: string, records: readonly TableRecord[], options: TableOptions): ReadResult {
  const [first] = records;
  if (first === undefined) return { rows: [], problems: [] };
  const names = [...first.values.keys()];
  // A CSV file names its fields in line 1, above the first record.
  const { fields, problems } = resolveFields(
    file,
    first.columns === undefined ? first.line : 1,
    names,
    options.fields ?? {},
  );
  if (problems.length > 0) return { rows: [], problems };
  const shape =
    options.shape ??
    detectShape(names, { hasText: fields.text !== undefined, hasLabel: fields.label !== undefined });
  if (typeof shape === 'object')
    return { rows: [], problems: [{ file, line: first.line, message: shape.reason }] };
  const isChat = shape !== 'classification' && shape !== 'text';
  if (!isChat && fields.text === undefined) {
    const list = names.map((name) => `"${name}"`).join(', ');
    const message = `No field holds the text; the fields are ${list}. Set fields.text.`;
    return { rows: [], problems: [{ file, line: first.columns === undefined ? first.line : 1, message }] };
  }
  const made = records.flatMap((record) =>
    isChat ? makeChatRow(file, record, shape, fields) : [makeTextRow(file, record, fields)],
  );
  return {
    rows: made.filter((row): row is RawRow => !isProblem(row)),
    problems: made.filter(isProblem),
    shape,
  };
}

/** Joins what reading a file's syntax found with what making rows found, in the order of lines. */
function joinProblems(result: ReadResult, broken: readonly RowProblem[]): ReadResult {
  if (broken.length === 0) return result;
  return { ...result, problems: [...broken, ...result.problems].sort((a, b) => a.line - b.line) };
}

/** Rows of comma-separated values with a header line. */
export function readCsvRows(file: string, text: string, options: TableOptions = {}): ReadResult {
  const { records, problems: broken } = parseCsv(text);
  const [header = [], ...body] = records;
  const names = header.map((cell) => cell.value.trim());
  const problems: RowProblem[] = broken.map((problem) => ({ file, ...problem }));
  const twice = names.find((name, index) => names.indexOf(name) !== index);
  if (twice !== undefined) {
    const cell = header[names.lastIndexOf(twice)];
    const message = `Two fields are named ${JSON.stringify(twice)}.`;
    problems.push({ file, line: cell?.line ?? 1, column: cell?.column ?? 1, field: twice, message });
  }
  const whole: TableRecord[] = [];
  for (const record of body) {
    const line = record[0]?.line ?? 1;
    if (record.length === names.length)
      whole.push({
        line,
        values: new Map(names.map((name, index) => [name, record[index]?.value])),
        columns: new Map(names.map((name, index) => [name, record[index]?.column ?? 1])),
      });
    else
      problems.push({
        file,
        line,
        column: record.at(-1)?.column ?? 1,
        message: `This row has ${record.length} ${record.length === 1 ? 'field' : 'fields'}, but the header has ${names.length}.`,
      });
  }
  return joinProblems(makeRows(file, whole, options), problems);
}

/** Rows of a file with one JSON object a line. */
export function readJsonlRows(file: string, text: string, options: TableOptions = {}): ReadResult {
  const { records, problems } = readJsonLines(file, text);
  return joinProblems(makeRows(file, records, options), problems);
}

/** Rows of a file with one JSON array of objects. */
export function readJsonRows(file: string, text: string, options: TableOptions = {}): ReadResult {
  const { records, problems } = readJsonArray(file, text);
  return joinProblems(makeRows(file, records, options), problems);
}
