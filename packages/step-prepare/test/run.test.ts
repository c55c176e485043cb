import { duplicateKey } from '@joyul/data';
import type { Row } from '@joyul/data';
import { describe, expect, test } from 'vitest';
import { makeCsv, prepare } from './rig.ts';

describe('splits', () => {
  test('rows are divided by the shares, classes in proportion, and the test split is apart', async () => {
    const result = await prepare({ 'a.csv': makeCsv(50) }, { source: 'a.csv' });
    expect(result.header).toMatchObject({
      version: 1,
      task: 'classification',
      labels: ['even', 'odd'],
      splits: { train: 80, validation: 10, test: 10 },
      source: 'a.csv',
    });
    expect(result.test.filter((row) => row.label === 'even')).toHaveLength(5);
    const ids = [...result.train, ...result.validation, ...result.test].map((row) => row.id);
    expect(new Set(ids).size).toBe(100);
  });

  test('the same seed gives the same bytes, another seed or params.split.seed another split', async () => {
    const files = { 'a.csv': makeCsv(30) };
    const [one, same, other, chosen, again] = await Promise.all([
      prepare(files, { source: 'a.csv' }, { seed: 1 }),
      prepare(files, { source: 'a.csv' }, { seed: 1 }),
      prepare(files, { source: 'a.csv' }, { seed: 2 }),
      prepare(files, { source: 'a.csv', split: { seed: 7 } }, { seed: 1 }),
      prepare(files, { source: 'a.csv', split: { seed: 7 } }, { seed: 2 }),
    ]);
    expect(same.header.digest).toBe(one.header.digest);
    expect(other.header.digest).not.toBe(one.header.digest);
    expect(again.header.digest).toBe(chosen.header.digest);
  });

  test('splits that the source names are kept, and the missing one is drawn from training', async () => {
    const files = {
      'd/train.csv': makeCsv(40),
      'd/test.csv': 'text,label\nan odd question,odd\nquite even,even\n',
    };
    const result = await prepare(files, { source: 'd' });
    expect(result.header.splits).toEqual({ train: 72, validation: 8, test: 2 });
    expect(result.test.map((row) => row.text)).toEqual(['an odd question', 'quite even']);
  });

  test('a single file whose name says test is split as any other', async () => {
    const result = await prepare({ 'test.csv': makeCsv(20) }, { source: 'test.csv' });
    expect(result.header.splits).toEqual({ train: 32, validation: 4, test: 4 });
  });

  test('rows of one group stay on one side', async () => {
    const rows = Array.from(
      { length: 60 },
      (_, index) => `question ${index} of someone,${index % 2 === 0 ? 'a' : 'b'},user${index % 12}`,
    );
    const result = await prepare(
      { 'a.csv': `text,label,user\n${rows.join('\n')}\n` },
      { source: 'a.csv', fields: { group: 'user' }, split: { validation: 0.2, test: 0.2 } },
    );
    const usersOf = (texts: readonly { text: string }[]): Set<number> =>
      new Set(texts.map((row) => Number(/\d+/.exec(row.text)?.[0]) % 12));
    const [train, validation, judged] = [
      usersOf(result.train),
      usersOf(result.validation),
      usersOf(result.test),
    ];
    expect([...train].filter((user) => validation.has(user) || judged.has(user))).toEqual([]);
    expect(result.quality.leakage.namedGroups).toBe(12);
  });
});

