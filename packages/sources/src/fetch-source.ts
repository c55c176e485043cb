import { createHash, randomUUID } from 'node:crypto';
import { existsSync } from 'node:fs';
import { mkdir, readFile, readdir, rename, rm, stat, writeFile } from 'node:fs/promises';
import { basename, join, resolve } from 'node:path';
import type { FetchOptions, Integrity } from './download.ts';
import { downloadFile, request } from './download.ts';
import { resolveInside } from './paths.ts';
import type { RegistryFile } from './registries.ts';
import { findNpmPackage, findPypiPackage, hubEndpoint } from './registries.ts';
import { SourceError } from './source-error.ts';
import { extractTar } from './tar.ts';
import { extractZip } from './zip.ts';

/** A source that is on this machine now. */
export interface FetchedSource {
  /** The folder that holds its files, or the file itself for a single `file:`. */
  readonly path: string;
  /** As it was written. */
  readonly reference: string;
  /** With the version that was found, such as `pypi:name@1.0.0`. */
  readonly resolved: string;
}

/** A reference, taken apart. */
export interface Reference {
  readonly scheme: 'file' | 'https' | 'npm' | 'pypi' | 'hf';
  readonly name: string;
  readonly version?: string;
  /** A path inside what is fetched. */
  readonly inside?: string;
}

