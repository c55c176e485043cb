import { appendFile, mkdtemp, readFile, readdir, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import {
  digestRows,
  readDataset,
  readRows,
  readTestSplit,
  sealTestSplit,
  writeHeader,
  writeRows,
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
    await writeRows(dir, 'train', rows);
    await writeHeader(dir, header);
    const dataset = await readDataset(dir);
    expect(dataset.header).toEqual(header);
    expect(await dataset.rows('train')).toEqual(rows);
    expect(await dataset.rows('validation')).toEqual([]);
    expect(await Array.fromAsync(readRows(join(dir, 'train.jsonl')))).toEqual(rows);
  });
});

test('the test split is an artifact of its own, with its digest', async () => {
  await withFolder(async (dir) => {
    await writeRows(dir, 'test', rows);
    await sealTestSplit(dir, header);
    expect(await readdir(dir)).toEqual(['test.json', 'test.jsonl']);
    expect((await readTestSplit(dir)).rows).toEqual(rows);
    expect(JSON.parse(await readFile(join(dir, 'test.json'), 'utf8'))).toMatchObject({
      rowsDigest: expect.stringMatching(/^[0-9a-f]{64}$/),
    });
  });
});

test('a file that lost a row, and a test split that was changed, are refused', async () => {
  await withFolder(async (dir) => {
    await writeRows(dir, 'train', rows);
    await writeHeader(dir, { ...header, splits: { train: 3 } });
    await expect((await readDataset(dir)).rows('train')).rejects.toThrow(
      `${join(dir, 'train.jsonl')} holds 2 rows, but its header says 3.`,
    );
    await writeRows(dir, 'test', rows);
    await sealTestSplit(dir, header);
    await appendFile(join(dir, 'test.jsonl'), '{"id":"3","text":"more"}\n');
    await expect(readTestSplit(dir)).rejects.toThrow(
      `${join(dir, 'test.jsonl')} is not what was sealed: its digest differs from that in test.json.`,
    );
  });
});

test('a digest depends on rows and splits, not on the order of splits', async () => {
  await withFolder(async (dir) => {
    await writeRows(join(dir, 'a'), 'train', rows);
    await writeRows(join(dir, 'a'), 'validation', []);
    await writeRows(join(dir, 'b'), 'train', []);
    await writeRows(join(dir, 'b'), 'validation', rows);
    const [a, b] = [join(dir, 'a'), join(dir, 'b')];
    const digest = await digestRows({ train: a, validation: a });
    expect(await digestRows({ validation: a, train: a })).toBe(digest);
    expect(await digestRows({ train: b, validation: b })).not.toBe(digest);
  });
});
