import { readFile, readdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { extractTar } from '../src/index.ts';
import { makeFolder, makeTgz, tarEnd, tarMember } from './fixtures.ts';

async function extract(archive: Buffer, folder: string): Promise<void> {
  await writeFile(join(folder, 'archive'), archive);
  await extractTar(join(folder, 'archive'), join(folder, 'out'));
}

test('a gzipped archive gives its files, also empty ones and those of a whole block', async () => {
  await using folder = await makeFolder();
  await extract(makeTgz({ 'a/b.txt': 'hello', 'a/empty': '', block: 'x'.repeat(512) }), folder.path);
  expect(await readFile(join(folder.path, 'out/a/b.txt'), 'utf8')).toBe('hello');
  expect(await readFile(join(folder.path, 'out/a/empty'), 'utf8')).toBe('');
  expect(await readFile(join(folder.path, 'out/block'), 'utf8')).toBe('x'.repeat(512));
});

test('an archive without gzip is read too, and long names come from pax and GNU headers', async () => {
  await using folder = await makeFolder();
  const long = `${'folder/'.repeat(20)}name.txt`;
  const record = `path=pax.txt\n`;
  const pax = `${record.length + 3} ${record}`;
  const archive = Buffer.concat([
    tarMember('x', pax, 'x'),
    tarMember('ignored', 'one'),
    tarMember('././@LongLink', `${long}\0`, 'L'),
    tarMember('cut', 'two'),
    tarEnd,
  ]);
  await extract(archive, folder.path);
  expect(await readFile(join(folder.path, 'out/pax.txt'), 'utf8')).toBe('one');
  expect(await readFile(join(folder.path, 'out', long), 'utf8')).toBe('two');
});

test('links and folders are left out', async () => {
  await using folder = await makeFolder();
  const archive = Buffer.concat([
    tarMember('folder/', '', '5'),
    tarMember('link', '', '2'),
    tarMember('file', 'x'),
    tarEnd,
  ]);
  await extract(archive, folder.path);
  expect(await readdir(join(folder.path, 'out'))).toEqual(['file']);
});

test.each(['../escape.txt', '/etc/escape.txt', 'a/../../escape.txt'])(
  'a member named %s is refused',
  async (name) => {
    await using folder = await makeFolder();
    await expect(extract(Buffer.concat([tarMember(name, 'x'), tarEnd]), folder.path)).rejects.toThrow(
      `The archive member ${JSON.stringify(name)} lies outside its folder.`,
    );
  },
);

test('an archive that ends inside a member is refused', async () => {
  await using folder = await makeFolder();
  const whole = tarMember('file', 'x'.repeat(2000));
  await expect(extract(whole.subarray(0, 1024), folder.path)).rejects.toThrow(
    'The tar archive ends too early.',
  );
});

test('a file that is no archive is refused', async () => {
  await using folder = await makeFolder();
  await expect(extract(Buffer.from('<html>'.repeat(200)), folder.path)).rejects.toThrow(
    'This is not a tar archive, or it is damaged.',
  );
});
