import { createHash } from 'node:crypto';
import { createReadStream } from 'node:fs';
import { mkdir, open, readdir, rename, rm, stat } from 'node:fs/promises';
import { basename, dirname, join } from 'node:path';
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
  /** How long a download may stand still before it is tried again; the default is 30 s. */
  readonly stallTimeoutMs?: number;
  /** The wait before the second attempt; it doubles each time. The default is 1 s. */
  readonly retryDelayMs?: number;
  /** True forbids the network: only what is here already counts. */
  readonly offline?: boolean;
}

/** What a downloaded file has to be: a digest in hexadecimal or base64. */
export interface Integrity {
  readonly algorithm: 'sha256' | 'sha512' | 'sha1';
  readonly value: string;
  readonly encoding: 'hex' | 'base64';
}

type RequestOptions = Pick<FetchOptions, 'signal' | 'connectTimeoutMs' | 'offline'>;

/** `fetch` refuses a name and password in a URL, so they become a header. */
function takeCredentials(url: string): { readonly url: URL; readonly headers: Record<string, string> } {
  const plain = new URL(url);
  if (plain.username === '') return { url: plain, headers: {} };
  const pair = `${decodeURIComponent(plain.username)}:${decodeURIComponent(plain.password)}`;
  plain.username = '';
  plain.password = '';
  return { url: plain, headers: { authorization: `Basic ${Buffer.from(pair).toString('base64')}` } };
}

/** A request that gives up when no answer comes in time; the body may then take as long as it needs. */
export async function request(
  address: string,
  options: RequestOptions,
  headers: Record<string, string> = {},
): Promise<Response> {
  const { url, headers: credentials } = takeCredentials(address);
  if (options.offline === true)
    throw new SourceError(
      'OFFLINE',
      `${url.host} is needed, but the network is switched off.`,
      'Run once with the network, or name a source on this machine.',
    );
  const limit = new AbortController();
  const timer = setTimeout(() => {
    limit.abort();
  }, options.connectTimeoutMs ?? 5000);
  const signals = options.signal === undefined ? [limit.signal] : [limit.signal, options.signal];
  try {
    return await fetch(url, { headers: { ...credentials, ...headers }, signal: AbortSignal.any(signals) });
  } catch (cause) {
    if (options.signal?.aborted === true) throw cause;
    throw new SourceError(
      'UNREACHABLE',
      `${url.host} cannot be reached.`,
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

/** The server is there and cannot answer now; another attempt may help. */
class BusyError extends SourceError {}

function checkAnswer(response: Response, url: string): ReadableStream<Uint8Array> {
  if (response.ok && response.body !== null) return response.body;
  const { host, pathname } = new URL(url);
  const message = `${host} answered ${response.status} for ${pathname}.`;
  if (response.status === 429 || response.status >= 500)
    throw new BusyError('HTTP', message, 'Try again later.');
  const help =
    response.status === 404 ? 'Check the name and the version.' : 'Check the access token and its rights.';
  throw new SourceError('HTTP', message, help);
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
  const stall = new AbortController();
  const signal =
    options.signal === undefined ? stall.signal : AbortSignal.any([stall.signal, options.signal]);
  const resuming = have > 0 ? { ...headers, range: `bytes=${have}-` } : headers;
  const response = await request(url, { ...options, signal }, resuming);
  // All of it is here already: the break came after the last byte.
  if (response.status === 416 && have > 0) return;
  const body = checkAnswer(response, url);
  const start = response.status === 206 ? have : 0;
  const length = response.headers.get('content-length');
  // A body that arrives compressed has another length than its header says.
  const total =
    length === null || response.headers.get('content-encoding') !== null ? undefined : start + Number(length);
  const name = decodeURIComponent(new URL(url).pathname.split('/').at(-1) ?? url);
  const output = await open(part, start > 0 ? 'a' : 'w');
  let done = start;
  const stallMs = options.stallTimeoutMs ?? 30_000;
  const timer = setTimeout(() => {
    stall.abort(new Error(`The download of ${name} stood still for ${stallMs / 1000} s.`));
  }, stallMs);
  try {
    for await (const chunk of body) {
      timer.refresh();
      await output.write(chunk);
      done += chunk.length;
      options.onProgress?.({ name, doneBytes: done, ...(total === undefined ? {} : { totalBytes: total }) });
    }
  } finally {
    clearTimeout(timer);
    await output.close();
  }
  if (total !== undefined && done !== total) throw new Error(`The download of ${name} ended early.`);
}

const isRunning = (processId: number): boolean => {
  try {
    process.kill(processId, 0);
    return true;
  } catch (error) {
    return error instanceof Error && 'code' in error && error.code === 'EPERM';
  }
};

/** Takes over what a process that is gone had downloaded of the same file; its digest is checked at the end. */
async function adoptPart(base: string, part: string): Promise<void> {
  const folder = dirname(base);
  const prefix = `${basename(base)}.`;
  for (const name of await readdir(folder)) {
    const owner = name.startsWith(prefix)
      ? /^(\d+)-\d+\.part$/.exec(name.slice(prefix.length))?.[1]
      : undefined;
    if (owner === undefined || isRunning(Number(owner))) continue;
    await rename(join(folder, name), part).catch(() => undefined); // Another process may take it first.
    return;
  }
}

async function verify(file: string, integrity: Integrity, url: string): Promise<void> {
  const hash = createHash(integrity.algorithm);
  for await (const chunk of createReadStream(file, { highWaterMark: 1 << 20 })) hash.update(chunk);
  const found = hash.digest(integrity.encoding);
  if (found === integrity.value) return;
  await rm(file, { force: true });
  throw new SourceError(
    'INTEGRITY',
    `${new URL(url).host} gave a file for ${new URL(url).pathname} whose ${integrity.algorithm} is ${found}, not ${integrity.value}.`,
    'Try again; if it stays so, do not use this source.',
  );
}

const attempts = 4;
let downloads = 0;

/**
 * Downloads one file: resumed after a break, checked, then put in place by a rename.
 *
 * Four attempts; a wrong digest, a 4xx answer and an unreachable host are not tried again.
 */
export async function downloadFile(
  url: string,
  target: string,
  options: FetchOptions,
  extra: {
    readonly integrity?: Integrity;
    readonly headers?: Record<string, string>;
    /** What unfinished downloads of this file are named after, where `target` is not the same each time. */
    readonly partName?: string;
  } = {},
): Promise<void> {
  await mkdir(dirname(target), { recursive: true });
  // The process id and a number keep two downloads apart; the id tells which parts nobody works on any more.
  const base = extra.partName ?? target;
  const part = `${base}.${process.pid}-${downloads++}.part`;
  if (extra.integrity !== undefined) await adoptPart(base, part);
  for (let count = 1; ; count++) {
    try {
      await attempt(url, part, options, extra.headers ?? {});
      break;
    } catch (error) {
      const isLasting = error instanceof SourceError && !(error instanceof BusyError);
      if (isLasting || options.signal?.aborted === true || count === attempts) {
        if (isLasting) await rm(part, { force: true });
        throw error;
      }
      const { signal } = options;
      await sleep(
        (options.retryDelayMs ?? 1000) * 2 ** (count - 1),
        undefined,
        signal === undefined ? {} : { signal },
      );
    }
  }
  if (extra.integrity !== undefined) await verify(part, extra.integrity, url);
  await rename(part, target);
}
