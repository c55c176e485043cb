import { createHash } from 'node:crypto';
import { createReadStream, createWriteStream } from 'node:fs';
import { mkdir, rename, rm, stat } from 'node:fs/promises';
import { once } from 'node:events';
import { dirname } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { SourceError } from './source-error.ts';

/** Options shared by everything that fetches. */
export interface FetchOptions {
  /** The folder that keeps downloads, shared by all projects of one user. */
  readonly downloadDir: string;
  /** What relative `file:` references are relative to. */
  readonly projectDir?: string;
  readonly signal?: AbortSignal;
  /** Told as bytes arrive; `total` is absent where the server does not say. */
  readonly onProgress?: (progress: {
    readonly name: string;
    readonly doneBytes: number;
    readonly totalBytes?: number;
  }) => void;
  /** How long one connection may take before it counts as unreachable; the default is 5 s. */
  readonly connectTimeoutMs?: number;
}

/** What a downloaded file has to be: a digest in hexadecimal or base64. */
export interface Integrity {
  readonly algorithm: 'sha256' | 'sha512' | 'sha1';
  readonly value: string;
  readonly encoding: 'hex' | 'base64';
}

/** A request that gives up when no answer comes in time; the body may then take as long as it needs. */
export async function request(
  url: string,
  options: Pick<FetchOptions, 'signal' | 'connectTimeoutMs'>,
  headers: Record<string, string> = {},
): Promise<Response> {
  const limit = new AbortController();
  const timer = setTimeout(() => {
    limit.abort();
  }, options.connectTimeoutMs ?? 5000);
  const signals = options.signal === undefined ? [limit.signal] : [limit.signal, options.signal];
  try {
    return await fetch(url, { headers, signal: AbortSignal.any(signals) });
  } catch (cause) {
    if (options.signal?.aborted === true) throw cause;
    const host = new URL(url).host;
    throw new SourceError(
      'UNREACHABLE',
      `${host} cannot be reached.`,
      `Check the network, or name a source on a host that this machine reaches.`,
      { cause },
    );
  } finally {
    clearTimeout(timer);
  }
}

/** The sha256 of a file, in hexadecimal. */
export async function digestFile(file: string): Promise<string> {
  const hash = createHash('sha256');
  for await (const chunk of createReadStream(file, { highWaterMark: 1 << 20 })) hash.update(chunk);
  return hash.digest('hex');
}

async function attempt(
  url: string,
  part: string,
  options: FetchOptions,
  headers: Record<string, string>,
): Promise<void> {
  const have = await stat(part).then(
    (found) => found.size,
    () => 0,
  );
  const response = await request(url, options, have > 0 ? { ...headers, range: `bytes=${have}-` } : headers);
  if (!response.ok || response.body === null) {
    const help =
      response.status === 404
        ? 'Check the name and the version.'
        : 'Try again later, or check the access token.';
    throw new SourceError(
      'HTTP',
      `${new URL(url).host} answered ${response.status} for ${new URL(url).pathname}.`,
      help,
    );
  }
  const resumes = response.status === 206;
  const length = response.headers.get('content-length');
  const start = resumes ? have : 0;
  let done = start;
  const output = createWriteStream(part, { flags: resumes ? 'a' : 'w' });
  const name = decodeURIComponent(new URL(url).pathname.split('/').at(-1) ?? url);
  try {
    for await (const chunk of response.body) {
      done += chunk.length;
      if (!output.write(chunk)) await once(output, 'drain');
      options.onProgress?.({
        name,
        doneBytes: done,
        ...(length === null ? {} : { totalBytes: start + Number(length) }),
      });
    }
  } finally {
    output.end();
    await once(output, 'close');
  }
  if (length !== null && done !== start + Number(length))
    throw new Error(`The download of ${name} ended early.`);
}

async function verify(file: string, integrity: Integrity, url: string): Promise<void> {
  const hash = createHash(integrity.algorithm);
  for await (const chunk of createReadStream(file, { highWaterMark: 1 << 20 })) hash.update(chunk);
  const found = hash.digest(integrity.encoding);
  if (found === integrity.value) return;
  await rm(file, { force: true });
  throw new SourceError(
    'INTEGRITY',
    `${url} gave a file whose ${integrity.algorithm} is ${found}, not ${integrity.value}.`,
    'Try again; if it stays so, do not use this source.',
  );
}

/**
 * Downloads one file: resumed after a break, checked, then put in place by a rename.
 *
 * Three attempts; a wrong digest, a 4xx answer and an unreachable host are not tried again.
 */
export async function downloadFile(
  url: string,
  target: string,
  options: FetchOptions,
  extra: { readonly integrity?: Integrity; readonly headers?: Record<string, string> } = {},
): Promise<void> {
  await mkdir(dirname(target), { recursive: true });
  // A folder of its own would lose what an interrupted download had; the process id keeps two runs apart.
  const part = `${target}.${process.pid}.part`;
  for (let count = 1; ; count++) {
    try {
      await attempt(url, part, options, extra.headers ?? {});
      break;
    } catch (error) {
      const isFinal = error instanceof SourceError || options.signal?.aborted === true || count === 3;
      if (!isFinal) {
        await sleep(500 * 2 ** count);
        continue;
      }
      await rm(part, { force: true });
      throw error;
    }
  }
  if (extra.integrity !== undefined) await verify(part, extra.integrity, url);
  await rename(part, target);
}