describe('leakage', () => {
  const words =
    'the quick brown fox jumps over the lazy dog and then runs away from it all at once into the dark wood';
  const files = {
    'd/train.csv': `${makeCsv(20)}${words} today,even\n`,
    'd/test.csv': `text,label\n${words} now,even\nsomething else,odd\n`,
  };

  test('a training row that nearly repeats a test row is dropped, and told with both places', async () => {
    const { train, quality, findings } = await prepare(files, { source: 'd' });
    expect(train.some((row) => row.text.startsWith('the quick'))).toBe(false);
    expect(quality.leakage.leakedRows).toBe(1);
    expect(quality.findings.find((finding) => finding.code === 'LEAKAGE')?.places).toEqual([
      {
        file: 'd/train.csv',
        line: 42,
        field: 'text',
        note: 'nearly repeats or belongs to d/test.csv:2 in test',
      },
    ]);
    expect(findings).toContain(
      "Leakage: 1 row of the source's own splits (nearly) repeated a judged row and was dropped; none is left.",
    );
  });

  test('train and test of a folder of conversations do not leak, whatever their files are', async () => {
    const chat = (index: number, sign = ''): string =>
      JSON.stringify({
        messages: [
          { role: 'user', content: `What do the ${index} people of town ${index * 7} want${sign}` },
          { role: 'assistant', content: `They all want number ${index * 3}` },
        ],
      });
    const chats = (from: number, to: number, sign?: string): string =>
      Array.from({ length: to - from }, (_, index) => `${chat(from + index, sign)}\n`).join('');
    const {
      train,
      test: judged,
      quality,
      header,
    } = await prepare({ 'd/train.jsonl': chats(0, 60), 'd/test.jsonl': chats(50, 70, '?') }, { source: 'd' });
    expect(header.splits).toEqual({ train: 45, validation: 5, test: 20 });
    const asked = (rows: readonly Row[]): Set<string> => new Set(rows.map((row) => duplicateKey(row.text)));
    expect(asked(train).isDisjointFrom(asked(judged))).toBe(true);
    expect(quality.rows.dropped).toEqual({ duplicate: 10 });
  });

  test('params keep it with a warning, or fail', async () => {
    const kept = await prepare(files, { source: 'd', leakage: 'keep' });
    expect([...kept.train, ...kept.validation].some((row) => row.text.startsWith('the quick'))).toBe(true);
    expect(kept.findings.join('\n')).toContain('the scores will be too good');
    await expect(prepare(files, { source: 'd', leakage: 'fail' })).rejects.toMatchObject({
      code: 'LEAKAGE',
      message: '1 row leaks into a split that judges.',
      problems: [
        {
          file: 'd/train.csv',
          line: 42,
          message: 'This row nearly repeats or belongs to d/test.csv:2 in test.',
        },
      ],
    });
  });
});

describe('labels', () => {
  test('labels that differ in how they are written are refused with a line to type', async () => {
    const text = 'text,label\none,Cat\ntwo,cat\nthree,dog\n';
    await expect(prepare({ 'a.csv': text }, { source: 'a.csv' })).rejects.toMatchObject({
      code: 'LABEL_TWINS',
      message: 'Some labels differ only in how they are written.',
      problems: [
        {
          file: 'a.csv',
          line: 2,
          field: 'label',
          message: 'The label "Cat" (1 row) differs from "cat" only in how it is written.',
        },
        {
          file: 'a.csv',
          line: 3,
          field: 'label',
          message: 'The label "cat" (1 row) differs from "Cat" only in how it is written.',
        },
      ],
      help: 'Make them one, such as labels: { "cat": "Cat" }.',
    });
    const mended = await prepare(
      { 'a.csv': text },
      { source: 'a.csv', labels: { cat: 'Cat' }, split: { validation: 0, test: 0 } },
    );
    expect(mended.header.labels).toEqual(['Cat', 'dog']);
  });

  test('a label that training lacks is refused with its rows', async () => {
    const files = { 'd/train.csv': makeCsv(20), 'd/test.csv': 'text,label\nnew,third\n' };
    await expect(prepare(files, { source: 'd' })).rejects.toMatchObject({
      code: 'LABEL_NOT_TRAINED',
      message: '1 label cannot be learned: no training row has it.',
      problems: [
        {
          file: 'd/test.csv',
          line: 2,
          field: 'label',
          message: 'The label "third" is in test and not in training.',
        },
      ],
    });
  });

  test('texts with two labels are dropped and told, kept, or a failure', async () => {
    const files = { 'a.csv': `${makeCsv(20)}Where is it,even\nwhere is it?,odd\n` };
    const dropped = await prepare(files, { source: 'a.csv' });
    expect(dropped.quality.rows).toEqual({ read: 42, kept: 40, dropped: { 'in conflict': 2 } });
    const kept = await prepare(files, { source: 'a.csv', conflicts: 'keep' });
    expect(kept.quality.rows.kept).toBe(42);
    await expect(prepare(files, { source: 'a.csv', conflicts: 'fail' })).rejects.toMatchObject({
      code: 'LABEL_CONFLICT',
      message: '1 text with more than one label.',
      problems: [
        {
          file: 'a.csv',
          line: 43,
          field: 'label',
          message: 'The label is "odd" here and "even" at a.csv:42.',
        },
      ],
    });
  });

  test('a row without a label fails, is skipped, or becomes unlabelled', async () => {
    const files = { 'a.csv': `${makeCsv(20)}no label here,\n` };
    await expect(prepare(files, { source: 'a.csv' })).rejects.toMatchObject({
      code: 'LABEL_MISSING',
      message: '1 row without a label.',
      problems: [{ file: 'a.csv', line: 42, field: 'label', message: 'This row has no label.' }],
    });
    const skipped = await prepare(files, { source: 'a.csv', missing_label: 'skip' });
    expect(skipped.quality.rows.dropped).toEqual({ 'without label': 1 });
    const kept = await prepare(files, { source: 'a.csv', missing_label: 'unlabelled' });
    expect(kept.unlabelled.map((row) => row.text)).toEqual(['no label here']);
  });

  test('one label alone is nothing to learn', async () => {
    await expect(prepare({ 'a.csv': 'text,label\na,x\nb,x\n' }, { source: 'a.csv' })).rejects.toMatchObject({
      code: 'ONE_LABEL',
      message: 'Every row has the label "x": there is nothing to tell apart.',
    });
  });
});