/** Takes `npm:@scope/name@1.2.3#folder`, `pypi:…`, `hf:owner/name@revision`, `https:…`, `file:…` or a bare path apart. */
export function parseReference(reference: string): Reference {
  const [scheme = '', rest = ''] = reference.split(/:(.*)/s);
  if (scheme === 'https' || scheme === 'http') return { scheme: 'https', name: reference };
  if (scheme === 'npm' || scheme === 'pypi' || scheme === 'hf') {
    const match = /^(@?[^@#]+)(?:@([^#]+))?(?:#(.*))?$/.exec(rest);
    if (match?.[1] === undefined) {
      throw new SourceError(
        'REFERENCE',
        `"${reference}" is not a source.`,
        `Write ${scheme}:NAME or ${scheme}:NAME@VERSION.`,
      );
    }
    const [, name, version, inside] = match;
    return {
      scheme,
      name,
      ...(version === undefined ? {} : { version }),
      ...(inside === undefined || inside === '' ? {} : { inside }),
    };
  }
  if (scheme === 'file') return { scheme: 'file', name: rest.replace(/^\/\//, '') };
  if (/^[a-z][a-z0-9+]+$/.test(scheme) && rest !== '') {
    throw new SourceError(
      'REFERENCE',
      `"${scheme}:" is not a kind of source.`,
      'Write file:, https:, npm:, pypi: or hf:.',
    );
  }
  return { scheme: 'file', name: reference };
}

/** True for a reference that names a path in the project and not something to download. */
export function isLocalReference(reference: string): boolean {
  return !/^(?:https?|npm|pypi|hf):/.test(reference);
}

/** Fills a folder by `fill` and publishes it by a rename, so that it is whole or absent. */
async function publishFolder(target: string, fill: (folder: string) => Promise<void>): Promise<void> {
  const work = `${target}.${randomUUID()}.partial`;
  await mkdir(work, { recursive: true });
  try {
    await fill(work);
    await rename(work, target).catch((error: unknown) => {
      if (!existsSync(target)) throw error; // Another process may have finished first; its folder is as good.
    });
  } finally {
    await rm(work, { recursive: true, force: true });
  }
}

async function writeWhole(file: string, content: string): Promise<void> {
  const work = `${file}.${randomUUID()}`;
  await writeFile(work, content);
  await rename(work, file);
}

async function unpack(archive: string, folder: string): Promise<void> {
  try {
    if (/\.(?:whl|zip)$/.test(archive)) await extractZip(archive, folder);
    else await extractTar(archive, folder);
  } catch (cause) {
    throw new SourceError(
      'ARCHIVE',
      `${basename(archive)} cannot be unpacked: ${cause instanceof Error ? cause.message : String(cause)}`,
      'Delete the download folder and try again.',
      { cause },
    );
  }
}

const safeName = (text: string): string => text.replace(/[^A-Za-z0-9._@-]+/g, '__');

type Find = (name: string, version: string | undefined, options: FetchOptions) => Promise<RegistryFile>;

/** Fetches a package; a version that was fetched before needs no network. */
async function fetchPackage(
  reference: Reference,
  find: Find,
  options: FetchOptions,
): Promise<{ path: string; version: string }> {
  const base = join(options.downloadDir, reference.scheme, safeName(reference.name));
  const pinned = reference.version ?? (await readFile(join(base, 'latest'), 'utf8').catch(() => undefined));
  if (pinned !== undefined && existsSync(join(base, pinned)))
    return { path: join(base, pinned), version: pinned };
  const file = await find(reference.name, reference.version, options);
  const path = join(base, file.version);
  if (!existsSync(path)) {
    const archive = join(base, `.${safeName(file.filename)}`);
    const extra = {
      headers: file.headers,
      ...(file.integrity === undefined ? {} : { integrity: file.integrity }),
    };
    // A name of its own, so that another process that fetches the same cannot pull it away while it is unpacked.
    const own = `${archive}.${randomUUID()}${/\.(?:whl|zip)$/.test(archive) ? '.zip' : '.tar'}`;
    await downloadFile(file.url, own, options, { ...extra, partName: archive });
    try {
      await publishFolder(path, (folder) => unpack(own, folder));
    } finally {
      await rm(own, { force: true });
    }
  }
  // Unpinned references stay at the version that was found first, so that a rerun sees the same data.
  if (reference.version === undefined) await writeWhole(join(base, 'latest'), file.version);
  return { path, version: file.version };
}

/** Fetches the files of a Hugging Face repository that a model or a data set needs. */
async function fetchHub(
  reference: Reference,
  options: FetchOptions,
): Promise<{ path: string; version: string }> {
  const endpoint = hubEndpoint();
  const token = process.env['HF_TOKEN'];
  const headers: Record<string, string> = token === undefined ? {} : { authorization: `Bearer ${token}` };
  const base = join(options.downloadDir, 'hf', safeName(reference.name));
  const known = await readFile(join(base, `revision-${safeName(reference.version ?? 'main')}`), 'utf8').catch(
    () => undefined,
  );
  if (known !== undefined && existsSync(join(base, known)))
    return { path: join(base, known), version: known };
  const isData = reference.name.startsWith('datasets/');
  const api = isData ? `${endpoint}/api/${reference.name}` : `${endpoint}/api/models/${reference.name}`;
  const response = await request(
    `${api}/revision/${reference.version ?? 'main'}?blobs=true`,
    options,
    headers,
  );
  if (!response.ok) {
    throw new SourceError(
      'HTTP',
      `${new URL(endpoint).host} answered ${response.status} for ${reference.name}.`,
      'Check the name; a private repository needs HF_TOKEN.',
    );
  }
  // Documented fields of the hub's answer.
  const info = (await response.json()) as {
    readonly sha: string;
    readonly siblings: readonly { readonly rfilename: string; readonly lfs?: { readonly sha256: string } }[];
  };
  const wanted = info.siblings.filter(({ rfilename: name }) =>
    isData ? !name.startsWith('.') : isModelFile(name),
  );
  const path = join(base, info.sha);
  await publishFolder(path, async (folder) => {
    for (const { rfilename: name, lfs } of wanted) {
      const integrity: Integrity | undefined =
        lfs === undefined ? undefined : { algorithm: 'sha256', value: lfs.sha256, encoding: 'hex' };
      const url = `${endpoint}/${reference.name}/resolve/${info.sha}/${name.split('/').map(encodeURIComponent).join('/')}`;
      const extra = { headers, ...(integrity === undefined ? {} : { integrity }) };
      await downloadFile(url, resolveInside(folder, name), options, extra);
    }
  });
  await writeWhole(join(base, `revision-${safeName(reference.version ?? 'main')}`), info.sha);
  return { path, version: info.sha };
}

const isModelFile = (name: string): boolean =>
  !name.includes('/') &&
  /^(?:config|generation_config|tokenizer|tokenizer_config|special_tokens_map|vocab|merges).*\.(?:json|txt)$|\.safetensors$|\.safetensors\.index\.json$|\.jinja$/.test(
    name,
  );

/** Fetches a file or an archive; `#sha256=…` at the end, as pip has it, says what it must be. */
async function fetchUrl(
  reference: string,
  options: FetchOptions,
): Promise<{ path: string; version: string }> {
  const [url = '', stated] = reference.split('#sha256=');
  const name = safeName(decodeURIComponent(new URL(url).pathname.split('/').at(-1) ?? 'file')) || 'file';
  const version = createHash('sha256').update(reference).digest('hex').slice(0, 16);
  const path = join(options.downloadDir, 'https', version);
  if (!existsSync(path)) {
    const integrity: Integrity | undefined =
      stated === undefined
        ? undefined
        : { algorithm: 'sha256', value: stated.toLowerCase(), encoding: 'hex' };
    await publishFolder(path, async (folder) => {
      const target = join(folder, name);
      await downloadFile(url, target, options, integrity === undefined ? {} : { integrity });
      if (/\.(?:zip|whl|tgz|tar|tar\.gz)$/.test(name)) {
        await unpack(target, folder);
        await rm(target);
      }
    });
  }
  const files = await readdir(path);
  return { path: files.length === 1 && files[0] !== undefined ? join(path, files[0]) : path, version };
}

/** Brings a source to this machine, verified, and tells where it is; without network where it was fetched before. */
export async function fetchSource(reference: string, options: FetchOptions): Promise<FetchedSource> {
  const parsed = parseReference(reference);
  if (parsed.scheme === 'file') {
    const path = resolve(options.projectDir ?? '.', parsed.name);
    await stat(path).catch((cause: unknown) => {
      throw new SourceError(
        'NOT_FOUND',
        `There is no file or folder ${parsed.name}.`,
        `Looked for ${path}.`,
        { cause },
      );
    });
    return { path, reference, resolved: reference };
  }
  const { path, version } = await fetchRemote(parsed, options);
  const inside = parsed.inside === undefined ? path : resolveInside(path, parsed.inside);
  if (!existsSync(inside))
    throw new SourceError(
      'NOT_FOUND',
      `${reference.split('#')[0] ?? reference} holds no ${parsed.inside ?? ''}.`,
      `It holds ${(await readdir(path)).slice(0, 8).join(', ')}.`,
    );
  const resolved = parsed.scheme === 'https' ? reference : `${parsed.scheme}:${parsed.name}@${version}`;
  return { path: inside, reference, resolved };
}

function fetchRemote(parsed: Reference, options: FetchOptions): Promise<{ path: string; version: string }> {
  switch (parsed.scheme) {
    case 'npm':
      return fetchPackage(parsed, findNpmPackage, options);
    case 'pypi':
      return fetchPackage(parsed, findPypiPackage, options);
    case 'hf':
      return fetchHub(parsed, options);
    default:
      return fetchUrl(parsed.name, options);
  }
}

/** Fetches the first reference that can be had, and says why those before it could not. */
export async function fetchFirst(
  references: readonly string[],
  options: FetchOptions,
): Promise<FetchedSource & { readonly passedOver: readonly string[] }> {
  const passedOver: string[] = [];
  let last: unknown;
  // Where there is another way, nobody should wait long for the first.
  const hurried = references.length > 1 ? { connectTimeoutMs: 3000, ...options } : options;
  for (const reference of references) {
    try {
      return { ...(await fetchSource(reference, hurried)), passedOver };
    } catch (error) {
      if (options.signal?.aborted === true) throw error;
      last = error;
      passedOver.push(`${reference}: ${error instanceof Error ? error.message : String(error)}`);
    }
  }
  if (references.length === 1) throw last;
  throw new SourceError(
    'NOT_FOUND',
    `None of the ${references.length} sources can be had:\n${passedOver.map((line) => `  ${line}`).join('\n')}`,
    'Check the network, or name a source that this machine reaches.',
    { cause: last },
  );
}

/** True for a folder that a model can be opened from: `config.json` beside weights, or a GGUF file. */
function isModelFolder(names: readonly string[]): boolean {
  return (
    names.some((name) => name.endsWith('.gguf')) ||
    (names.includes('config.json') && names.some((name) => name.endsWith('.safetensors')))
  );
}

/** The folder with a model inside an unpacked package, searched to a depth of four; a GGUF file is a model as it is. */
export async function findModelFolder(dir: string, depth = 4): Promise<string | undefined> {
  if (dir.endsWith('.gguf') && (await stat(dir)).isFile()) return dir;
  const entries = await readdir(dir, { withFileTypes: true });
  if (isModelFolder(entries.filter((entry) => !entry.isDirectory()).map((entry) => entry.name))) return dir;
  if (depth === 0) return undefined;
  for (const entry of entries
    .filter((item) => item.isDirectory())
    .sort((a, b) => (a.name < b.name ? -1 : 1))) {
    const found = await findModelFolder(join(dir, entry.name), depth - 1);
    if (found !== undefined) return found;
  }
  return undefined;
}
