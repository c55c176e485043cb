import { readFileSync } from 'node:fs';
import { dirname, join } from 'node:path';

/** Where the kernel tells about memory; tests give others. */
export interface KernelFolders {
  readonly proc: string;
  readonly cgroup: string;
}

function read(file: string): string | undefined {
  try {
    return readFileSync(file, 'utf8');
  } catch {
    return undefined;
  }
}

const numberIn = (text: string | undefined, pattern: RegExp): number | undefined => {
  const found = text === undefined ? undefined : pattern.exec(text)?.[1];
  return found === undefined ? undefined : Number(found);
};

/** What one control group leaves: its limit, less what is in use and cannot be dropped. */
function leftOf(folder: string, names: { limit: string; usage: string; cache: RegExp }): number {
  const limit = numberIn(read(join(folder, names.limit)), /^(\d+)/);
  const usage = numberIn(read(join(folder, names.usage)), /^(\d+)/);
  if (limit === undefined || usage === undefined) return Number.POSITIVE_INFINITY;
  // Files that nobody has read for a while count as used, but go when room is needed.
  const cache = numberIn(read(join(folder, 'memory.stat')), names.cache) ?? 0;
  return Math.max(0, limit - usage + cache);
}

const version2 = { limit: 'memory.max', usage: 'memory.current', cache: /^inactive_file (\d+)/m };
const version1 = {
  limit: 'memory.limit_in_bytes',
  usage: 'memory.usage_in_bytes',
  cache: /^total_inactive_file (\d+)/m,
};

/** The least that a control group and those around it leave. */
function leftOfGroups({ proc, cgroup }: KernelFolders): number {
  const lines = (read(join(proc, 'self', 'cgroup')) ?? '').split('\n');
  const left = lines.flatMap((line) => {
    const [, controllers = '', path = '/'] = /^\d+:([^:]*):(.*)$/.exec(line) ?? [];
    const isSecond = line.startsWith('0::');
    if (!isSecond && !controllers.split(',').includes('memory')) return [];
    const root = isSecond ? cgroup : join(cgroup, 'memory');
    const folders = [root];
    // A container may see its own group at the root, whatever its path is outside.
    for (let folder = join(root, path); folder.length > root.length; folder = dirname(folder))
      folders.push(folder);
    return folders.map((folder) => leftOf(folder, isSecond ? version2 : version1));
  });
  return Math.min(...left, Number.POSITIVE_INFINITY);
}

/** Bytes that this process can still take: what the machine has free, within the limits of its control groups. */
export function availableMemory(
  folders: KernelFolders = { proc: '/proc', cgroup: '/sys/fs/cgroup' },
): number {
  const free = numberIn(read(join(folders.proc, 'meminfo')), /^MemAvailable:\s+(\d+) kB/m);
  if (free === undefined) return process.availableMemory();
  return Math.min(free * 1024, leftOfGroups(folders));
}
