import { copyFile, mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { expect, test } from 'vitest';
import { formatVerdict, readSource } from '../../src/index.ts';
import type { RawRow, ReadOptions, RowProblem, SourceSummary } from '../../src/index.ts';
import { readParquet } from '../../src/readers/parquet.ts';

/** Written by pyarrow and datasets: see make-fixtures.py. */
const fixture = (name: string): string => join(import.meta.dirname, '../fixtures', name);

interface Read {
  readonly rows: readonly RawRow[];
  readonly problems: readonly RowProblem[];
  readonly summary: SourceSummary;
}

async function read(path: string, options: ReadOptions = {}): Promise<Read> {
  const rows: RawRow[] = [];
  const problems: RowProblem[] = [];
  const summary = await readSource(path, 'set', options, (batch) => {
    rows.push(...batch.rows);
    problems.push(...batch.problems);
  });
  return { rows, problems, summary };
}

/** A folder with these files, each a fixture or a text. */
async function withFolder<T>(
  files: Readonly<Record<string, string | { readonly from: string }>>,
  work: (dir: string) => Promise<T>,
): Promise<T> {
  const dir = await mkdtemp(join(tmpdir(), 'joyul-parquet-'));
  try {
    for (const [name, content] of Object.entries(files)) {
      await mkdir(dirname(join(dir, name)), { recursive: true });
      if (typeof content === 'string') await writeFile(join(dir, name), content);
      else await copyFile(fixture(content.from), join(dir, name));
    }
    return await work(dir);
  } finally {
    await rm(dir, { recursive: true });
  }
}

test('conversations in nested lists are read row group by row group, and a wrong turn is told with its row', async () => {
  const { rows, problems, summary } = await read(fixture('chat.zstd.parquet'));
  expect(rows.map((row) => [row.place.line, row.messages?.at(-1)?.content])).toEqual([
    [1, 'It is 0.'],
    [2, 'It is 2.'],
    [3, 'It is 4.'],
    [5, 'It is 8.'],
  ]);
  expect(problems).toMatchObject([{ file: 'set', line: 4, field: '/messages/1/role' }]);
  expect(summary.verdicts.map(formatVerdict)).toEqual(['Read as OpenAI chat: 4 of 5 rows have `messages`.']);
  const groups = await Array.fromAsync(readParquet(fixture('chat.zstd.parquet'), 'set'));
  expect(groups.map(({ records }) => records.length)).toEqual([2, 2, 1]);
});

test('gzip is read too', async () => {
  expect((await read(fixture('chat.gzip.parquet'))).rows).toHaveLength(3);
});

test('classes that datasets keeps as numbers get their names', async () => {
  const { rows } = await read(fixture('labelled.snappy.parquet'));
  expect(rows.map((row) => row.label)).toEqual(['card_arrival', 'top_up', 'card_arrival']);
});

test('rows of tokens keep their labels and lose their padding', async () => {
  const { rows } = await read(fixture('tokens.parquet'));
  expect(rows.map((row) => row.tokens)).toEqual([
    { ids: [5, 6, 7], labels: [-100, 6, 7] },
    { ids: [8, 9], labels: [-100, 9] },
  ]);
});

test('columns are mapped to a prompt and its completion', async () => {
  const { rows } = await read(fixture('labelled.snappy.parquet'), {
    fields: { prompt: 'text', completion: 'label' },
  });
  expect(rows[1]?.messages).toEqual([
    { role: 'user', content: 'Can I add money?' },
    { role: 'assistant', content: 'top_up' },
  ]);
});

test('a file that was cut is one problem', async () => {
  const whole = await readFile(fixture('chat.zstd.parquet'));
  await withFolder({ 'cut.parquet': '' }, async (dir) => {
    await writeFile(join(dir, 'cut.parquet'), whole.subarray(0, 900));
    const { rows, problems } = await read(dir);
    expect(rows).toEqual([]);
    expect(problems).toMatchObject([
      {
        file: 'set/cut.parquet',
        line: 1,
        message: expect.stringMatching(/^This is not Parquet that can be read: /),
      },
    ]);
  });
});

const parquet = { from: 'labelled.snappy.parquet' };

test('a folder named as on the Hugging Face hub gives each row its split', async () => {
  const files = {
    'README.md': '# Card',
    'data/train-00000-of-00002.parquet': parquet,
    'data/train-00001-of-00002.parquet': parquet,
    'data/validation-00000-of-00001.parquet': parquet,
    'data/test-00000-of-00001.parquet': parquet,
  };
  await withFolder(files, async (dir) => {
    const { rows } = await read(dir);
    const count = (split: string): number => rows.filter((row) => row.split === split).length;
    expect([count('train'), count('validation'), count('test')]).toEqual([6, 3, 3]);
  });
});

const card = `---
license: mit
configs:
- config_name: banking
  data_files:
  - split: train
    path: banking/a-*.jsonl
  - split: test
    path: [banking/b.jsonl]
- config_name: other
  data_files: "other/**/*.jsonl"
---
# Intents
`;
const subsets = {
  'README.md': card,
  'banking/a-1.jsonl': '{"text":"one"}',
  'banking/a-2.jsonl': '{"text":"two"}',
  'banking/b.jsonl': '{"text":"three"}',
  'other/x/y.jsonl': '{"text":"four"}',
};

test('the front matter of README.md says which files are which split of which data set', async () => {
  await withFolder(subsets, async (dir) => {
    const banking = await read(dir, { subset: 'banking' });
    expect(banking.rows.map((row) => [row.text, row.split])).toEqual([
      ['one', 'train'],
      ['two', 'train'],
      ['three', 'test'],
    ]);
    expect(banking.summary.ignored).toContain('other/x/y.jsonl');
    expect((await read(dir, { subset: 'other' })).rows.map((row) => row.text)).toEqual(['four']);
  });
});

test('of several data sets one must be named, and a name that is none is told with those that are', async () => {
  await withFolder(subsets, async (dir) => {
    expect((await read(dir)).problems).toEqual([
      {
        file: 'set/README.md',
        line: 1,
        field: 'configs',
        message: 'This folder holds 2 data sets: banking, other. Set subset to one of them.',
      },
    ]);
    expect((await read(dir, { subset: 'bank' })).problems[0]?.message).toBe(
      'No data set is named "bank"; there are banking, other. Set subset to one of them.',
    );
  });
});

test('a data set whose files are not here is told', async () => {
  const readme = '---\nconfigs:\n- config_name: default\n  data_files: data/train.csv\n---\n';
  await withFolder({ 'README.md': readme, 'train.csv': 'text\na\n' }, async (dir) => {
    expect((await read(dir)).problems[0]?.message).toBe(
      '"default" has its train split in data/train.csv, but no such file is here.',
    );
  });
});

test('a lone text is divided into paragraphs, or lines where it has no empty ones; params decide', async () => {
  const book = 'One\nline.\n\n\nTwo.\r\n \r\nThree.';
  await withFolder({ 'a.txt': book, 'b/lines.txt': 'x\ny\n' }, async (dir) => {
    const { rows, summary } = await read(join(dir, 'a.txt'));
    expect(rows.map((row) => [row.place.line, row.text])).toEqual([
      [1, 'One\nline.'],
      [5, 'Two.'],
      [7, 'Three.'],
    ]);
    expect(summary.texts).toEqual({ paragraph: 3 });
    expect((await read(join(dir, 'b/lines.txt'))).rows.map((row) => row.text)).toEqual(['x', 'y']);
    expect((await read(join(dir, 'a.txt'), { texts: 'document' })).rows).toHaveLength(1);
    expect((await read(join(dir, 'a.txt'), { texts: 'line' })).rows).toHaveLength(4);
    expect((await read(dir)).summary.texts).toEqual({ document: 2 });
  });
});
