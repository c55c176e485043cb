import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { expect, test } from 'vitest';
import { readSource } from '../../src/index.ts';
import type { RawRow, ReadOptions, RowProblem, SourceSummary } from '../../src/index.ts';

interface SourceResult extends SourceSummary {
  readonly rows: readonly RawRow[];
  readonly problems: readonly RowProblem[];
}

/** Reads a folder with these files, or its only file. */
async function read(
  files: Record<string, string | Buffer>,
  options: ReadOptions = {},
  only?: string,
): Promise<SourceResult> {
  const dir = await mkdtemp(join(tmpdir(), 'joyul-data-'));
  try {
    for (const [name, content] of Object.entries(files)) {
      await mkdir(dirname(join(dir, name)), { recursive: true });
      await writeFile(join(dir, name), content);
    }
    const rows: RawRow[] = [];
    const problems: RowProblem[] = [];
    const summary = await readSource(join(dir, only ?? ''), only ?? 'src', options, (batch) => {
      rows.push(...batch.rows);
      problems.push(...batch.problems);
    });
    return { ...summary, rows, problems };
  } finally {
    await rm(dir, { recursive: true });
  }
}

const brief = (result: SourceResult): string[] =>
  result.rows.map((row) => `${row.place.file} ${row.label ?? '-'} ${row.split ?? '-'} ${row.text}`);

test('tables in a folder are read, what lies beside them is told, and their names give the split', async () => {
  const result = await read({
    'train.csv': 'text,label\na,x\n',
    'dev.jsonl': '{"text":"b","label":"y"}',
    'bank_val.csv': 'text,label\nc,x\n',
    'test-00000-of-1.csv': 'text,label\nd,x\n',
    'README.md': '# no',
    'categories.json': '["x","y"]',
    '.hidden.csv': 'nothing',
  });
  expect(brief(result)).toEqual([
    'src/bank_val.csv x validation c',
    'src/dev.jsonl y validation b',
    'src/test-00000-of-1.csv x test d',
    'src/train.csv x train a',
  ]);
  expect([result.problems, result.ignored]).toEqual([[], ['README.md', 'categories.json']]);
});

test('folders of texts are classes, and folders above them splits', async () => {
  const result = await read({
    'train/pos/1.txt': 'good',
    'train/neg/2.txt': 'bad',
    'test/pos/3.txt': 'fine',
    'license.txt': 'no row',
  });
  expect(brief(result)).toEqual([
    'src/test/pos/3.txt pos test fine',
    'src/train/neg/2.txt neg train bad',
    'src/train/pos/1.txt pos train good',
  ]);
});

test('params name the labels of folders by pattern; folders without one are left out', async () => {
  const mail = 'Subject: s\n\nbody';
  const result = await read(
    {
      'd/easy-ham-1/1.txt': mail,
      'd/easy-ham-2/cmds': mail,
      'd/spam/2': mail,
      'd/other/3': mail,
      'd/spam/2.json': '{}',
    },
    { format: 'email', folders: { 'easy-*': 'ham', spam: 'spam' } },
  );
  expect(result.rows.map((row) => [row.place.file, row.label, row.group])).toEqual([
    ['src/d/easy-ham-1/1.txt', 'ham', 'subject:s'],
    ['src/d/easy-ham-2/cmds', 'ham', 'subject:s'],
    ['src/d/spam/2', 'spam', 'subject:s'],
  ]);
});

test('mails of one thread have one group', async () => {
  const result = await read(
    { 'a/1': 'Subject: Lunch?\n\nx', 'a/2': 'Subject: RE: Fwd: lunch\n\nx', 'a/3': 'Subject: \n\nx' },
    { format: 'email' },
  );
  expect(result.rows.map((row) => row.group)).toEqual(['subject:lunch', 'subject:lunch', undefined]);
});

test('a table that is not UTF-8 is refused at its first wrong byte', async () => {
  const result = await read({ 'a.csv': Buffer.from('text,label\nok,x\ncaf\xe9,y\n', 'latin1') }, {}, 'a.csv');
  expect(result.problems).toEqual([
    { file: 'a.csv', line: 3, column: 4, message: 'This byte is not UTF-8. Save the file as UTF-8.' },
  ]);
});

test('a folder without rows is told', async () => {
  const { problems } = await read({ 'a.bin': 'x', 'b.png': 'y' });
  expect(problems).toEqual([
    {
      file: 'src',
      line: 1,
      message:
        'Nothing was read: 2 files, and none is CSV, JSONL, JSON, Parquet, text or e-mail. Set format.',
    },
  ]);
});
