import { mkdir, readFile, readdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterEach, expect, test, vi } from 'vitest';
import { fetchFirst, fetchSource, findModelFolder, isLocalReference, parseReference } from '../src/index.ts';
import { integrityOf, makeFolder, makeTgz, makeZip, sha256Of, startServer } from './fixtures.ts';

afterEach(() => {
  vi.unstubAllEnvs();
});

const tarball = makeTgz({ 'package/data/rows.csv': 'text,label\na,b\n' });

/** A registry with one package; its tarball lies on the public registry, as mirrors have it. */
const npmRoutes = {
  '/@scope%2fdata': {
    'dist-tags': { latest: '1.1.0', next: '2.0.0' },
    versions: {
      '1.0.0': {
        dist: { tarball: 'https://registry.npmjs.org/data-1.0.0.tgz', integrity: integrityOf(tarball) },
      },
      '1.1.0': {
        dist: { tarball: 'https://registry.npmjs.org/data-1.1.0.tgz', integrity: integrityOf(tarball) },
      },
      '2.0.0': { dist: { tarball: 'https://registry.npmjs.org/data-1.1.0.tgz', integrity: 'sha512-AAAA' } },
    },
  },
  '/data-1.0.0.tgz': tarball,
  '/data-1.1.0.tgz': tarball,
};

test.each([
  ['npm:@scope/name@1.2.3#a/b', { scheme: 'npm', name: '@scope/name', version: '1.2.3', inside: 'a/b' }],
  ['pypi:name', { scheme: 'pypi', name: 'name' }],
  ['hf:datasets/owner/name@main', { scheme: 'hf', name: 'datasets/owner/name', version: 'main' }],
  ['https://x.org/a@b', { scheme: 'https', name: 'https://x.org/a@b' }],
  ['file:data/a.csv', { scheme: 'file', name: 'data/a.csv' }],
  ['data/a.csv', { scheme: 'file', name: 'data/a.csv' }],
  ['C:\\data', { scheme: 'file', name: 'C:\\data' }],
])('%s is taken apart', (reference, parts) => {
  expect(parseReference(reference)).toEqual(parts);
});

test('a misspelt scheme is told apart from a path', () => {
  expect(() => parseReference('pypy:name')).toThrow('"pypy:" is not a kind of source.');
  expect(() => parseReference('npm:')).toThrow('"npm:" is not a source.');
  expect([isLocalReference('npm:x'), isLocalReference('a/npm.csv')]).toEqual([false, true]);
});

test('an npm package comes from the mirror, checked, and needs no network a second time', async () => {
  await using folder = await makeFolder();
  await using server = await startServer(npmRoutes);
  vi.stubEnv('npm_config_registry', server.url);
  const options = { downloadDir: folder.path };
  const source = await fetchSource('npm:@scope/data#package/data', options);
  expect(source.resolved).toBe('npm:@scope/data@1.1.0');
  expect(await readFile(join(source.path, 'rows.csv'), 'utf8')).toBe('text,label\na,b\n');
  const asked = server.asked.length;
  const again = await fetchSource('npm:@scope/data#package/data', { ...options, offline: true });
  expect([again.path, server.asked.length]).toEqual([source.path, asked]);
  expect(await readdir(join(folder.path, 'npm/@scope__data'))).toEqual(['1.1.0', 'latest']);
});

test('a tag names a version, and a wrong digest is refused', async () => {
  await using folder = await makeFolder();
  await using server = await startServer(npmRoutes);
  vi.stubEnv('npm_config_registry', server.url);
  await expect(fetchSource('npm:@scope/data@next', { downloadDir: folder.path })).rejects.toMatchObject({
    code: 'INTEGRITY',
  });
});