describe('rows', () => {
  test('every malformed row of every source is told at once; on_error: skip leaves them out and lists them', async () => {
    const files = { 'a.csv': `${makeCsv(20)}"open`, 'b.jsonl': '{"text":"x","label":"even"}\nnot json\n' };
    await expect(prepare(files, { source: ['a.csv', 'b.jsonl'] })).rejects.toMatchObject({
      code: 'ROW_MALFORMED',
      message: '3 problems in a.csv, b.jsonl.',
      problems: [
        { file: 'a.csv', line: 42, column: 1, message: 'A quoted field begins here and never ends.' },
        { file: 'a.csv', line: 42, column: 1, message: 'This row has 1 field, but the header has 2.' },
        { file: 'b.jsonl', line: 2 },
      ],
      help: 'Mend the rows, or set on_error: skip to leave them out.',
    });
    const { quality } = await prepare(files, { source: ['a.csv', 'b.jsonl'], on_error: 'skip' });
    expect(quality.rows).toMatchObject({ kept: 41, dropped: { malformed: 3 } });
    expect(quality.findings[0]).toMatchObject({ code: 'ROW_MALFORMED', total: 3 });
  });

  test('of very many problems the first are listed and all are counted', async () => {
    const broken = Array.from({ length: 1500 }, () => '{"messages": 1}').join('\n');
    await expect(prepare({ 'a.jsonl': broken }, { source: 'a.jsonl' })).rejects.toMatchObject({
      message: '1,500 problems in a.jsonl. The first 200 are listed.',
      problems: { length: 200, 199: { line: 200, field: '/messages' } },
    });
  });

  test('repeated texts are dropped as params ask', async () => {
    const words = 'please tell me where the parcel is that i ordered from you last week on monday morning';
    const files = {
      'a.csv': `${makeCsv(20)}${words},even\n${words.toUpperCase()}!,even\n${words} thanks,even\n`,
    };
    const kept = async (deduplicate: string): Promise<number> =>
      (await prepare(files, { source: 'a.csv', deduplicate })).quality.rows.kept;
    expect(await Promise.all([kept('off'), kept('exact'), kept('near')])).toEqual([43, 42, 41]);
  });

  test('a limit keeps classes in proportion, or so many of each', async () => {
    const files = {
      'a.csv': `${makeCsv(20)}${makeCsv(40)
        .split('\n')
        .slice(41)
        .filter((line) => line.endsWith('even'))
        .join('\n')}\n`,
    };
    const sizes = async (limit: unknown): Promise<number[]> =>
      (await prepare(files, { source: 'a.csv', limit })).quality.classes.map(
        ({ rows }) => (rows['train'] ?? 0) + (rows['validation'] ?? 0) + (rows['test'] ?? 0),
      );
    expect(await sizes(30)).toEqual([20, 10]);
    expect(await sizes({ per_class: 15 })).toEqual([15, 15]);
  });

  test('a limit of training rows leaves a test split that the source gives whole', async () => {
    const files = { 'd/train.csv': makeCsv(40), 'd/test.csv': makeCsv(30).replaceAll('today', 'long ago') };
    const { quality } = await prepare(files, {
      source: 'd',
      unlabelled: 'd/train.csv',
      limit: { per_class: 5, of: 'train' },
      leakage: 'keep',
      split: { validation: 0.2, test: 0 },
    });
    expect(quality.splits).toEqual({ train: 8, validation: 2, test: 60, unlabelled: 78 });
  });

  test('unlabelled texts join, without those that will be judged', async () => {
    const judged = 'I lost my card number 0 today';
    const result = await prepare(
      {
        'd/train.csv': makeCsv(20).replace(`${judged},even\n`, ''),
        'd/test.csv': `text,label\n${judged},even\n`,
        'u.txt': 'x',
        'u.jsonl': `{"text":"${judged}"}\n{"text":"new"}\n{"text":"New!"}\n`,
      },
      { source: 'd', unlabelled: 'u.jsonl' },
    );
    expect(result.unlabelled.map((row) => row.text)).toEqual(['new']);
    expect(result.header.splits.unlabelled).toBe(1);
  });

  test('texts without labels are prepared for continued pretraining', async () => {
    const files = Object.fromEntries(
      Array.from({ length: 20 }, (_, index) => [`d/${index}.txt`, `Document ${index} of many.`]),
    );
    const result = await prepare(files, { source: 'd', format: 'text' });
    expect(result.header).toMatchObject({
      task: 'text',
      labels: [],
      splits: { train: 16, validation: 2, test: 2 },
    });
    expect(Object.keys(result.train[0] ?? {})).toEqual(['id', 'text']);
  });

  test('conversations keep their turns', async () => {
    const line = (index: number): string =>
      JSON.stringify({
        conversations: [
          { from: 'human', value: `Question ${index}` },
          { from: 'gpt', value: `Answer ${index * 7}` },
        ],
      });
    const result = await prepare(
      { 'a.jsonl': Array.from({ length: 20 }, (_, index) => line(index)).join('\n') },
      { source: 'a.jsonl' },
    );
    expect(result.header.task).toBe('chat');
    expect(result.test[0]?.messages?.map((message) => message.role)).toEqual(['user', 'assistant']);
  });

  test('mail is read without the lines that tell where it came from', async () => {
    const body = (index: number): string =>
      `Words about thing ${String.fromCharCode(97 + (index % 26))}${'x'.repeat(index)}.`;
    const mail = (kind: string, index: number, footer: string): [string, string] => [
      `m/${kind}-1/${index}.txt`,
      `Subject: ${kind} ${index}\nX-Secret: ${kind}\n\n${body(index)}\n${footer}\n`,
    ];
    const files = Object.fromEntries([
      ...Array.from({ length: 30 }, (_, index) => mail('ham', index, 'Sent through the list of good people')),
      ...Array.from({ length: 30 }, (_, index) => mail('spam', index, 'Buy it')),
    ]);
    const result = await prepare(files, {
      source: 'm',
      format: 'email',
      labels: { 'ham-*': 'ham', 'spam-*': 'spam' },
    });
    const texts = [...result.train, ...result.validation, ...result.test].map((row) => row.text).join('\n');
    expect(texts).not.toContain('good people');
    expect(texts).not.toContain('X-Secret');
    expect(result.findings).toContain(
      'Took 1 repeated line out of 30 texts, since they tell where a text came from: "Sent through the list of good people" (30 texts).',
    );
  });
});

