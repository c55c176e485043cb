import { expect, test } from 'vitest';
import { StatCache } from '../../src/store/stat-cache.ts';
import { digestOf } from '../../src/util/hash.ts';
import { writeFile } from '../../src/util/files.ts';
import { Random } from '../simulation/random.ts';
import { World } from '../simulation/world.ts';

const encoder = new TextEncoder();

/** A cache over a disk in memory whose times have ticks of four milliseconds, as kernels have them. */
function makeCache(): {
  readonly world: World;
  readonly cache: () => StatCache;
  readonly digest: () => string;
} {
  const world = new World(new Random(1));
  const { platform } = world.start();
  world.disk.hands.makeFolder('/p');
  writeFile(world.disk.hands, '/p/a.txt', 'one');
  const cache = (): StatCache => new StatCache('/p/.joyul/stat-cache.tsv', '/p', platform);
  const digest = (): string => {
    const fresh = cache();
    const found = fresh.digestIfThere('/p/a.txt');
    fresh.save();
    return found ?? '';
  };
  return { world, cache, digest };
}

const replace = (world: World, text: string): void => {
  world.disk.replaceSilently('/p/a.txt', () => encoder.encode(text));
};

test('a change within the same tick, with size and times kept, is seen', () => {
  const { world, digest } = makeCache();
  expect(digest()).toBe(digestOf('one'));
  replace(world, 'two');
  expect(digest()).toBe(digestOf('two'));
});

test('a change that keeps size and mtime is seen by its ctime', () => {
  const { world, digest } = makeCache();
  world.nowMs += 1000;
  expect(digest()).toBe(digestOf('one'));
  world.nowMs += 1000;
  replace(world, 'two');
  expect(digest()).toBe(digestOf('two'));
});

test('an unchanged file is not read again', () => {
  const { world, digest } = makeCache();
  world.nowMs += 1000;
  digest();
  // A disk that loses bytes without touching times is only seen by reading.
  world.disk.corrupt('/p/a.txt', 'xxx');
  expect(digest()).toBe(digestOf('one'));
});

test('after a power failure young content is read again, since it may be lost with its times kept', () => {
  const { world, digest } = makeCache();
  world.nowMs += 1000;
  digest();
  world.boots++;
  world.disk.corrupt('/p/a.txt', 'xxx');
  const { platform } = world.start();
  const cache = new StatCache('/p/.joyul/stat-cache.tsv', '/p', platform);
  expect(cache.digestIfThere('/p/a.txt')).toBe(digestOf('xxx'));
});
