import { describe, expect, test } from 'vitest';
import { describeChange, diffRecords } from '../../src/plan/explain.ts';
import type { FingerprintRecord } from '../../src/plan/fingerprint.ts';

const record = (params: unknown, more: Partial<FingerprintRecord> = {}): FingerprintRecord => ({
  formatVersion: 1,
  plugin: 'command',
  revision: 1,
  pluginVersion: '0.1.0',
  pluginCode: 'c0de',
  params,
  inputs: {},
  files: {},
  environment: {},
  seed: 1,
  outputs: {},
  ...more,
});

const fields = (before: unknown, after: unknown): readonly string[] =>
  diffRecords(record(before), record(after)).map((change) => change.field);

test('the order of keys is no difference, in lists neither', () => {
  expect(fields({ a: 1, list: [{ b: 2, c: 3 }] }, { list: [{ c: 3, b: 2 }], a: 1 })).toEqual([]);
});

test('a list of objects tells which field of which one differs', () => {
  expect(fields({ list: [{ b: 1 }, { b: 2 }] }, { list: [{ b: 1 }, { b: 3 }] })).toEqual(['params.list.1.b']);
  expect(fields({ list: [{ b: 1 }] }, { list: [{ b: 1 }, { b: 2 }] })).toEqual(['params.list']);
});

test('inputs differ by port, whatever the number of artifacts', () => {
  const [change] = diffRecords(
    record({}, { inputs: { data: ['x', 'y'] } }),
    record({}, { inputs: { data: ['x', 'z'] } }),
  );
  expect(change?.field).toBe('inputs.data');
});

describe('in words', () => {
  test.each([
    [{ field: 'params.lr', before: 0.1, after: 0.2 }, 'params.lr changed from 0.1 to 0.2'],
    [{ field: 'params.lr', after: 0.2 }, 'params.lr is new: 0.2'],
    [{ field: 'params.lr', before: 0.1 }, 'params.lr is gone; it was 0.1'],
    [{ field: 'inputs.data', before: ['x'], after: ['y'] }, 'input data has other content'],
    [{ field: 'inputs.data', after: ['y'] }, 'input data is new'],
    [{ field: 'files.a.csv', before: 'x' }, 'file a.csv is gone'],
    [{ field: 'pluginCode', before: 'x', after: 'y' }, "the plugin's code changed"],
    [{ field: 'pluginVersion', before: '1', after: '2' }, "the plugin's version changed from 1 to 2"],
    [
      { field: 'params.run', before: `${'x '.repeat(30)}old`, after: `${'x '.repeat(30)}new` },
      `params.run changed: …${'x '.repeat(12)}[-old-]{+new+}`,
    ],
  ])('%j', (change, words) => {
    expect(describeChange(change)).toBe(words);
  });
});
