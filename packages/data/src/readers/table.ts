import type { FieldNames, RawRow, RowBatch, RowProblem, RowShape } from '../row.ts';
import { formatConversation, readConversation } from './chat.ts';
import { describeValue, pointerTo } from './field-problem.ts';
import { detectShape, fieldsOf, isChatShape } from './shape.ts';
import type { ShapeVerdict } from './shape.ts';
import { splitNames } from './split-names.ts';
import type { RecordBatch, TableRecord } from './table-record.ts';
import { readTokens } from './tokens.ts';

/** What to make of a table. */
export interface TableOptions {
  readonly fields?: FieldNames;
  /** Absent: from the names of the fields of each row; `chat` is any conversation. */
  readonly shape?: RowShape | 'chat';
}

const usualNames = {
  text: ['text', 'sentence', 'content', 'message', 'utterance', 'question', 'body', 'query'],
  label: ['label', 'category', 'target', 'intent', 'class', 'labels'],
  id: ['id'],
  group: [],
  split: ['split'],
  prompt: [],
  completion: [],
  system: [],
  messages: [],
  tools: [],
} as const;

type Role = keyof typeof usualNames;
const roles: readonly Role[] = [
  'text',
  'label',
  'id',
  'group',
  'split',
  'prompt',
  'completion',
  'system',
  'messages',
  'tools',
];
/** Of JSON, the first row need not have these for others to have them. */
const optionalRoles: readonly Role[] = ['system', 'tools'];

interface ResolvedFields {
  readonly fields: FieldNames;
  readonly problems: readonly RowProblem[];
}

/** A CSV file names its fields in line 1, above the first record. */
const headerLine = (first: TableRecord): number => (first.columns === undefined ? first.line : 1);

/** Finds the field of each role: the one that a param names, or the first of the usual names. */
function resolveFields(file: string, first: TableRecord, wanted: FieldNames): ResolvedFields {
  const names = [...first.values.keys()];
  const line = headerLine(first);
  const problems: RowProblem[] = [];
  const fields: Partial<Record<Role, string>> = {};
  const list = listNames(first);
  for (const role of roles) {
    const named = wanted[role];
    const found =
      named === undefined
        ? usualNames[role].find((name) => names.includes(name))
        : names.find((name) => name === named);
    const isOptional = first.columns === undefined && optionalRoles.includes(role);
    const field = found ?? (isOptional ? named : undefined);
    if (field !== undefined) fields[role] = field;
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
  if (record.columns === undefined) return { file, line: record.line, field: pointerTo(field), message };
  const column = record.columns.get(field);
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
  const split = named === undefined ? undefined : splitNames[named.toLowerCase()];
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
      `The text must be a string, but is ${describeValue(text)}.`,
    );
  const label = fields.label === undefined ? undefined : record.values.get(fields.label);
  if (label !== undefined && label !== null && !isScalar(label))
    return problemAt(
      file,
      record,
      fields.label ?? 'label',
      `The label must be a string or a number, but is ${describeValue(label)}.`,
    );
  const hasLabel = label !== undefined && label !== null && String(label).trim() !== '';
  return {
    ...common,
    text,
    place: { file, line: record.line },
    ...(hasLabel ? { label: String(label).trim() } : {}),
  };
}

/** A row with a conversation or with tokens, or every problem in it. */
function makeNestedRow(
  file: string,
  record: TableRecord,
  shape: RowShape,
  fields: FieldNames,
): readonly (RawRow | RowProblem)[] {
  const common = readCommon(file, record, fields);
  if ('message' in common) return [common];
  const place = { file, line: record.line };
  const tell = ({ field, message }: { readonly field: string; readonly message: string }): RowProblem => {
    const column = record.columns?.get(field.split('/')[1] ?? '');
    return { ...place, ...(column === undefined ? {} : { column }), field, message };
  };
  if (shape === 'tokens') {
    const { tokens, problems } = readTokens(record.values);
    return tokens === undefined
      ? problems.map(tell)
      : [{ ...common, tokens, text: tokens.ids.join(' '), place }];
  }
  const result = readConversation(record.values, shape, fields);
  if (result.messages === undefined) return result.problems.map(tell);
  const { messages, tools } = result;
  const text = formatConversation(messages);
  return [{ ...common, messages, ...(tools === undefined ? {} : { tools }), text, place }];
}

