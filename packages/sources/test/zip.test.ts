import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { extractZip } from '../src/index.ts';
import { makeFolder, makeZip } from './fixtures.ts';

test('a zip archive gives the files that are wanted', async () => {
  await using folder = await makeFolder();
  const archive = join(folder.path, 'a.zip');
  await writeFile(archive, makeZip({ 'é/a.txt': 'one'.repeat(1000), 'b.txt': '', 'c.md': 'no' }));
  await extractZip(archive, join(folder.path, 'out'), (name) => name.endsWith('.txt'));
  expect(await readFile(join(folder.path, 'out/é/a.txt'), 'utf8')).toBe('one'.repeat(1000));
  expect(await readFile(join(folder.path, 'out/b.txt'), 'utf8')).toBe('');
  await expect(readFile(join(folder.path, 'out/c.md'))).rejects.toThrow('ENOENT');
});

test('a member that would lie outside is refused', async () => {
  await using folder = await makeFolder();
  const archive = join(folder.path, 'a.zip');
  await writeFile(archive, makeZip({ '../out.txt': 'x' }));
  await expect(extractZip(archive, join(folder.path, 'out'))).rejects.toThrow(
    'The archive member "../out.txt" lies outside its folder.',
  );
});

test('a file that is no archive is refused', async () => {
  await using folder = await makeFolder();
  const archive = join(folder.path, 'a.zip');
  await writeFile(archive, 'no zip at all, but long enough to look');
  await expect(extractZip(archive, join(folder.path, 'out'))).rejects.toThrow(
    'This is not a zip archive: its directory is missing.',
  );
});
