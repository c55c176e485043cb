import { chmodSync, readFileSync, rmSync, statSync, utimesSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { repairStore } from '../../src/cache/repair-store.ts';
import type { Verification } from '../../src/cache/verify-store.ts';
import { verifyStore } from '../../src/cache/verify-store.ts';
import { actionFile } from '../../src/store/action-record.ts';
import { Store } from '../../src/store/store.ts';
import { Project } from './support.ts';

/** Changes one bit, and leaves size and times as they were: what a bad disk does. */
function rot(file: string, at = 0): void {
  const { atime, mtime, mode } = statSync(file);
  const bytes = readFileSync(file);
  bytes[at] = (bytes[at] ?? 0) ^ 1;
  chmodSync(file, 0o644);
  writeFileSync(file, bytes);
  chmodSync(file, mode);
  utimesSync(file, atime, mtime);
}

function blobOf(project: Project, fingerprint: string): string {
  const digest = project.store.readAction(fingerprint)?.outputs['text']?.files[0]?.digest ?? '';
  return join(project.store.dir, 'blobs', digest.slice(0, 2), digest);
}

const describeFlaws = ({ flaws }: Verification): readonly string[] =>
  flaws.map(({ kind, flaw, steps }) => `${kind} ${flaw} ${steps.join(', ')}`.trim());

test('a whole store has no flaws', () => {
  using project = new Project();
  project.addResult('a');
  expect(verifyStore(project.dir)).toMatchObject({ checked: { blobs: 1, records: 1 }, flaws: [] });
});

test('damaged, missing and orphaned objects are told with the steps that need them', () => {
  using project = new Project();
  const [a, b, c, d] = ['a', 'b', 'c', 'd'].map((name) => project.addResult(name));
  project.addRun('20260101-1-aaaaaa', [a ?? '', b ?? '', c ?? '']);
  rot(blobOf(project, a ?? ''));
  rmSync(blobOf(project, b ?? ''));
  rot(actionFile(project.store.dir, c ?? ''), 5);
  rmSync(actionFile(project.store.dir, d ?? ''));
  expect([...describeFlaws(verifyStore(project.dir))].sort()).toEqual([
    'blob damaged s0 (p.yaml)',
    'blob missing s1 (p.yaml)',
    'blob orphaned',
    'record damaged s2 (p.yaml)',
  ]);
});

test('damage that left no trace in the times is met by the next reader once it was verified', () => {
  using project = new Project();
  const result = project.addResult('a');
  const artifact = project.store.readAction(result)?.outputs['text'];
  if (artifact === undefined) throw new Error('Nothing was stored.');
  const reader = new Store(project.dir);
  rot(blobOf(project, result));
  verifyStore(project.dir);
  expect(reader.findDamage(artifact)?.reason).toBe('damaged');
});

test('repair removes what is damaged with the records that need it, and leaves the rest', async () => {
  using project = new Project();
  const [a, b] = [project.addResult('a'), project.addResult('b')];
  rot(blobOf(project, a));
  const repair = await repairStore(verifyStore(project.dir));
  expect([repair.repaired.length, repair.left.length]).toEqual([1, 0]);
  expect([project.has(a), project.has(b)]).toEqual([false, true]);
  expect(verifyStore(project.dir).flaws).toEqual([]);
});

test('repair removes a damaged record, and its blob is an orphan then', async () => {
  using project = new Project();
  const a = project.addResult('a');
  rot(actionFile(project.store.dir, a), 3);
  await repairStore(verifyStore(project.dir));
  expect(describeFlaws(verifyStore(project.dir))).toEqual(['blob orphaned']);
});

test('a copy in a materialised artifact is verified too, and made again after a repair', async () => {
  using project = new Project();
  const work = project.store.makeWorkFolder();
  writeFileSync(join(work, 'tool'), 'echo', { mode: 0o755 });
  const artifact = project.store.ingest(work, 'folder', { move: true, mustLast: false });
  project.store.writeAction('f'.repeat(64), {
    version: 1,
    record: {},
    outputs: { out: artifact },
    kept: [],
    durationMs: 1,
  });
  rot(join(project.store.materialize(artifact), 'tool'));
  const verification = verifyStore(project.dir);
  expect(describeFlaws(verification)).toEqual(['artifact damaged']);
  await repairStore(verification);
  expect(readFileSync(join(project.store.materialize(artifact), 'tool'), 'utf8')).toBe('echo');
});

test('repair does not remove what was made again since it was found damaged', async () => {
  using project = new Project();
  const a = project.addResult('a');
  rot(blobOf(project, a));
  const verification = verifyStore(project.dir);
  project.addResult('a');
  const { flaws } = verification;
  await repairStore(verification);
  expect(flaws).toHaveLength(1);
  expect(verifyStore(project.dir).flaws.filter((flaw) => flaw.flaw === 'damaged')).toEqual([]);
});
