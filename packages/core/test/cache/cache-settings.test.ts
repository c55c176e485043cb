import { describe, expect, test } from 'vitest';
import { defaultSettings, parseSizeLimit, readCacheSettings } from '../../src/cache/cache-settings.ts';
import { formatDiagnostic } from '../../src/diagnostics/diagnostic.ts';
import { Project, dayMs } from './support.ts';

async function read(
  manifest: string,
  environment: NodeJS.ProcessEnv = {},
): ReturnType<typeof readCacheSettings> {
  using project = new Project();
  project.write({ 'package.json': manifest });
  return readCacheSettings(project.dir, environment);
}

async function explain(manifest: string, environment: NodeJS.ProcessEnv = {}): Promise<string> {
  const { diagnostics } = await read(manifest, environment);
  return diagnostics.map((diagnostic) => formatDiagnostic(diagnostic)).join('\n\n');
}

test('a project that says nothing has the default limits', async () => {
  expect((await read('{"joyul": {}}')).settings).toEqual(defaultSettings);
});

test('package.json sets the limits', async () => {
  const { settings, diagnostics } = await read(
    '{"joyul": {"cache": {"maxSize": "50GB", "maxAge": "none", "keepRuns": 20}}}',
  );
  expect(settings).toEqual({ maxSizeBytes: 50e9, maxAgeMs: Number.POSITIVE_INFINITY, keepRuns: 20 });
  expect(diagnostics).toEqual([]);
});

test('sizes may be typed as they are printed', () => {
  expect(['3.5 kB', '20 GB', '1GiB', '5', 5].map(parseSizeLimit)).toEqual([
    3500,
    20e9,
    2 ** 30,
    undefined,
    undefined,
  ]);
});

test('the environment wins over package.json', async () => {
  const environment = { JOYUL_CACHE_MAX_SIZE: '1GiB', JOYUL_CACHE_MAX_AGE: '2d' };
  const { settings } = await read('{"joyul": {"cache": {"maxSize": "50GB"}}}', environment);
  expect(settings).toEqual({ maxSizeBytes: 2 ** 30, maxAgeMs: 2 * dayMs, keepRuns: 10 });
});

describe('CACHE_SETTING', () => {
  test('tells every mistake in package.json at its place', async () => {
    const manifest = `{
  "joyul": {
    "cache": { "maxsize": "1GB", "maxAge": 30, "keepRuns": 0 }
  }
}`;
    expect(await explain(manifest))
      .toBe(`package.json:3:27 error CACHE_SETTING  "joyul.cache" has no setting "maxsize". Did you mean "maxSize"?
    3 |     "cache": { "maxsize": "1GB", "maxAge": 30, "keepRuns": 0 }
      |                           ^^^^^
  help: the settings are maxSize, maxAge, keepRuns.

package.json:3:44 error CACHE_SETTING  "maxAge" must be an age such as "60d", or "none", but is 30.
    3 |     "cache": { "maxsize": "1GB", "maxAge": 30, "keepRuns": 0 }
      |                                            ^^
  help: write "60d".

package.json:3:60 error CACHE_SETTING  "keepRuns" must be a whole number of at least 1, but is 0.
    3 |     "cache": { "maxsize": "1GB", "maxAge": 30, "keepRuns": 0 }
      |                                                            ^
  help: write 10.`);
  });

  test('tells a mistake in the environment', async () => {
    expect(await explain('{}', { JOYUL_CACHE_MAX_SIZE: '20 gigs' })).toBe(
      'error CACHE_SETTING  JOYUL_CACHE_MAX_SIZE must be a size such as "50GB", or "none", but is "20 gigs".\n  help: write "50GB".',
    );
  });

  test('tells a package.json that is no JSON', async () => {
    expect(await explain('{')).toBe(
      'error CACHE_SETTING  package.json is not JSON; its limits for the cache are not known.\n  help: mend it.',
    );
  });

  test('tells settings that are no object', async () => {
    expect(await explain('{"joyul": {"cache": "50GB"}}'))
      .toBe(`package.json:1:21 error CACHE_SETTING  "joyul.cache" must be an object, but is "50GB".
    1 | {"joyul": {"cache": "50GB"}}
      |                     ^^^^^^
  help: write {"maxSize": "50GB"}.`);
  });
});