describe('sources', () => {
  test('an input of files is read, whole or by path', async () => {
    const files = { 'made/rows/a.csv': makeCsv(20), 'made/other.txt': 'x' };
    const whole = await prepare(files, {}, { input: 'made' });
    const part = await prepare(files, { source: 'files:rows/a.csv' }, { input: 'made' });
    expect([whole.quality.rows.kept, part.quality.rows.kept]).toEqual([40, 40]);
    expect(part.quality.sources).toEqual(['files:rows/a.csv']);
  });

  test('nothing to read, an unwired input and a missing file are told', async () => {
    await expect(prepare({}, {})).rejects.toMatchObject({
      code: 'NO_SOURCE',
      message: 'There is nothing to prepare: neither source nor unlabelled is set.',
    });
    await expect(prepare({}, { source: 'files:a.csv' })).rejects.toMatchObject({
      code: 'NO_FILES',
      message: '"files:a.csv" names a file of the input "files", which is not wired.',
    });
    await expect(prepare({}, { source: 'data/none.csv' })).rejects.toMatchObject({
      code: 'SOURCE_NOT_FOUND',
      message: 'There is no file or folder data/none.csv.',
    });
  });

  test('a cancelled step stops', async () => {
    const signal = AbortSignal.abort(new Error('stopped'));
    await expect(prepare({ 'a.csv': makeCsv(20) }, { source: 'a.csv' }, { signal })).rejects.toThrow(
      'stopped',
    );
  });
});

