import { join } from 'node:path';
import type { Diagnostic } from '../diagnostics/diagnostic.ts';
import type { SourceRange } from '../diagnostics/source.ts';
import { parseDocument } from '../language/document.ts';
import { parseDuration, parseSize } from '../language/units.ts';
import { nodeFileSystem } from '../util/file-system.ts';
import { readTextIfThere } from '../util/files.ts';
import { findNearest } from '../util/suggest.ts';
import type { Limits } from './choose-garbage.ts';
import { statfsSync } from './file-calls.ts';

/** What a project allows its store. */
export interface CacheSettings extends Limits {
  /** The newest runs of each pipeline that stay whatever the limits say. */
  readonly keepRuns: number;
}

/** The limits of a project that sets none. */
export const defaultSettings: CacheSettings = {
  maxSizeBytes: 20e9,
  maxAgeMs: 30 * 86_400_000,
  keepRuns: 10,
};

const examples = {
  maxSize: { example: '50GB', name: 'a size' },
  maxAge: { example: '60d', name: 'an age' },
} as const;

/** Bytes of `20GB`, endless of `none`; undefined for anything else. */
export function parseSizeLimit(value: unknown): number | undefined {
  if (value === 'none') return Number.POSITIVE_INFINITY;
  // What is printed as kB may be typed so.
  return typeof value === 'string' ? parseSize(value.replace(/k(?=i?B$)/, 'K')) : undefined;
}

/** Milliseconds of `30d`, endless of `none`; undefined for anything else. */
export function parseAgeLimit(value: unknown): number | undefined {
  if (value === 'none') return Number.POSITIVE_INFINITY;
  return typeof value === 'string' ? parseDuration(value) : undefined;
}

/** Settings, and everything that is wrong with them; what is wrong has its default. */
export interface SettingsResult {
  readonly settings: CacheSettings;
  readonly diagnostics: readonly Diagnostic[];
}

type Report = (message: string, help: string, path?: readonly string[]) => void;

const isObject = (value: unknown): value is Readonly<Record<string, unknown>> =>
  typeof value === 'object' && value !== null && !Array.isArray(value);

function readLimit(
  key: 'maxSize' | 'maxAge',
  value: unknown,
  report: (message: string, help: string) => void,
): number | undefined {
  if (value === undefined) return undefined;
  const limit = key === 'maxSize' ? parseSizeLimit(value) : parseAgeLimit(value);
  const { example, name } = examples[key];
  if (limit === undefined)
    report(
      `must be ${name} such as "${example}", or "none", but is ${JSON.stringify(value)}.`,
      `write "${example}".`,
    );
  return limit;
}

/** What the `joyul.cache` of a package.json says. */
function readManifest(content: unknown, report: Report): Partial<CacheSettings> {
  const joyul = isObject(content) ? content['joyul'] : undefined;
  const cache = isObject(joyul) ? joyul['cache'] : undefined;
  if (cache === undefined) return {};
  if (!isObject(cache)) {
    report(
      `"joyul.cache" must be an object, but is ${JSON.stringify(cache)}.`,
      'write {"maxSize": "50GB"}.',
      [],
    );
    return {};
  }
  for (const key of Object.keys(cache)) {
    const known = ['maxSize', 'maxAge', 'keepRuns'];
    if (known.includes(key)) continue;
    const nearest = findNearest(key, known);
    report(
      `"joyul.cache" has no setting "${key}".${nearest === undefined ? '' : ` Did you mean "${nearest}"?`}`,
      `the settings are ${known.join(', ')}.`,
      [key],
    );
  }
  const of =
    (key: string) =>
    (message: string, help: string): void => {
      report(`"${key}" ${message}`, help, [key]);
    };
  const maxSizeBytes = readLimit('maxSize', cache['maxSize'], of('maxSize'));
  const maxAgeMs = readLimit('maxAge', cache['maxAge'], of('maxAge'));
  const keepRuns = cache['keepRuns'];
  const isCount = typeof keepRuns === 'number' && Number.isInteger(keepRuns) && keepRuns >= 1;
  if (keepRuns !== undefined && !isCount)
    of('keepRuns')(`must be a whole number of at least 1, but is ${JSON.stringify(keepRuns)}.`, 'write 10.');
  return {
    ...(maxSizeBytes === undefined ? {} : { maxSizeBytes }),
    ...(maxAgeMs === undefined ? {} : { maxAgeMs }),
    ...(isCount ? { keepRuns } : {}),
  };
}

/** The place of a setting in package.json; the parser of YAML, which reads JSON too, is loaded only for this. */
async function findPlace(text: string, path: readonly string[]): Promise<SourceRange | undefined> {
  const { document } = parseDocument(await import('yaml'), { file: 'package.json', text });
  return path.length === 0
    ? document?.rangeOf(['joyul', 'cache'])
    : document?.rangeOf(['joyul', 'cache', ...path]);
}

function readEnvironment(environment: NodeJS.ProcessEnv, report: Report): Partial<CacheSettings> {
  const read = (variable: string, key: 'maxSize' | 'maxAge'): number | undefined => {
    const value = environment[variable];
    return readLimit(key, value === '' ? undefined : value, (message, help) => {
      report(`${variable} ${message}`, help);
    });
  };
  const maxSizeBytes = read('JOYUL_CACHE_MAX_SIZE', 'maxSize');
  const maxAgeMs = read('JOYUL_CACHE_MAX_AGE', 'maxAge');
  return {
    ...(maxSizeBytes === undefined ? {} : { maxSizeBytes }),
    ...(maxAgeMs === undefined ? {} : { maxAgeMs }),
  };
}

/** Reads what a project allows its store: the environment wins over package.json, which wins over the defaults. */
export async function readCacheSettings(
  projectDir: string,
  environment: NodeJS.ProcessEnv = process.env,
): Promise<SettingsResult> {
  const problems: { message: string; help: string; path?: readonly string[] }[] = [];
  const report: Report = (message, help, path) =>
    void problems.push({ message, help, ...(path === undefined ? {} : { path }) });
  const text = readTextIfThere(nodeFileSystem, join(projectDir, 'package.json')) ?? '{}';
  let content: unknown;
  try {
    content = JSON.parse(text.replace(/^\uFEFF/, ''));
  } catch {
    report('package.json is not JSON; its limits for the cache are not known.', 'mend it.');
  }
  const settings = {
    ...defaultSettings,
    ...readManifest(content, report),
    ...readEnvironment(environment, report),
  };
  const diagnostics: Diagnostic[] = [];
  for (const { message, help, path } of problems) {
    const range = path === undefined ? undefined : await findPlace(text, path);
    diagnostics.push({
      code: 'CACHE_SETTING',
      severity: 'error',
      message,
      help,
      ...(range === undefined ? {} : { range }),
    });
  }
  return { settings, diagnostics };
}

/** Free space that is left to others: a twentieth of the disk, and never more than this. */
const reserveBytes = 5e9;

/** The size that a store may have on its disk: a nearly full one lowers the limit. */
export function lowerToDisk(maxSizeBytes: number, storeDir: string, totalBytes: number): number {
  try {
    const { bavail, blocks, bsize } = statfsSync(storeDir);
    const reserve = Math.min(reserveBytes, (blocks * bsize) / 20);
    return Math.max(0, Math.min(maxSizeBytes, totalBytes + bavail * bsize - reserve));
  } catch {
    return maxSizeBytes;
  }
}