/** Makes rows of one table's records as they come; the first record decides which fields hold what. */
export class RowMaker {
  readonly #file: string;
  readonly #options: TableOptions;
  #fields: FieldNames | undefined;
  #shape: RowShape | undefined;
  #isRefused = false;
  #read = 0;
  #fit = 0;
  /** Whether rows with such fields fit, by the names of their fields. */
  readonly #known = new Map<string, string | undefined>();

  constructor(file: string, options: TableOptions = {}) {
    this.#file = file;
    this.#options = options;
  }

  /** What the rows so far were taken for; undefined where there were none, or none could be read. */
  get verdict(): ShapeVerdict | undefined {
    if (this.#shape === undefined) return undefined;
    return {
      shape: this.#shape,
      fields: fieldsOf(this.#shape, this.#fields ?? {}),
      read: this.#read,
      fit: this.#fit,
      isGiven: this.#options.shape !== undefined && this.#options.shape !== 'chat',
    };
  }

  /** The rows of these records, and every problem in them. */
  make({ records, problems: broken }: RecordBatch): RowBatch {
    const [first] = records;
    const refusals = this.#fields === undefined && first !== undefined ? this.#begin(first) : [];
    if (this.#isRefused) return { rows: [], problems: [...broken, ...refusals] };
    const rows: RawRow[] = [];
    const problems: RowProblem[] = [];
    for (const record of records)
      for (const made of this.#makeRow(record))
        if (isProblem(made)) problems.push(made);
        else rows.push(made);
    this.#read += records.length;
    this.#fit += rows.length;
    const all = [...broken, ...problems];
    return { rows, problems: broken.length === 0 ? all : all.sort((a, b) => a.line - b.line) };
  }

  /** Finds fields and shape; returns why they cannot be found, after which no row is made. */
  #begin(first: TableRecord): readonly RowProblem[] {
    const { fields, problems } = resolveFields(this.#file, first, this.#options.fields ?? {});
    this.#fields = fields;
    const refuse = (found: readonly RowProblem[]): readonly RowProblem[] => {
      this.#isRefused = true;
      return found;
    };
    if (problems.length > 0) return refuse(problems);
    const shape = this.#detect([...first.values.keys()]);
    const place = { file: this.#file, line: first.line };
    if (typeof shape === 'object') return refuse([{ ...place, message: shape.reason }]);
    if ((shape === 'classification' || shape === 'text') && fields.text === undefined)
      return refuse([
        {
          file: this.#file,
          line: headerLine(first),
          message: `No field holds the text; the fields are ${listNames(first)}. Set fields.text, or fields: { prompt: …, completion: … }.`,
        },
      ]);
    this.#shape = shape;
    return [];
  }

  #detect(names: readonly string[]): RowShape | { readonly reason: string } {
    const { shape, fields: wanted = {} } = this.#options;
    if (shape !== undefined && shape !== 'chat') return shape;
    const has = (role: 'text' | 'label'): boolean => {
      const field = this.#fields?.[role] ?? usualNames[role].find((name) => names.includes(name));
      return shape === undefined && field !== undefined && names.includes(field);
    };
    return detectShape(names, { hasText: has('text'), hasLabel: has('label'), wanted });
  }

  #makeRow(record: TableRecord): readonly (RawRow | RowProblem)[] {
    const [fields = {}, shape = 'text'] = [this.#fields, this.#shape];
    // Each line of JSON has fields of its own, so a later one may fit two shapes although the first did not.
    if (record.columns === undefined && this.#options.shape === undefined) {
      const reason = this.#whyUnclear(record);
      if (reason !== undefined) return [{ file: this.#file, line: record.line, message: reason }];
    }
    return isChatShape(shape) || shape === 'tokens'
      ? makeNestedRow(this.#file, record, shape, fields)
      : [makeTextRow(this.#file, record, fields)];
  }

  #whyUnclear(record: TableRecord): string | undefined {
    const names = [...record.values.keys()];
    const key = names.join('\0');
    if (this.#known.has(key)) return this.#known.get(key);
    const shape = this.#detect(names);
    const reason = typeof shape === 'object' ? shape.reason : undefined;
    if (this.#known.size < maxKnown) this.#known.set(key, reason);
    return reason;
  }
}

const maxKnown = 1000;
const listNames = (record: TableRecord): string =>
  [...record.values.keys()].map((name) => `"${name}"`).join(', ');
