import { readFile, readdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { downloadFile } from '../src/index.ts';
import type { Integrity } from '../src/index.ts';
import { makeFolder, sha256Of, startServer } from './fixtures.ts';

const content = Buffer.from('0123456789'.repeat(1000));
const integrity: Integrity = { algorithm: 'sha256', value: sha256Of(content), encoding: 'hex' };

test('a download that breaks off is resumed where it stopped', async () => {
  await using folder = await makeFolder();
  const ranges: (string | undefined)[] = [];
  let breakOff = (): void => undefined;
  await using server = await startServer({
    '/file': (request, response) => {
      ranges.push(request.headers.range);
      if (request.headers.range === undefined) {
        response.writeHead(200, { 'content-length': content.length });
        response.write(content.subarray(0, 4000));
        breakOff = () => response.destroy();
        return;
      }
      const start = Number(/\d+/.exec(request.headers.range)?.[0]);
      response.writeHead(206, { 'content-length': content.length - start }).end(content.subarray(start));
    },
  });
  const target = join(folder.path, 'file');
  // What has been received is on disk by then, so the break always comes at the same byte.
  const onProgress = (progress: { doneBytes: number }): void => {
    if (progress.doneBytes === 4000) breakOff();
  };
  const options = { downloadDir: folder.path, retryDelayMs: 1, onProgress };
  await downloadFile(`${server.url}/file`, target, options, { integrity });
  expect((await readFile(target)).equals(content)).toBe(true);
  expect(ranges).toEqual([undefined, 'bytes=4000-']);
  expect(await readdir(folder.path)).toEqual(['file']);
});

test('what a process that is gone had downloaded is taken over', async () => {
  await using folder = await makeFolder();
  await writeFile(join(folder.path, 'file.4194999-0.part'), content.subarray(0, 9000)); // No such process id on any system.
  const ranges: (string | undefined)[] = [];
  await using server = await startServer({
    '/file': (request, response) => {
      ranges.push(request.headers.range);
      response.writeHead(206, { 'content-length': 1000 }).end(content.subarray(9000));
    },
  });
  const target = join(folder.path, 'file');
  await downloadFile(`${server.url}/file`, target, { downloadDir: folder.path }, { integrity });
  expect(ranges).toEqual(['bytes=9000-']);
});

test('a file with the wrong digest is refused and leaves nothing behind', async () => {
  await using folder = await makeFolder();
  await using server = await startServer({ '/file': Buffer.from('evil') });
  const download = downloadFile(
    `${server.url}/file`,
    join(folder.path, 'file'),
    { downloadDir: folder.path },
    { integrity },
  );
  await expect(download).rejects.toMatchObject({
    code: 'INTEGRITY',
    message: `${new URL(server.url).host} gave a file for /file whose sha256 is ${sha256Of(Buffer.from('evil'))}, not ${integrity.value}.`,
    help: 'Try again; if it stays so, do not use this source.',
  });
  expect(await readdir(folder.path)).toEqual([]);
});

test('a busy server is asked again, one without the file is not', async () => {
  await using folder = await makeFolder();
  let count = 0;
  await using server = await startServer({
    '/busy': (_, response) => {
      count++;
      if (count < 3) response.writeHead(503).end();
      else response.end('there');
    },
  });
  const options = { downloadDir: folder.path, retryDelayMs: 1 };
  await downloadFile(`${server.url}/busy`, join(folder.path, 'busy'), options);
  expect(count).toBe(3);
  await expect(downloadFile(`${server.url}/none`, join(folder.path, 'none'), options)).rejects.toMatchObject({
    code: 'HTTP',
    message: `${new URL(server.url).host} answered 404 for /none.`,
    help: 'Check the name and the version.',
  });
  expect(server.asked.filter((path) => path === '/none')).toHaveLength(1);
});

test('a download that stands still is tried again', async () => {
  await using folder = await makeFolder();
  let count = 0;
  await using server = await startServer({
    '/file': (_, response) => {
      count++;
      response.writeHead(200, { 'content-length': 5 });
      if (count === 1) response.write('st');
      else response.end('still');
    },
  });
  const options = { downloadDir: folder.path, retryDelayMs: 1, stallTimeoutMs: 50 };
  await downloadFile(`${server.url}/file`, join(folder.path, 'file'), options);
  expect(await readFile(join(folder.path, 'file'), 'utf8')).toBe('still');
});

test('a host that does not answer counts as unreachable', async () => {
  await using folder = await makeFolder();
  await using server = await startServer({ '/slow': () => undefined });
  const options = { downloadDir: folder.path, connectTimeoutMs: 30 };
  await expect(downloadFile(`${server.url}/slow`, join(folder.path, 'x'), options)).rejects.toMatchObject({
    code: 'UNREACHABLE',
    message: `${new URL(server.url).host} cannot be reached.`,
  });
});

test('progress tells bytes and the total', async () => {
  await using folder = await makeFolder();
  await using server = await startServer({ '/data.bin': content });
  const told: unknown[] = [];
  await downloadFile(`${server.url}/data.bin`, join(folder.path, 'x'), {
    downloadDir: folder.path,
    onProgress: (progress) => told.push(progress),
  });
  expect(told.at(-1)).toEqual({ name: 'data.bin', doneBytes: 10_000, totalBytes: 10_000 });
});

test('a name and password in a URL become a header and stay out of messages', async () => {
  await using folder = await makeFolder();
  await using server = await startServer({
    '/file': (request, response) => response.end(request.headers.authorization),
  });
  const url = server.url.replace('http://', 'http://me:se%20cret@');
  await downloadFile(`${url}/file`, join(folder.path, 'x'), { downloadDir: folder.path });
  const expected = `Basic ${Buffer.from('me:se cret').toString('base64')}`;
  expect(await readFile(join(folder.path, 'x'), 'utf8')).toBe(expected);
});
