import { readFileSync } from 'node:fs';
import { homedir } from 'node:os';
import { join } from 'node:path';
import type { FetchOptions, Integrity } from './download.ts';
import { request } from './download.ts';
import { SourceError } from './source-error.ts';

/** A file that a registry offers, and how to check it. */
export interface RegistryFile {
  readonly url: string;
  readonly version: string;
  readonly filename: string;
  readonly integrity?: Integrity;
  readonly headers: Record<string, string>;
}

const readText = (file: string): string => {
  try {
    return readFileSync(file, 'utf8');
  } catch {
    return '';
  }
};

/** Settings of npm: the user's `.npmrc`, then the project's, which counts more; `${NAME}` is the environment. */
function readNpmrc(projectDir: string | undefined): ReadonlyMap<string, string> {
  const user = process.env['npm_config_userconfig'] ?? join(homedir(), '.npmrc');
  const settings = new Map<string, string>();
  for (const file of [user, ...(projectDir === undefined ? [] : [join(projectDir, '.npmrc')])]) {
    for (const line of readText(file).split('\n')) {
      const match = /^\s*([^#;=\s][^=]*?)\s*=\s*"?(.*?)"?\s*$/.exec(line);
      if (match?.[1] === undefined) continue;
      const value = (match[2] ?? '').replace(
        /\$\{(\w+)\}/g,
        (whole, name: string) => process.env[name] ?? whole,
      );
      settings.set(match[1], value);
    }
  }
  return settings;
}

const publicNpm = 'https://registry.npmjs.org/';

/** The registry of a package, and the headers for its host and no other. */
function npmRegistry(
  name: string,
  projectDir: string | undefined,
): { base: string; headersFor: (url: string) => Record<string, string> } {
  const settings = readNpmrc(projectDir);
  const scope = name.startsWith('@') ? name.split('/')[0] : undefined;
  const chosen =
    (scope === undefined ? undefined : settings.get(`${scope}:registry`)) ??
    process.env['npm_config_registry'] ??
    process.env['NPM_CONFIG_REGISTRY'] ??
    settings.get('registry') ??
    publicNpm;
  const base = chosen.endsWith('/') ? chosen : `${chosen}/`;
  const place = base.replace(/^https?:/, '');
  const token = settings.get(`${place}:_authToken`) ?? settings.get(`${place.replace(/\/$/, '')}:_authToken`);
  const headers: Record<string, string> = token === undefined ? {} : { authorization: `Bearer ${token}` };
  return { base, headersFor: (url) => (new URL(url).host === new URL(base).host ? headers : {}) };
}

/** A mirror's answers may name the public registry's files; it has them too, and may be all that is reached. */
const onMirror = (tarball: string, base: string): string =>
  tarball.startsWith(publicNpm) ? base + tarball.slice(publicNpm.length) : tarball;

/** Finds a package's tarball on the npm registry; without a version the `latest` tag counts. */
export async function findNpmPackage(
  name: string,
  version: string | undefined,
  options: FetchOptions,
): Promise<RegistryFile> {
  const { base, headersFor } = npmRegistry(name, options.projectDir);
  const response = await request(`${base}${name.replace('/', '%2f')}`, options, headersFor(base));
  if (response.status === 404) {
    throw new SourceError('NOT_FOUND', `The npm registry has no package ${name}.`, 'Check the name.');
  }
  if (!response.ok)
    throw new SourceError(
      'HTTP',
      `The npm registry answered ${response.status} for ${name}.`,
      'Try again later.',
    );
  // The registry's documented answer; only these fields are read.
  const manifest = (await response.json()) as {
    readonly 'dist-tags': Record<string, string>;
    readonly versions: Record<
      string,
      { readonly dist: { readonly tarball: string; readonly integrity?: string } }
    >;
  };
  const wanted = manifest['dist-tags'][version ?? 'latest'] ?? version ?? '';
  const dist = manifest.versions[wanted]?.dist;
  if (dist === undefined) {
    const known = Object.keys(manifest.versions).slice(-5).join(', ');
    throw new SourceError(
      'NOT_FOUND',
      `${name} has no version ${wanted}.`,
      `Write one of its versions, such as ${known}.`,
    );
  }
  const [algorithm, value] = (dist.integrity ?? '').split(/-(.*)/s);
  const integrity: Integrity | undefined =
    algorithm === 'sha512' && value !== undefined ? { algorithm, value, encoding: 'base64' } : undefined;
  const url = onMirror(dist.tarball, base);
  return {
    url,
    version: wanted,
    filename: `${wanted}.tgz`,
    headers: headersFor(url),
    ...(integrity === undefined ? {} : { integrity }),
  };
}

/** The package index that pip would use: the environment first, then pip's own files. */
export function pypiIndex(): string {
  const files = [
    ...(process.env['PIP_CONFIG_FILE'] === undefined ? [] : [process.env['PIP_CONFIG_FILE']]),
    join(process.env['XDG_CONFIG_HOME'] ?? join(homedir(), '.config'), 'pip', 'pip.conf'),
    join(homedir(), 'Library', 'Application Support', 'pip', 'pip.conf'),
    join(homedir(), '.pip', 'pip.conf'),
    '/etc/pip.conf',
  ];
  const configured = files
    .map((file) => /^\s*index-url\s*=\s*(\S+)/m.exec(readText(file))?.[1])
    .find((url) => url !== undefined);
  const url = process.env['PIP_INDEX_URL'] ?? configured ?? 'https://pypi.org/simple';
  return url.endsWith('/') ? url : `${url}/`;
}

/** The Hugging Face hub, without a slash at the end. */
export function hubEndpoint(): string {
  return (process.env['HF_ENDPOINT'] ?? 'https://huggingface.co').replace(/\/$/, '');
}

/** One file in the simple index's JSON answer (PEP 691). */
export interface PypiFile {
  readonly filename: string;
  readonly url: string;
  readonly hashes: Record<string, string>;
  /** True, or the reason, where the author took the file back. */
  readonly yanked?: boolean | string;
}

/** All files of a project on the Python package index. */
export async function listPypiFiles(
  name: string,
  options: Pick<FetchOptions, 'signal' | 'connectTimeoutMs'>,
): Promise<readonly PypiFile[]> {
  const page = `${pypiIndex()}${name.toLowerCase().replace(/[-_.]+/g, '-')}/`;
  const response = await request(page, options, { accept: 'application/vnd.pypi.simple.v1+json' });
  if (response.status === 404) {
    throw new SourceError('NOT_FOUND', `The Python package index has no package ${name}.`, 'Check the name.');
  }
  if (!response.ok)
    throw new SourceError(
      'HTTP',
      `The Python package index answered ${response.status} for ${name}.`,
      'Try again later.',
    );
  const type = response.headers.get('content-type') ?? '';
  if (!type.includes('json'))
    throw new SourceError(
      'HTTP',
      `${new URL(page).host} does not answer in JSON (PEP 691), but as ${type}.`,
      'Set PIP_INDEX_URL to an index that does, such as https://pypi.org/simple.',
    );
  const { files } = (await response.json()) as { readonly files: readonly PypiFile[] }; // PEP 691
  return files.map((file) => ({ ...file, url: new URL(file.url, page).href }));
}

/** `NAME-VERSION…` of a wheel or a source archive. */
const versionOf = (filename: string): string =>
  filename.endsWith('.whl')
    ? (filename.split('-')[1] ?? '')
    : (/-([^-]+)\.(?:tar\.gz|zip)$/.exec(filename)?.[1] ?? '');

/** Alphas, betas, release candidates and development versions are taken only when asked for. */
const isPrerelease = (version: string): boolean => /(?:a|b|rc|\.dev)\d*$/.test(version);

const compareVersions = (left: string, right: string): number => {
  const parts = (version: string): number[] =>
    version.split('.').map((part) => Number.parseInt(part, 10) || 0);
  const [a, b] = [parts(left), parts(right)];
  for (let index = 0; index < Math.max(a.length, b.length); index++) {
    const difference = (a[index] ?? 0) - (b[index] ?? 0);
    if (difference !== 0) return difference;
  }
  return 0;
};

/** Finds a package's platform-independent wheel, else its source archive. */
export async function findPypiPackage(
  name: string,
  version: string | undefined,
  options: FetchOptions,
): Promise<RegistryFile> {
  const all = await listPypiFiles(name, options);
  const usable = all.filter((file) => /-none-any\.whl$|\.tar\.gz$|\.zip$/.test(file.filename));
  const versions = [...new Set(usable.map((file) => versionOf(file.filename)))].sort(compareVersions);
  const isOffered = (known: string): boolean =>
    !isPrerelease(known) &&
    usable.some((file) => versionOf(file.filename) === known && (file.yanked ?? false) === false);
  const wanted = version ?? versions.findLast(isOffered) ?? versions.at(-1);
  const candidates = usable.filter((file) => versionOf(file.filename) === wanted);
  const chosen = candidates.find((file) => file.filename.endsWith('.whl')) ?? candidates[0];
  if (chosen === undefined || wanted === undefined) {
    throw new SourceError(
      'NOT_FOUND',
      version === undefined
        ? `${name} has no file that fits every platform.`
        : `${name} has no version ${version} with a file that fits every platform.`,
      versions.length === 0
        ? 'Name another package.'
        : `Write one of its versions, such as ${versions.slice(-5).join(', ')}.`,
    );
  }
  const sha256 = chosen.hashes['sha256'];
  return {
    url: chosen.url,
    version: wanted,
    filename: chosen.filename,
    headers: {},
    ...(sha256 === undefined ? {} : { integrity: { algorithm: 'sha256', value: sha256, encoding: 'hex' } }),
  };
}

/** Whether a registry can be reached from here. */
export interface RegistryProbe {
  /** The prefix of the sources that come from it. */
  readonly name: 'npm' | 'pypi' | 'hf';
  /** Without credentials. */
  readonly url: string;
  /** Why it cannot be used; absent where it answers. */
  readonly reason?: string;
}

/** Asks each registry for something small; takes 5 seconds at most. */
export async function probeRegistries(): Promise<readonly RegistryProbe[]> {
  const { base, headersFor } = npmRegistry('yaml', undefined);
  const places = [
    { name: 'npm', url: base, path: 'yaml', headers: headersFor(base) },
    { name: 'pypi', url: pypiIndex(), path: 'pip/', headers: {} },
    { name: 'hf', url: `${hubEndpoint()}/`, path: 'api/models?limit=1', headers: {} },
  ] as const;
  return Promise.all(
    places.map(async ({ name, url, path, headers }) => {
      const { host, pathname, protocol } = new URL(url);
      const shown = { name, url: `${protocol}//${host}${pathname}` };
      try {
        const response = await request(`${url}${path}`, {}, headers);
        await response.body?.cancel();
        return response.ok ? shown : { ...shown, reason: `answers ${response.status}` };
      } catch (error) {
        return { ...shown, reason: error instanceof Error ? error.message : String(error) };
      }
    }),
  );
}
