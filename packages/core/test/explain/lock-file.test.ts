import { expect, test } from 'vitest';
import { formatLock, lockFileOf, parseLock } from '../../src/explain/lock-file.ts';
import type { Lock } from '../../src/explain/lock.ts';

const lock: Lock = {
  version: 1,
  formatVersion: 1,
  pipeline: 'words',
  steps: {
    'train@lr=0.1': {
      plugin: 'command',
      pluginVersion: '0.1.0',
      revision: 1,
      pluginCode: 'c0de',
      fingerprint: 'f00d',
      params: { lr: '0.10', run: 'one\ntwo\n' },
      environment: {},
      seed: 7,
      files: { 'a.txt': 'd1' },
      inputs: { inputs: ['prepare.dataset d2'] },
      outputs: { model: { type: 'files', at: 'out/m', digest: 'd3', files: 1, sizeBytes: 2 } },
    },
  },
};

test('a lock is one fact a line, and empty maps are left out', () => {
  expect(formatLock(lock).split('\n').slice(2).join('\n')).toBe(`version: 1
formatVersion: 1
pipeline: words
steps:
  train@lr=0.1:
    plugin: command
    pluginVersion: 0.1.0
    revision: 1
    pluginCode: c0de
    fingerprint: f00d
    params:
      lr: "0.10"
      run: |
        one
        two
    seed: 7
    files:
      a.txt: d1
    inputs:
      inputs:
        - prepare.dataset d2
    outputs:
      model:
        type: files
        at: out/m
        digest: d3
        files: 1
        sizeBytes: 2
`);
});

test('a lock that is read is the one that was written', () => {
  expect(parseLock(formatLock(lock))).toEqual(lock);
});

test.each([
  ['steps: [', 'it is not YAML'],
  ['<<<<<<< ours\nversion: 1\n', 'it is not YAML'],
  ['version: 1\n', 'it has no steps'],
  ['version: 2\nsteps: {}\n', 'its version is 2, and this Joyul reads 1'],
])('%j is refused in words', (text, problem) => {
  expect(parseLock(text)).toContain(problem);
});

test('a lock stands beside its pipeline', () => {
  expect([lockFileOf('pipelines/a.yaml'), lockFileOf('b.pipeline.yml')]).toEqual([
    'pipelines/a.lock.yaml',
    'b.pipeline.lock.yaml',
  ]);
});