test('a version, a package and a folder that are not there are told with what is', async () => {
  await using folder = await makeFolder();
  await using server = await startServer(npmRoutes);
  vi.stubEnv('npm_config_registry', server.url);
  const options = { downloadDir: folder.path };
  await expect(fetchSource('npm:@scope/data@3.0.0', options)).rejects.toMatchObject({
    message: '@scope/data has no version 3.0.0.',
    help: 'Write one of its versions, such as 1.0.0, 1.1.0, 2.0.0.',
  });
  await expect(fetchSource('npm:none', options)).rejects.toMatchObject({
    message: 'The npm registry has no package none.',
    help: 'Check the name.',
  });
  await expect(fetchSource('npm:@scope/data@1.0.0#nowhere', options)).rejects.toMatchObject({
    message: 'npm:@scope/data@1.0.0 holds no nowhere.',
    help: 'It holds package.',
  });
});

test('the project’s .npmrc gives the registry and its token, and the token goes to that host only', async () => {
  await using folder = await makeFolder();
  const seen: (string | undefined)[] = [];
  await using elsewhere = await startServer({
    '/data.tgz': (request, response) => {
      seen.push(request.headers.authorization);
      response.end(tarball);
    },
  });
  await using server = await startServer({
    '/data': (request, response) => {
      seen.push(request.headers.authorization);
      const dist = { tarball: `${elsewhere.url}/data.tgz`, integrity: integrityOf(tarball) };
      response.end(JSON.stringify({ 'dist-tags': { latest: '1.0.0' }, versions: { '1.0.0': { dist } } }));
    },
  });
  vi.stubEnv('npm_config_registry', undefined);
  vi.stubEnv('NPM_CONFIG_REGISTRY', undefined);
  vi.stubEnv('MY_TOKEN', 'abc');
  const place = server.url.replace('http:', '');
  const lines = [`registry=${server.url}/`, '; a comment', `${place}/:_authToken=\${MY_TOKEN}`];
  await writeFile(join(folder.path, '.npmrc'), lines.join('\n'));
  await fetchSource('npm:data', { downloadDir: join(folder.path, 'downloads'), projectDir: folder.path });
  expect(seen).toEqual(['Bearer abc', undefined]);
});

test('a Python package comes as its newest wheel that was neither taken back nor is a preview', async () => {
  await using folder = await makeFolder();
  const wheel = makeZip({ 'pkg/config.json': '{}', 'pkg/model.safetensors': 'x' });
  const file = (filename: string, more: object = {}): object => ({
    filename,
    url: filename,
    hashes: { sha256: sha256Of(wheel) },
    ...more,
  });
  await using server = await startServer({
    '/my-pkg/': {
      files: [
        file('my_pkg-1.9.0-py3-none-any.whl'),
        file('my_pkg-1.10.0.tar.gz'),
        file('my_pkg-1.10.0-py3-none-any.whl'),
        file('my_pkg-1.11.0-py3-none-any.whl', { yanked: 'broken' }),
        file('my_pkg-2.0.0rc1-py3-none-any.whl'),
        file('my_pkg-3.0.0-cp312-cp312-linux_x86_64.whl'),
      ],
    },
    '/my-pkg/my_pkg-1.10.0-py3-none-any.whl': wheel,
  });
  vi.stubEnv('PIP_INDEX_URL', server.url);
  const source = await fetchSource('pypi:My_Pkg', { downloadDir: folder.path });
  expect(source.resolved).toBe('pypi:My_Pkg@1.10.0');
  expect(await findModelFolder(source.path)).toBe(join(source.path, 'pkg'));
});

test('a GGUF file is found as a model, in a package and by itself', async () => {
  await using folder = await makeFolder();
  const dir = join(folder.path, 'package', 'data');
  await mkdir(join(dir, 'odd.gguf'), { recursive: true });
  expect(await findModelFolder(folder.path)).toBeUndefined();
  await writeFile(join(dir, 'model.Q4_1.gguf'), 'GGUF');
  expect(await findModelFolder(folder.path)).toBe(dir);
  const file = join(dir, 'model.Q4_1.gguf');
  expect(await findModelFolder(file)).toBe(file);
});

