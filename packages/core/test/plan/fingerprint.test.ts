import { expect, test } from 'vitest';
import type { FingerprintRecord } from '../../src/plan/fingerprint.ts';
import { deriveStepSeed, fingerprintOf, formatVersion } from '../../src/plan/fingerprint.ts';

const record: FingerprintRecord = {
  formatVersion,
  plugin: 'train',
  revision: 3,
  pluginVersion: '1.2.3',
  pluginCode: 'c0de',
  params: { epochs: 3, lr: 1e-4, layers: ['a', 'b'], nested: { ok: true, none: null } },
  inputs: { dataset: ['d1'], weights: ['w1'] },
  files: { 'data/train.csv': 'f1' },
  environment: { LANG: 'C' },
  seed: deriveStepSeed(42, 'train'),
  backend: 'tensorflow',
  outputs: { trained: 'trained-model' },
};

test('the fingerprint of a fixed step never changes; if it must, raise formatVersion', () => {
  expect(formatVersion).toBe(1);
  expect(fingerprintOf(record)).toBe('9e589213470c2596fa5a6afc01956e70a312113d4f04902eec022a5cc49312d1');
});

test('the order in which keys were written does not count', () => {
  const turned = Object.fromEntries(Object.entries(record).reverse()) as unknown as FingerprintRecord; // The same keys.
  expect(fingerprintOf(turned)).toBe(fingerprintOf(record));
});

test.each(Object.keys(record))('another %s gives another fingerprint', (field) => {
  expect(fingerprintOf({ ...record, [field]: 'other' })).not.toBe(fingerprintOf(record));
});
