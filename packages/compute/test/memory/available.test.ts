import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { afterEach, expect, test } from 'vitest';
import { availableMemory } from '../../src/index.ts';

const made: string[] = [];
afterEach(() => {
  for (const folder of made.splice(0)) rmSync(folder, { recursive: true });
});

/** Folders like the kernel's, with these files. */
function makeKernel(files: Readonly<Record<string, string>>): { proc: string; cgroup: string } {
  const root = mkdtempSync(join(tmpdir(), 'joyul-kernel-'));
  made.push(root);
  for (const [name, content] of Object.entries({ 'proc/meminfo': 'MemAvailable:    1000 kB\n', ...files })) {
    mkdirSync(dirname(join(root, name)), { recursive: true });
    writeFileSync(join(root, name), content);
  }
  return { proc: join(root, 'proc'), cgroup: join(root, 'cgroup') };
}

test('without control groups everything that the machine has free can be taken', () => {
  expect(availableMemory(makeKernel({}))).toBe(1_024_000);
});

test("a control group's limit counts, less what is in use and cannot be dropped", () => {
  const kernel = makeKernel({
    'proc/self/cgroup': '0::/jobs/mine\n',
    'cgroup/jobs/mine/memory.max': '900000\n',
    'cgroup/jobs/mine/memory.current': '500000\n',
    'cgroup/jobs/mine/memory.stat': 'anon 400000\ninactive_file 100000\n',
  });
  expect(availableMemory(kernel)).toBe(500_000);
});

test('the limit of a group around it counts too', () => {
  const kernel = makeKernel({
    'proc/self/cgroup': '0::/jobs/mine\n',
    'cgroup/jobs/mine/memory.max': 'max\n',
    'cgroup/jobs/mine/memory.current': '500000\n',
    'cgroup/jobs/memory.max': '700000\n',
    'cgroup/jobs/memory.current': '600000\n',
  });
  expect(availableMemory(kernel)).toBe(100_000);
});

test('limits of the first version of control groups count', () => {
  const kernel = makeKernel({
    'proc/self/cgroup': '4:cpu,cpuacct:/other\n9:memory:/mine\n',
    'cgroup/memory/mine/memory.limit_in_bytes': '800000\n',
    'cgroup/memory/mine/memory.usage_in_bytes': '300000\n',
    'cgroup/memory/mine/memory.stat': 'total_inactive_file 50000\n',
  });
  expect(availableMemory(kernel)).toBe(550_000);
});