test('a model comes from the hub with its revision, its token and its digests', async () => {
  await using folder = await makeFolder();
  const weights = Buffer.from('weights');
  const headers: (string | undefined)[] = [];
  await using server = await startServer({
    '/api/models/o/m/revision/main': {
      sha: 'abc123',
      siblings: [
        { rfilename: 'config.json' },
        { rfilename: 'model.safetensors', lfs: { sha256: sha256Of(weights) } },
        { rfilename: 'onnx/model.onnx' },
      ],
    },
    '/o/m/resolve/abc123/config.json': (request, response) => {
      headers.push(request.headers.authorization);
      response.end('{}');
    },
    '/o/m/resolve/abc123/model.safetensors': weights,
  });
  vi.stubEnv('HF_ENDPOINT', server.url);
  vi.stubEnv('HF_TOKEN', 'hf_x');
  const source = await fetchSource('hf:o/m', { downloadDir: folder.path });
  expect([source.resolved, headers]).toEqual(['hf:o/m@abc123', ['Bearer hf_x']]);
  expect((await readdir(source.path)).sort()).toEqual(['config.json', 'model.safetensors']);
  expect((await fetchSource('hf:o/m', { downloadDir: folder.path, offline: true })).path).toBe(source.path);
});

test('a web address gives a file or an unpacked archive, checked where it says the digest', async () => {
  await using folder = await makeFolder();
  const csv = Buffer.from('a,b\n');
  await using server = await startServer({ '/rows.csv': csv, '/rows.tgz': tarball });
  const options = { downloadDir: folder.path };
  const file = await fetchSource(`${server.url}/rows.csv#sha256=${sha256Of(csv)}`, options);
  expect(await readFile(file.path, 'utf8')).toBe('a,b\n');
  const archive = await fetchSource(`${server.url}/rows.tgz`, options);
  expect(await readFile(join(archive.path, 'data/rows.csv'), 'utf8')).toBe('text,label\na,b\n');
  await expect(fetchSource(`${server.url}/rows.csv#sha256=00`, options)).rejects.toMatchObject({
    code: 'INTEGRITY',
  });
});

test('the first source that can be had is taken, and why the others were not is told', async () => {
  await using folder = await makeFolder();
  await writeFile(join(folder.path, 'rows.csv'), 'x');
  vi.stubEnv('HF_ENDPOINT', 'http://127.0.0.1:9');
  const options = { downloadDir: folder.path, projectDir: folder.path };
  const source = await fetchFirst(['hf:o/m', 'none.csv', 'rows.csv'], options);
  expect(source.path).toBe(join(folder.path, 'rows.csv'));
  expect(source.passedOver).toEqual([
    'hf:o/m: 127.0.0.1:9 cannot be reached.',
    'none.csv: There is no file or folder none.csv.',
  ]);
  await expect(fetchFirst(['hf:o/m', 'none.csv'], options)).rejects.toThrow(
    'None of the 2 sources can be had:\n  hf:o/m: 127.0.0.1:9 cannot be reached.\n  none.csv: There is no file or folder none.csv.',
  );
});

test('without the network, what is not here is refused by name', async () => {
  await using folder = await makeFolder();
  vi.stubEnv('HF_ENDPOINT', undefined);
  await expect(fetchSource('hf:o/m', { downloadDir: folder.path, offline: true })).rejects.toMatchObject({
    code: 'OFFLINE',
    message: 'huggingface.co is needed, but the network is switched off.',
  });
});

test('two fetches of one package at the same time both get it whole', async () => {
  await using folder = await makeFolder();
  await using server = await startServer(npmRoutes);
  vi.stubEnv('npm_config_registry', server.url);
  await mkdir(join(folder.path, 'npm'), { recursive: true });
  const [one, two] = await Promise.all([
    fetchSource('npm:@scope/data@1.0.0', { downloadDir: folder.path }),
    fetchSource('npm:@scope/data@1.0.0', { downloadDir: folder.path }),
  ]);
  expect(one.path).toBe(two.path);
  expect(await readdir(join(folder.path, 'npm/@scope__data'))).toEqual(['1.0.0']);
});
