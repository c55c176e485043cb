import { expect, test } from 'vitest';
import type { RowBatch, ShapeVerdict } from '../../src/index.ts';
import { CsvRecords } from '../../src/readers/csv-records.ts';
import { readJsonArray, readJsonLines } from '../../src/readers/json.ts';
import type { RecordBatch } from '../../src/readers/table-record.ts';
import { RowMaker } from '../../src/readers/table.ts';
import type { TableOptions } from '../../src/readers/table.ts';

type Made = RowBatch & { readonly verdict: ShapeVerdict | undefined };

function make(file: string, batch: RecordBatch, options?: TableOptions): Made {
  const maker = new RowMaker(file, options);
  return { ...maker.make(batch), verdict: maker.verdict };
}
const readCsvRows = (file: string, text: string, options?: TableOptions): Made =>
  make(file, new CsvRecords(file).read(text, true), options);
const readJsonlRows = (file: string, text: string, options?: TableOptions): Made =>
  make(file, readJsonLines(file, text, 1), options);
const readJsonRows = (file: string, text: string, options?: TableOptions): Made =>
  make(file, readJsonArray(file, text), options);

test('text and label are found under their usual names', () => {
  const { rows, problems, verdict } = readCsvRows('a.csv', 'id,question,intent\n7,Where is it?, track \n');
  expect([problems, verdict?.shape]).toEqual([[], 'classification']);
  expect(rows).toEqual([
    { id: '7', text: 'Where is it?', label: 'track', place: { file: 'a.csv', line: 2 } },
  ]);
});

test('params name the fields; group and split are read', () => {
  const { rows } = readCsvRows('a.csv', 'text,body,kind,user,part\nno,yes,1,ann,dev\n', {
    fields: { text: 'body', label: 'kind', group: 'user', split: 'part' },
  });
  expect(rows).toEqual([
    { text: 'yes', label: '1', group: 'ann', split: 'validation', place: { file: 'a.csv', line: 2 } },
  ]);
});

test('a field that is not there is told with those that are', () => {
  expect(readCsvRows('a.csv', 'x,y\n1,2\n').problems).toEqual([
    {
      file: 'a.csv',
      line: 1,
      message:
        'No field holds the text; the fields are "x", "y". Set fields.text, or fields: { prompt: …, completion: … }.',
    },
  ]);
  expect(readCsvRows('a.csv', 'text,y\n1,2\n', { fields: { label: 'z' } }).problems).toEqual([
    {
      file: 'a.csv',
      line: 1,
      field: 'z',
      message: 'No field is named "z"; the fields are "text", "y". Set fields.label.',
    },
  ]);
});

test('every problem is told at once, with line, column and field', () => {
  const text = 'text,label,split\na,b\nc,d,nowhere\n"e\nf",g,train\nx,"y\n';
  const { rows, problems } = readCsvRows('a.csv', text);
  expect(rows.map((row) => row.text)).toEqual(['e\nf']);
  expect(problems).toEqual([
    { file: 'a.csv', line: 2, column: 3, message: 'This row has 2 fields, but the header has 3.' },
    {
      file: 'a.csv',
      line: 3,
      column: 5,
      field: 'split',
      message: 'The split must be train, validation or test, but is "nowhere".',
    },
    { file: 'a.csv', line: 6, column: 3, message: 'A quoted field begins here and never ends.' },
    { file: 'a.csv', line: 6, column: 3, message: 'This row has 2 fields, but the header has 3.' },
  ]);
});

test('two fields of one name are refused', () => {
  expect(readCsvRows('a.csv', 'text,label,text\na,b,c\n').problems).toEqual([
    { file: 'a.csv', line: 1, column: 12, field: 'text', message: 'Two fields are named "text".' },
  ]);
});

