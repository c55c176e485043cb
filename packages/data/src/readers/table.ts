import type { FieldNames, RawRow, ReadResult, RowProblem } from '../row.ts';
import { parseCsv } from './csv.ts';

const textNames = ['text', 'sentence', 'content', 'message', 'utterance', 'question', 'body'];
const labelNames = ['label', 'category', 'target', 'intent', 'class'];
const splits: Readonly<Record<string, RawRow['split']>> = {
  train: 'train',
  validation: 'validation',
  valid: 'validation',
  dev: 'validation',
  test: 'test',
};

/** Finds the column that a param names, or the first of the usual names. */
function resolveField(
  names: readonly string[],
  wanted: string | undefined,
  usual: readonly string[],
): string | undefined {
  if (wanted !== undefined) return names.find((name) => name === wanted);
  return usual.find((name) => names.includes(name));
}

function resolveFields(
  file: string,
  names: readonly string[],
  fields: FieldNames,
): { readonly fields: FieldNames; readonly problems: readonly RowProblem[] } {
  const problems: RowProblem[] = [];
  const text = resolveField(names, fields.text, textNames);
  const label = resolveField(names, fields.label, labelNames);
  const list = names.map((name) => `"${name}"`).join(', ');
  if (text === undefined)
    problems.push({
      file,
      line: 1,
      message: `No field ${fields.text === undefined ? 'holds the text' : `is named "${fields.text}"`}; the fields are ${list}. Set fields.text.`,
    });
  if (fields.label !== undefined && label === undefined)
    problems.push({
      file,
      line: 1,
      message: `No field is named "${fields.label}"; the fields are ${list}. Set fields.label.`,
    });
  return {
    fields: {
      ...(text === undefined ? {} : { text }),
      ...(label === undefined ? {} : { label }),
      ...(fields.group === undefined ? {} : { group: fields.group }),
      ...(fields.split === undefined ? {} : { split: fields.split }),
    },
    problems,
  };
}

/** Makes a row of named values, or says what is wrong with them. */
function makeRow(
  values: ReadonlyMap<string, unknown>,
  fields: FieldNames,
  place: RawRow['place'],
): RawRow | RowProblem {
  const text = values.get(fields.text ?? '');
  if (typeof text !== 'string')
    return {
      ...place,
      field: fields.text ?? 'text',
      message: `The text must be a string, but is ${JSON.stringify(text) ?? 'missing'}.`,
    };
  const label = fields.label === undefined ? undefined : values.get(fields.label);
  if (
    label !== undefined &&
    label !== null &&
    typeof label !== 'string' &&
    typeof label !== 'number' &&
    typeof label !== 'boolean'
  ) {
    return {
      ...place,
      field: fields.label ?? 'label',
      message: `The label must be a string or a number, but is ${JSON.stringify(label)}.`,
    };
  }
  const group = fields.group === undefined ? undefined : values.get(fields.group);
  const split = splits[String(values.get(fields.split ?? 'split') ?? '')];
  return {
    text,
    place,
    ...(label === undefined || label === null || label === '' ? {} : { label: String(label) }),
    ...(typeof group === 'string' ? { group } : {}),
    ...(split === undefined ? {} : { split }),
  };
}

const isProblem = (row: RawRow | RowProblem): row is RowProblem => 'message' in row;

/** Rows of comma-separated values with a header line. */
export function readCsvRows(file: string, text: string, wanted: FieldNames): ReadResult {
  const { records, problems: broken } = parseCsv(text);
  const [header = [], ...body] = records;
  const names = header.map((cell) => cell.value.trim());
  const { fields, problems } = resolveFields(file, names, wanted);
  const all: RowProblem[] = [...problems, ...broken.map((problem) => ({ file, ...problem }))];
  if (problems.length > 0) return { rows: [], problems: all };
  const rows: RawRow[] = [];
  for (const record of body) {
    const line = record[0]?.line ?? 1;
    if (record.length !== names.length) {
      all.push({
        file,
        line,
        column: record.at(-1)?.column ?? 1,
        message: `This row has ${record.length} fields, but the header has ${names.length}.`,
      });
      continue;
    }
    const row = makeRow(new Map(names.map((name, index) => [name, record[index]?.value])), fields, {
      file,
      line,
    });
    if (isProblem(row)) all.push(row);
    else rows.push(row);
  }
  return { rows, problems: all };
}

/** Rows of a file with one JSON object a line. */
export function readJsonlRows(file: string, text: string, wanted: FieldNames): ReadResult {
  const problems: RowProblem[] = [];
  const rows: RawRow[] = [];
  let fields: FieldNames | undefined;
  text
    .replace(/^\uFEFF/, '')
    .split('\n')
    .forEach((content, index) => {
      if (content.trim() === '') return;
      const place = { file, line: index + 1 };
      let value: unknown;
      try {
        value = JSON.parse(content);
      } catch (error) {
        problems.push({
          ...place,
          message: `This line is not JSON: ${error instanceof Error ? error.message : String(error)}.`,
        });
        return;
      }
      if (typeof value !== 'object' || value === null || Array.isArray(value)) {
        problems.push({
          ...place,
          message: `A row must be a JSON object, but is ${Array.isArray(value) ? 'an array' : JSON.stringify(value)}.`,
        });
        return;
      }
      const values = new Map(Object.entries(value));
      if (fields === undefined) {
        const resolved = resolveFields(file, [...values.keys()], wanted);
        problems.push(...resolved.problems);
        fields = resolved.fields;
      }
      const row = makeRow(values, fields, place);
      if (isProblem(row)) problems.push(row);
      else rows.push(row);
    });
  return { rows, problems };
}
