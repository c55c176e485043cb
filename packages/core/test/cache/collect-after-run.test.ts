import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test, vi } from 'vitest';
import { collectAfterRun } from '../../src/cache/collect-after-run.ts';
import type { AfterRun } from '../../src/cache/collect-after-run.ts';
import { Project, dayMs } from './support.ts';

function after(
  project: Project,
  storedBytes: number,
  environment: NodeJS.ProcessEnv = {},
): Promise<AfterRun | undefined> {
  return collectAfterRun({ projectDir: project.dir, storedBytes, environment });
}

const memoryOf = (project: Project): unknown =>
  JSON.parse(readFileSync(join(project.store.dir, 'clean-up.json'), 'utf8'));

test('a run that stored nothing writes nothing, even where the limits are broken', async () => {
  using project = new Project();
  project.addResult('a', { daysAgo: 99 });
  expect(await after(project, 0, { JOYUL_CACHE_MAX_SIZE: '0B' })).toBeUndefined();
  expect(existsSync(join(project.store.dir, 'clean-up.json'))).toBe(false);
});

test('runs add up what they stored, and look at the store when that is over the limit', async () => {
  using project = new Project();
  const old = project.addResult('a', { content: 'a'.repeat(4000), daysAgo: 2 });
  const environment = { JOYUL_CACHE_MAX_SIZE: '5000B' };
  expect(await after(project, 4500, environment)).toBeUndefined();
  expect([project.has(old), memoryOf(project)]).toMatchObject([true, { totalBytes: 4500 }]);
  project.addResult('b', { content: 'b'.repeat(1000) });
  expect((await after(project, 1500, environment))?.freedBytes).toBeGreaterThan(4000);
  expect(project.has(old)).toBe(false);
});

test('what reaches its age goes after the next run that stores something', async () => {
  using project = new Project();
  const result = project.addResult('a', { daysAgo: 0 });
  await project.collect({ maxAgeMs: 30 * dayMs });
  project.addRun('20260101-1-aaaaaa', []);
  project.addRun('20260102-1-bbbbbb', []);
  await after(project, 1);
  vi.setSystemTime(Date.now() + 29 * dayMs);
  await after(project, 1);
  expect(project.has(result)).toBe(true);
  vi.setSystemTime(Date.now() + 2 * dayMs);
  await after(project, 1);
  expect(project.has(result)).toBe(false);
});

test('a store whose needed part is over the limit is not looked at after every run', async () => {
  using project = new Project();
  const result = project.addResult('a', { content: 'a'.repeat(10_000) });
  project.addRun('20260101-1-aaaaaa', [result]);
  project.addRun('20260102-1-bbbbbb', [result]);
  const environment = { JOYUL_CACHE_MAX_SIZE: '4000B' };
  expect(await after(project, 100, environment)).toEqual({ freedBytes: 0, diagnostics: [] });
  expect(await after(project, 100, environment)).toBeUndefined();
  expect(await after(project, 1000, environment)).toEqual({ freedBytes: 0, diagnostics: [] });
});

test('limits that cannot be read are told, and nothing is removed', async () => {
  using project = new Project();
  project.write({ 'package.json': '{"joyul": {"cache": {"maxSize": 1}}}' });
  const result = project.addResult('a', { daysAgo: 99 });
  const told = await after(project, 1e12);
  expect([told?.diagnostics.length, told?.freedBytes, project.has(result)]).toEqual([1, 0, true]);
});

test('a memory that is damaged is made again', async () => {
  using project = new Project();
  for (const memory of ['{', 'null', '[]', '{"version":1,"lookedMs":"x"}']) {
    project.write({ '.joyul/clean-up.json': memory });
    await after(project, 10);
    expect(memoryOf(project)).toMatchObject({ version: 1, totalBytes: expect.any(Number) as number });
  }
});
