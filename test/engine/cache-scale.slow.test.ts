import { mkdirSync, writeFileSync } from 'node:fs';
import { dirname } from 'node:path';
import { Rig } from '@joyul/testing';
import { expect, test } from 'vitest';
import { collectAfterRun } from '../../packages/core/src/cache/collect-after-run.ts';
import { actionFile, formatAction } from '../../packages/core/src/store/action-record.ts';
import { formatCanonicalJson } from '../../packages/core/src/util/canonical-json.ts';
import { digestOf } from '../../packages/core/src/util/hash.ts';

const steps = 10_000;

function put(file: string, content: string): void {
  mkdirSync(dirname(file), { recursive: true });
  writeFileSync(file, content);
}

/** Writes a store as runs of a large pipeline leave it. */
function fillStore(rig: Rig): void {
  const fingerprints = Array.from({ length: steps }, (_, index) => {
    const content = `content ${index}`;
    const digest = digestOf(content);
    put(rig.path(`.joyul/blobs/${digest.slice(0, 2)}/${digest}`), content);
    const files = [{ path: '', digest, sizeBytes: content.length, isExecutable: false }];
    const output = { type: 'file', digest: digestOf(formatCanonicalJson(files)), files };
    const record = {
      plugin: 'command',
      params: { run: 'x'.repeat(300), index },
      outputs: { text: `file at out/${index}` },
    };
    const fingerprint = digestOf(formatCanonicalJson(record));
    const action = { version: 1, record, outputs: { text: output }, kept: [], durationMs: 1 } as const;
    put(actionFile(rig.path('.joyul'), fingerprint), formatAction(fingerprint, action));
    return fingerprint;
  });
  for (const runId of ['20260101-1-aaaaaa', '20260102-1-bbbbbb', '20260103-1-cccccc']) {
    const start = { kind: 'run-started', runId, pipeline: 'p', file: 'pipeline.yaml', steps: [] };
    const ends = fingerprints.map((fingerprint, index) => ({
      kind: 'step-ended',
      stepId: `s${index}`,
      end: 'reused',
      reason: 'nothing that decides it has changed',
      outputs: [{ port: 'text', type: 'file', digest: fingerprint, files: 1, sizeBytes: 12 }],
      fingerprint,
    }));
    const lines = [start, ...ends, { kind: 'run-ended', end: 'succeeded', counts: { reused: steps } }];
    put(
      rig.path(`.joyul/runs/${runId}/events.ndjson`),
      lines.map((line) => `${JSON.stringify(line)}\n`).join(''),
    );
  }
}

/** The least of several times: others on this machine only add to it. */
async function time(action: () => Promise<unknown>): Promise<number> {
  let leastMs = Number.POSITIVE_INFINITY;
  for (let at = 0; at < 5; at++) {
    const startMs = performance.now();
    await action();
    leastMs = Math.min(leastMs, performance.now() - startMs);
  }
  return leastMs;
}

test('a store of 10,000 steps is summed up, and searched for garbage, in less than a second', async () => {
  await using rig = await Rig.create();
  fillStore(rig);
  expect(await time(() => rig.joyul('cache', 'stats'))).toBeLessThan(1000);
  expect(await time(() => rig.joyul('cache', 'gc', '--dry-run'))).toBeLessThan(1000);
  expect(
    await time(() => rig.joyul('cache', 'gc', '--dry-run', '--keep-runs', '1', '--max-size', '0B')),
  ).toBeLessThan(1000);
  // Once it is known, a run that stored something looks no more.
  await collectAfterRun({ projectDir: rig.dir, storedBytes: 1, environment: {} });
  expect(
    await time(() => collectAfterRun({ projectDir: rig.dir, storedBytes: 1, environment: {} })),
  ).toBeLessThan(50);
});