test('the report of the run has a headline, the leakage verdict and a table of classes', async () => {
  const { events, markdown } = await prepare({ 'a.csv': makeCsv(50) }, { source: 'a.csv' });
  expect(events.filter((event) => event.type !== 'progress')).toEqual([
    {
      type: 'finding',
      weight: 'headline',
      text: '100 of 100 rows kept in 2 classes: 80 train, 10 validation, 10 test.',
    },
    { type: 'finding', text: 'Read a.csv.' },
    {
      type: 'finding',
      text: 'a.csv: Read as labelled texts: 100 of 100 rows have `text` and `label`.',
    },
    {
      type: 'finding',
      text: 'Leakage: none: 0 sets of near-duplicates and 0 named groups lie whole on one side.',
    },
    {
      type: 'finding',
      text: expect.stringMatching(/^Lengths in characters: median \d+, 95 % up to \d+, longest \d+\.$/),
    },
    {
      type: 'table',
      title: 'Classes',
      columns: ['label', 'train', 'validation', 'test'],
      rows: [
        ['even', 40, 5, 5],
        ['odd', 40, 5, 5],
      ],
    },
  ]);
  expect(markdown).toContain('| even | 40 | 5 | 5 |');
});

describe('labelled texts as conversations', () => {
  test('are asked about as `question` says, and answered with their label', async () => {
    const result = await prepare(
      { 'a.csv': makeCsv(30) },
      { source: 'a.csv', question: 'Even or odd?\n{text}' },
    );
    expect(result.header).toMatchObject({
      task: 'chat',
      labels: [],
      splits: { train: 48, validation: 6, test: 6 },
    });
    const [row] = result.train;
    const [asked, answered] = row?.messages ?? [];
    expect(asked).toMatchObject({ role: 'user', content: expect.stringMatching(/^Even or odd\?\n/) });
    expect(['even', 'odd']).toContain(answered?.content);
    expect(row).not.toHaveProperty('label');
  });

  test('need a question where format asks for conversations', async () => {
    await expect(
      prepare({ 'a.csv': makeCsv(30) }, { source: 'a.csv', format: 'chat' }),
    ).rejects.toMatchObject({
      code: 'NOT_CHAT',
      message: 'The rows are no conversations, which format: chat asks for.',
    });
  });
});

describe('conversations with tools', () => {
  test('keep the tools, the calls and the weights of their turns', async () => {
    const tool = { type: 'function', function: { name: 'add', parameters: {} } };
    const row = (index: number): object => ({
      tools: [tool],
      messages: [
        { role: 'user', content: `Add one to ${index}` },
        { role: 'assistant', content: 'Let me see.', weight: 0 },
        { role: 'user', content: 'Well?' },
        {
          role: 'assistant',
          tool_calls: [
            { id: '1', type: 'function', function: { name: 'add', arguments: `{"to":${index}}` } },
          ],
        },
      ],
    });
    const rows = Array.from({ length: 30 }, (_, index) => JSON.stringify(row(index))).join('\n');
    const { train } = await prepare({ 'a.jsonl': rows }, { source: 'a.jsonl' });
    expect(train[0]).toMatchObject({
      tools: [tool],
      messages: [
        { role: 'user' },
        { weight: 0 },
        { role: 'user' },
        { tool_calls: [{ function: { name: 'add', arguments: { to: expect.any(Number) } } }] },
      ],
    });
  });
});
