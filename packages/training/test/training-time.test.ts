import { cp, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { findTrainingTime, keepTrainingTime } from '../src/index.ts';

let dir = '';
beforeEach(async () => {
  dir = await mkdtemp(join(tmpdir(), 'joyul-times-'));
  await writeFile(join(dir, 'training.json'), '{"iterations":10}');
});
afterEach(() => rm(dir, { recursive: true }));

test('the time of a training is found by what it left, wherever that lies', async () => {
  await keepTrainingTime(join(dir, 'shared'), dir, 12.5);
  await cp(join(dir, 'training.json'), join(dir, 'elsewhere', 'training.json'));
  expect(await findTrainingTime(join(dir, 'shared'), join(dir, 'elsewhere'))).toBe(12.5);
});

test('the time of another training, or one that is gone, is not known', async () => {
  expect(await findTrainingTime(join(dir, 'shared'), dir)).toBeUndefined();
  await keepTrainingTime(join(dir, 'shared'), dir, 12.5);
  await writeFile(join(dir, 'training.json'), '{"iterations":11}');
  expect(await findTrainingTime(join(dir, 'shared'), dir)).toBeUndefined();
});
