import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, onTestFinished, test } from 'vitest';
import { readDataset, writeHeader, writeRows } from '@joyul/data';
import type { Dataset, DatasetHeader, Row } from '@joyul/data';
import { judge } from '../src/judge.ts';
import type { JudgeContext } from '../src/judge.ts';

const context: JudgeContext = {
  params: { alpha: 0.05, metric: 'f1', max_rows: 10, max_new_tokens: 8, context: 64 },
  inputs: { candidate: 'nowhere', simpler: 'nowhere' },
  seed: 1,
  env: {},
  signal: new AbortController().signal,
  emit: () => undefined,
};

async function makeDataset(task: DatasetHeader['task'], validation: readonly Row[]): Promise<Dataset> {
  const dir = await mkdtemp(join(tmpdir(), 'joyul-judge-'));
  onTestFinished(() => rm(dir, { recursive: true }));
  const splits = { validation: validation.length };
  await writeRows(dir, 'validation', validation);
  await writeHeader(dir, { version: 1, task, labels: [], splits, source: '' });
  return readDataset(dir);
}

test.each([
  ['classification', { id: 'a', text: 'a', label: 'x' }, 'the rows of this data set have labels'],
  ['text', { id: 'a', text: 'a' }, 'the rows of this data set are no questions'],
] as const)('what judges written answers is refused for rows of the task %s', async (task, row, why) => {
  await expect(judge(await makeDataset(task, [row]), context)).rejects.toMatchObject({
    code: 'METRIC',
    message: `metric: f1 judges written answers, but ${why}.`,
    help: 'Write metric: auto or metric: loss.',
  });
});

test('an empty validation split judges nothing', async () => {
  await expect(judge(await makeDataset('chat', []), context)).rejects.toMatchObject({
    code: 'NO_ROWS',
    help: 'Give prepare a share for the validation split.',
  });
});