test('lines of JSON are read one by one, and broken ones told', () => {
  const text = '{"text":"a","label":1}\n\n{"text":null}\n[1]\n{oops\n{"text":"b","label":["x"]}\n';
  const { rows, problems } = readJsonlRows('a.jsonl', text);
  expect(rows).toEqual([{ text: 'a', label: '1', place: { file: 'a.jsonl', line: 1 } }]);
  expect(problems.map((problem) => `${problem.line} ${problem.field ?? '-'} ${problem.message}`)).toEqual([
    '3 /text The text must be a string, but is null.',
    '4 - A row must be a JSON object, but is an array.',
    expect.stringMatching(/^5 - This is not JSON: .+\.$/),
    '6 /label The label must be a string or a number, but is ["x"].',
  ]);
});

test('a JSON array keeps the line of every row, whatever is inside strings', () => {
  const text = '[\n  {"text": "a ] } , \\" [", "label": "x"},\n\n  {"text": "b",\n   "label": "y"}, 7]\n';
  const { rows, problems } = readJsonRows('a.json', text);
  expect(rows.map((row) => [row.place.line, row.text, row.label])).toEqual([
    [2, 'a ] } , " [', 'x'],
    [4, 'b', 'y'],
  ]);
  expect(problems).toEqual([{ file: 'a.json', line: 5, message: 'A row must be a JSON object, but is 7.' }]);
});

test('JSON that is one object is one row', () => {
  const { rows, problems } = readJsonRows('a.json', '{\n  "text": "a",\n  "label": "x"\n}\n');
  expect([rows, problems]).toMatchObject([
    [{ text: 'a', label: 'x', place: { file: 'a.json', line: 1 } }],
    [],
  ]);
});

test('JSON that is neither an array nor one object is refused', () => {
  const message =
    'This file must hold one JSON array of objects, one object, or one object a line as .jsonl.';
  for (const text of ['{"a": 1} {"a": 2}', '[{"a": 1}', '[] trailing'])
    expect(readJsonRows('a.json', text).problems).toEqual([{ file: 'a.json', line: 1, message }]);
});

test('a row that fits two shapes is refused, and params decide', () => {
  const text = '{"text":"a","messages":[{"role":"assistant","content":"hi"}]}';
  expect(readJsonlRows('a.jsonl', text).problems).toEqual([
    {
      file: 'a.jsonl',
      line: 1,
      message:
        'This row fits both OpenAI chat and texts (messages, text). Set format: openai or format: text.',
    },
  ]);
  expect(readJsonlRows('a.jsonl', text, { shape: 'text' }).rows).toHaveLength(1);
});

test('a later row that fits two shapes is refused too, and a named field decides', () => {
  const rows = ['{"prompt":"a","completion":"b"}', '{"prompt":"a","completion":"b","text":"c"}'];
  const { rows: made, problems } = readJsonlRows('a.jsonl', rows.join('\n'));
  expect([made.length, problems]).toEqual([
    1,
    [
      {
        file: 'a.jsonl',
        line: 2,
        message:
          'This row fits both prompt with completion and texts (prompt, text). Set format: prompt-completion or format: text.',
      },
    ],
  ]);
  const named = readJsonlRows('a.jsonl', rows[1] ?? '', { fields: { text: 'text' } });
  expect(named.rows.map((row) => row.text)).toEqual(['c']);
});

test('columns of CSV become conversations, also with turns and tools as JSON, and a wrong one is told with its column', () => {
  const asked = readCsvRows('a.csv', 'q,a,s\nHi,Hello,Be kind.\nHi,,x\n', {
    fields: { prompt: 'q', completion: 'a', system: 's' },
  });
  expect(asked.rows[0]?.messages?.map(({ role }) => role)).toEqual(['system', 'user', 'assistant']);
  expect(asked.problems).toEqual([
    {
      file: 'a.csv',
      line: 3,
      column: 4,
      field: '/a',
      message: 'expected a string or messages, but is "".',
    },
  ]);
  const turns = JSON.stringify([
    { from: 'human', value: 'Hi' },
    { from: 'gpt', value: 'Hello' },
  ]).replaceAll('"', '""');
  const nested = readCsvRows('a.csv', `talk,fns\n"${turns}","[{""name"":""f""}]"\n`, {
    fields: { messages: 'talk', tools: 'fns' },
  });
  expect(nested.rows).toMatchObject([
    { messages: [{ content: 'Hi' }, { content: 'Hello' }], tools: [{ function: { name: 'f' } }] },
  ]);
});
