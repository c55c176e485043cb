import { appendFile, mkdtemp, readFile, readdir, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import {
  digestRows,
  readDataset,
  readRows,
  readTestSplit,
  writeDataset,
  writeTestSplit,
} from '../src/index.ts';
import type { DatasetHeader, Row } from '../src/index.ts';

const rows: Row[] = [
  { id: '1', text: 'line\nbreak "quoted" \u2028', label: 'a' },
  { id: '2', text: '', label: 'b' },
];
const header: DatasetHeader = {
  version: 1,
  task: 'classification',
  labels: ['a', 'b'],
  splits: { train: 2 },
  source: 'a.csv',
};

async function withFolder(work: (dir: string) => Promise<void>): Promise<void> {
  const dir = await mkdtemp(join(tmpdir(), 'joyul-dataset-'));
  try {
    await work(dir);
  } finally {
    await rm(dir, { recursive: true });
  }
}

test('a data set comes back as it was written; a split that is not there is empty', async () => {
  await withFolder(async (dir) => {
    await writeDataset(dir, header, { train: rows });
    const dataset = await readDataset(dir);
    expect(dataset.header).toEqual(header);
    expect(await dataset.rows('train')).toEqual(rows);
    expect(await dataset.rows('validation')).toEqual([]);
    expect(await Array.fromAsync(readRows(join(dir, 'train.jsonl')))).toEqual(rows);
  });
});

test('the test split is an artifact of its own, with its digest', async () => {
  await withFolder(async (dir) => {
    await writeTestSplit(dir, header, rows);
    expect(await readdir(dir)).toEqual(['test.json', 'test.jsonl']);
    expect((await readTestSplit(dir)).rows).toEqual(rows);
    expect(JSON.parse(await readFile(join(dir, 'test.json'), 'utf8'))).toMatchObject({
      rowsDigest: expect.stringMatching(/^[0-9a-f]{64}$/),
    });
  });
});

test('a file that lost a row, and a test split that was changed, are refused', async () => {
  await withFolder(async (dir) => {
    await writeDataset(dir, { ...header, splits: { train: 3 } }, { train: rows });
    await expect((await readDataset(dir)).rows('train')).rejects.toThrow(
      `${join(dir, 'train.jsonl')} holds 2 rows, but its header says 3.`,
    );
    await writeTestSplit(dir, header, rows);
    await appendFile(join(dir, 'test.jsonl'), '{"id":"3","text":"more"}\n');
    await expect(readTestSplit(dir)).rejects.toThrow(
      `${join(dir, 'test.jsonl')} is not what was sealed: its digest differs from that in test.json.`,
    );
  });
});

test('a digest depends on rows and splits, not on the order of splits', () => {
  const digest = digestRows({ train: rows, validation: [] });
  expect(digestRows({ validation: [], train: rows })).toBe(digest);
  expect(digestRows({ train: [], validation: rows })).not.toBe(digest);
});
