import { expect, test } from 'vitest';
import type { FingerprintRecord } from '../../src/plan/fingerprint.ts';
import { formatVersion } from '../../src/plan/fingerprint.ts';
import { makePrefixWork } from '../../src/plan/prefix-work.ts';

const record: FingerprintRecord = {
  formatVersion,
  plugin: 'walk',
  revision: 1,
  pluginVersion: '1.0.0',
  pluginCode: 'c0de',
  params: { laps: 3, start: 'a' },
  inputs: { map: ['m1'], plan: ['p1'] },
  files: { 'shoes.txt': 'f1' },
  environment: { LANG: 'C' },
  seed: 7,
  backend: 'cpu',
  outputs: { path: 'files' },
};
const continues = { params: ['laps'], inputs: ['plan'] };
const work = makePrefixWork(record, continues, { pace: 2 });

test('what the plugin names is left out, and its key stands in its place', () => {
  const more = { ...record, params: { laps: 5, start: 'a' }, inputs: { map: ['m1'], plan: ['p2'] } };
  expect(makePrefixWork(more, continues, { pace: 2 })).toEqual(work);
  expect(makePrefixWork(more, continues, { pace: 3 })).not.toEqual(work);
});

const others: Readonly<Record<keyof FingerprintRecord, unknown>> = {
  formatVersion: 2,
  plugin: 'run',
  revision: 2,
  pluginVersion: '1.0.1',
  pluginCode: 'c1de',
  params: { laps: 3, start: 'b' },
  inputs: { map: ['m2'], plan: ['p1'] },
  files: { 'shoes.txt': 'f2' },
  environment: {},
  seed: 8,
  backend: 'wasm',
  outputs: { path: 'files at path.txt' },
};

test.each(Object.entries(others))('another %s is other work', (field, value) => {
  expect(makePrefixWork({ ...record, [field]: value }, continues, { pace: 2 })).not.toEqual(work);
});

test('a key is only kept as a digest: it may hold a secret', () => {
  expect(JSON.stringify(makePrefixWork(record, continues, { token: 'hush-hush' }))).not.toContain('hush');
});
