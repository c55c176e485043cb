import { existsSync, mkdirSync, renameSync, rmSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { enterCollection, planCollection } from '../../src/cache/collect-garbage.ts';
import { setRunKept } from '../../src/runs/kept-runs.ts';
import { actionFile } from '../../src/store/action-record.ts';
import { condemn } from '../../src/store/condemned.ts';
import { enter } from '../../src/store/live.ts';
import { openRunLease } from '../../src/store/run-lease.ts';
import { Project, dayMs, setAge } from './support.ts';

const deadProcess = 2 ** 22 + 1; // Above the largest id that a system gives.

test('what was not used for longer than the limit goes, with its blobs and its folder of links', async () => {
  using project = new Project();
  const old = project.addResult('old', { daysAgo: 31 });
  const young = project.addResult('young', { daysAgo: 29 });
  await project.collect({ maxAgeMs: 30 * dayMs });
  expect([project.has(old), project.has(young)]).toEqual([false, true]);
  expect([project.list('blobs').length, project.list('artifacts').length]).toEqual([1, 1]);
});

test('above the size limit the least recently used goes first, and no more than is needed', async () => {
  using project = new Project();
  const content = (letter: string): string => letter.repeat(10_000);
  const results = ['a', 'b', 'c'].map((name, index) =>
    project.addResult(name, { content: content(name), daysAgo: 3 - index }),
  );
  const { plan } = await project.collect({ maxSizeBytes: 23_000 });
  expect(results.map((fingerprint) => project.has(fingerprint))).toEqual([false, true, true]);
  expect(plan.garbage.isOverLimit).toBe(false);
});

test('shared files go by their last use, and half-written ones when nobody writes them', async () => {
  using project = new Project();
  const files = ['a/old', 'a/young', 'b/old', 'b/left.partial'];
  for (const file of files) project.write({ [`.joyul/shared/trunk/${file}`]: file });
  for (const file of files)
    setAge(join(project.store.dir, 'shared/trunk', file), file.endsWith('old') ? 31 : 0);
  const { plan } = await project.collect({ maxAgeMs: 30 * dayMs });
  expect(plan.garbage.shared.map((file) => file.name)).toEqual(['old', 'old']);
  expect(project.list('shared')).toEqual(['young']);
});

test('a shared file that a run at work has used stays, whatever the limit', async () => {
  using project = new Project();
  const described = { runId: 'r', startedMs: Date.now() - dayMs - 1000, seen: 0, held: [] };
  const running = enter(project.store.dir, 'run', JSON.stringify(described));
  project.write({ '.joyul/shared/trunk/a/used': 'x'.repeat(10_000) });
  await project.collect({ maxSizeBytes: 1 });
  expect(project.list('shared')).toEqual(['used']);
  running.leave();
  await project.collect({ maxSizeBytes: 1 });
  expect(project.list('shared')).toEqual([]);
});

test('the note of a state whose record is gone goes, and so does a folder without notes', async () => {
  using project = new Project();
  const state = project.addResult('state');
  project.write({
    [`.joyul/prefixes/a/3.${state}`]: '',
    [`.joyul/prefixes/a/2.${'0'.repeat(64)}`]: '',
    [`.joyul/prefixes/b/2.${'0'.repeat(64)}`]: '',
  });
  await project.collect();
  expect(project.list('prefixes')).toEqual([`3.${state}`]);
  await project.collect();
  expect(existsSync(join(project.store.dir, 'prefixes', 'b'))).toBe(false);
});

test('a blob stays as long as one result names it', async () => {
  using project = new Project();
  project.addResult('old', { content: 'same', daysAgo: 31 });
  const young = project.addResult('young', { content: 'same' });
  await project.collect({ maxAgeMs: 30 * dayMs });
  const stored = project.store.readAction(young);
  expect(stored?.outputs['text'] && project.store.findDamage(stored.outputs['text'])).toBeUndefined();
});

test('a use that only a run tells counts, and still does when the run has gone', async () => {
  using project = new Project();
  const result = project.addResult('a', { daysAgo: 90 });
  project.addRun('20260101-1-aaaaaa', [result], { daysAgo: 10 });
  project.addRun('20260102-1-bbbbbb', []);
  await project.collect({ maxAgeMs: 30 * dayMs });
  await project.collect({ maxAgeMs: 5 * dayMs });
  expect(project.list('runs')).toHaveLength(1);
  expect(project.has(result)).toBe(false);
});

test('removing an old run writes its use down in the record', async () => {
  using project = new Project();
  const result = project.addResult('a', { daysAgo: 90, at: 'out.txt' });
  project.write({ 'out.txt': 'a' });
  project.addRun('20260101-1-aaaaaa', [result], { daysAgo: 10 });
  project.addRun('20260102-1-bbbbbb', []);
  await project.collect({ maxAgeMs: 5 * dayMs });
  const { mtimeMs } = statSync(actionFile(project.store.dir, result));
  expect(Math.round((Date.now() - mtimeMs) / dayMs)).toBe(10);
});

test('the newest runs of each pipeline stay, with what they need', async () => {
  using project = new Project();
  project.write({ 'q.yaml': 'name: q' });
  const results = ['a', 'b', 'c', 'd'].map((name) => project.addResult(name, { daysAgo: 90 }));
  const run = (index: number): readonly string[] => results.slice(index, index + 1);
  project.addRun('20260101-1-aaaaaa', run(0), { daysAgo: 90 });
  project.addRun('20260102-1-bbbbbb', run(1), { daysAgo: 80 });
  project.addRun('20260103-1-cccccc', run(2), { daysAgo: 70 });
  project.addRun('20250101-1-dddddd', run(3), { daysAgo: 95, file: 'q.yaml' });
  await project.collect({ maxSizeBytes: 0, maxAgeMs: 0, keepRuns: 2 });
  expect(results.map((fingerprint) => project.has(fingerprint))).toEqual([false, true, true, true]);
});

test('a kept run stays, with what it needs, until it is given back', async () => {
  using project = new Project();
  const result = project.addResult('a', { daysAgo: 90 });
  project.addRun('20260101-1-aaaaaa', [result], { daysAgo: 90 });
  project.addRun('20260102-1-bbbbbb', []);
  setRunKept(project.dir, '20260101-1-aaaaaa', true);
  const { plan } = await project.collect({ maxSizeBytes: 0 });
  expect([project.has(result), plan.garbage.isOverLimit]).toEqual([true, true]);
  setRunKept(project.dir, '20260101-1-aaaaaa', false);
  await project.collect({ maxSizeBytes: 0 });
  expect(project.has(result)).toBe(false);
});

test('the last result of each step stays, whatever runs are there', async () => {
  using project = new Project();
  const result = project.addResult('a', { daysAgo: 90 });
  project.write({ '.joyul/last/p.yaml.json': JSON.stringify({ a: result }) });
  await project.collect({ maxSizeBytes: 0 });
  expect(project.has(result)).toBe(true);
});

test('nothing is kept for a pipeline whose file is gone and that has not run for longer than the limit', async () => {
  using project = new Project();
  const [a, b] = ['a', 'b'].map((name) => project.addResult(name, { daysAgo: 40 }));
  project.addRun('20260101-1-aaaaaa', [a ?? ''], { daysAgo: 40, file: 'gone.yaml' });
  project.addRun('20260102-1-bbbbbb', [b ?? ''], { daysAgo: 20, file: 'moved.yaml' });
  project.write({ '.joyul/last/gone.yaml.json': JSON.stringify({ a }) });
  await project.collect({ maxSizeBytes: 0, maxAgeMs: 30 * dayMs });
  expect([project.has(a ?? ''), project.has(b ?? '')]).toEqual([false, true]);
});

test('what a step wrote into the project stays while it is there as it was written', async () => {
  using project = new Project();
  const result = project.addResult('model', { daysAgo: 90, at: 'models/one' });
  project.write({ 'models/one': 'model' });
  await project.collect({ maxSizeBytes: 0 });
  expect(project.has(result)).toBe(true);
  project.write({ 'models/one': 'other' });
  await project.collect({ maxSizeBytes: 0 });
  expect(project.has(result)).toBe(false);
});

test('scratch of an interrupted step stays for a run that may go on from it, and goes when nothing can', async () => {
  using project = new Project();
  const done = project.addResult('done');
  const [resumable, forgotten] = ['a'.repeat(64), 'b'.repeat(64)];
  for (const name of [done, resumable, forgotten])
    project.write({ [`.joyul/scratch/${name}/state`]: 'state' });
  setAge(project.store.scratchFolder(forgotten), 40);
  setAge(join(project.store.scratchFolder(forgotten), 'state'), 40);
  project.addRun('20260101-1-aaaaaa', [resumable, done]);
  await project.collect({ maxAgeMs: 30 * dayMs });
  expect(
    [done, resumable, forgotten].map((name) => existsSync(join(project.store.dir, 'scratch', name))),
  ).toEqual([false, true, false]);
});

test('scratch of a step that another process computes is left alone', async () => {
  using project = new Project();
  const fingerprint = 'a'.repeat(64);
  project.write({
    [`.joyul/scratch/${fingerprint}/state`]: 'state',
    [`.joyul/reservations/${fingerprint}.${process.pid}-.0`]: '',
  });
  await project.collect({ maxSizeBytes: 0, maxAgeMs: 0 });
  expect(project.list('scratch')).toEqual(['state']);
});

test('what dead processes left goes; what living ones use stays', async () => {
  using project = new Project();
  project.write({
    [`.joyul/tmp/${deadProcess}-x/text/half`]: 'half',
    [`.joyul/tmp/${process.pid}-x/half`]: 'half',
    [`.joyul/reservations/${'a'.repeat(64)}.${deadProcess}-1.0`]: '',
    [`.joyul/reservations/${'b'.repeat(64)}.${process.pid}-.0`]: '',
    [`.joyul/blobs/aa/${'a'.repeat(64)}.x.partial`]: 'half',
    [`.joyul/live/run.${deadProcess}-1.aaaaaaaa`]: '{}',
    '.joyul/stat-cache.tsv.x.partial': 'half',
  });
  // A folder that its owner still writes to.
  const running = enter(
    project.store.dir,
    'run',
    JSON.stringify({ runId: 'r', startedMs: Date.now(), seen: 1e15, held: [] }),
  );
  await project.collect();
  running.leave();
  expect(project.list('tmp')).toEqual(['half']);
  expect(project.list('reservations')).toEqual([`${'b'.repeat(64)}.${process.pid}-.0`]);
  expect([...project.list('blobs'), ...project.list('live')]).toEqual([]);
  expect(existsSync(join(project.store.dir, 'stat-cache.tsv.x.partial'))).toBe(false);
});

test('folders of links to nothing, and blobs that nothing names, go', async () => {
  using project = new Project();
  const result = project.addResult('a');
  rmSync(actionFile(project.store.dir, result));
  const { removal } = await project.collect();
  expect([project.list('blobs'), project.list('artifacts')]).toEqual([[], []]);
  expect(removal.freedBytes).toBe(1);
});

test('what is younger than the oldest run at work stays', async () => {
  using project = new Project();
  const result = project.addResult('a');
  rmSync(actionFile(project.store.dir, result));
  const startedMs = Date.now() - 2 * dayMs;
  const running = enter(
    project.store.dir,
    'run',
    JSON.stringify({ runId: 'r', startedMs, seen: 1e15, held: [] }),
  );
  await project.collect({ maxSizeBytes: 0 });
  expect(project.list('blobs')).toHaveLength(1);
  running.leave();
  await project.collect({ maxSizeBytes: 0 });
  expect(project.list('blobs')).toHaveLength(0);
});

test('blobs of a record that goes stay until every run at work has said what it relies on', async () => {
  using project = new Project();
  const result = project.addResult('a', { daysAgo: 31 });
  const lease = openRunLease(project.store.dir, 'r', () => undefined);
  const first = await project.collect({ maxAgeMs: 30 * dayMs });
  expect([project.has(result), project.list('blobs').length, first.removal.waitsFor]).toEqual([
    false,
    1,
    ['r'],
  ]);
  lease.close();
  await project.collect({ maxAgeMs: 30 * dayMs });
  expect([project.list('blobs'), existsSync(join(project.store.dir, 'condemned'))]).toEqual([[], false]);
});

test('a record that a run at work relies on is put back', async () => {
  using project = new Project();
  const result = project.addResult('a', { daysAgo: 31 });
  const lease = openRunLease(project.store.dir, 'r', () => undefined);
  await project.collect({ maxAgeMs: 30 * dayMs });
  // The run had decided on it before; its event reaches the disk now.
  project.addRun('r', [result]);
  lease.close();
  await project.collect({ maxAgeMs: 30 * dayMs });
  expect([project.has(result), project.list('blobs').length]).toEqual([true, 1]);
});

test('a record that was made again while the old one waited stays', async () => {
  using project = new Project();
  const result = project.addResult('a', { daysAgo: 31 });
  const lease = openRunLease(project.store.dir, 'r', () => undefined);
  await project.collect({ maxAgeMs: 30 * dayMs });
  expect(project.addResult('a')).toBe(result);
  lease.close();
  await project.collect({ maxAgeMs: 30 * dayMs });
  const stored = project.store.readAction(result);
  expect(stored?.outputs['text'] && project.store.findDamage(stored.outputs['text'])).toBeUndefined();
});

test('a clean-up that was killed after it condemned is finished by the next one', async () => {
  using project = new Project();
  const result = project.addResult('a');
  condemn(project.store.dir, [actionFile(project.store.dir, result)]);
  await project.collect();
  expect([project.list('blobs'), project.list('condemned')]).toEqual([[], []]);
});

test('a clean-up that was killed while it condemned is finished by the next one, and what is needed is put back', async () => {
  using project = new Project();
  const [needed, other] = [project.addResult('a'), project.addResult('b')];
  project.addRun('20260101-1-aaaaaa', [needed]);
  const pending = join(project.store.dir, 'condemned', 'pending');
  mkdirSync(pending, { recursive: true });
  for (const name of [needed, other])
    renameSync(actionFile(project.store.dir, name), join(pending, `${name}.json`));
  await project.collect();
  expect([project.has(needed), project.has(other), project.list('blobs').length]).toEqual([true, false, 1]);
});

test('a dry look changes nothing', () => {
  using project = new Project();
  project.addResult('a', { daysAgo: 31 });
  const before = project.list('.');
  const plan = planCollection({
    projectDir: project.dir,
    settings: { maxSizeBytes: 0, maxAgeMs: 0, keepRuns: 1 },
    isLoweredToDisk: false,
  });
  expect(plan.garbage.records).toHaveLength(1);
  expect(project.list('.')).toEqual(before);
});

test('of two clean-ups at once one gives way', async () => {
  using project = new Project();
  const turn = await enterCollection(project.store.dir);
  await expect(project.collect()).rejects.toThrow('Another clean-up is at work.');
  turn?.leave();
  const both = await Promise.all([enterCollection(project.store.dir), enterCollection(project.store.dir)]);
  expect(both.filter((mark) => mark !== undefined)).toHaveLength(1);
});
