import { existsSync } from 'node:fs';
import { join } from 'node:path';
import {
  collectGarbage,
  findOwners,
  formatBytes,
  measureFolder,
  parseAgeLimit,
  parseSizeLimit,
  planCollection,
  readCacheSettings,
  repairStore,
  summarizeCache,
  verifyStore,
} from '@joyul/core';
import type { CacheSettings, CollectPlan } from '@joyul/core';
import type { Arguments } from '../args.ts';
import { parseArguments, readWholeNumber } from '../args.ts';
import type { Command } from '../command.ts';
import { exitCodes } from '../exit-codes.ts';
import { printDiagnostics } from '../pipeline-options.ts';
import { findProject } from '../project.ts';
import {
  formatCacheStats,
  formatCount,
  formatFlaw,
  formatGarbage,
  formatGoing,
  formatOverLimit,
  formatSizeLimit,
} from '../terminal/format-cache.ts';
import { hasColor, makeStyle } from '../terminal/style.ts';
import { UsageError } from '../usage-error.ts';
import { cacheDir } from '../user-folders.ts';

const flags = {
  'max-size': { type: 'string' },
  'max-age': { type: 'string' },
  'keep-runs': { type: 'string' },
  'dry-run': { type: 'boolean', short: 'n' },
  repair: { type: 'boolean' },
  json: { type: 'boolean' },
  help: { type: 'boolean', short: 'h' },
} as const;

/** Flags that each verb takes beside --json. */
const flagsOf = {
  stats: [],
  gc: ['max-size', 'max-age', 'keep-runs', 'dry-run'],
  verify: ['repair'],
} as const;

type Verb = keyof typeof flagsOf;

/** How long a clean-up waits for runs at work to say what they rely on; they look once a second. */
const waitMs = 5000;

function print(lines: readonly string[]): void {
  process.stdout.write(lines.map((line) => `${line}\n`).join(''));
}

function printJson(value: unknown): void {
  process.stdout.write(`${JSON.stringify(value, null, 2)}\n`);
}

function readLimitFlag(
  args: Arguments,
  name: 'max-size' | 'max-age',
  parse: (value: unknown) => number | undefined,
): number | undefined {
  const text = args.value(name);
  const limit = parse(text);
  if (text !== undefined && limit === undefined)
    throw new UsageError(
      `--${name} must be ${name === 'max-size' ? 'a size such as 20GB' : 'an age such as 30d'}, or none, but is ${text}.`,
    );
  return limit;
}

/** The project's settings, changed by flags; undefined when they cannot be used. Problems are printed. */
async function readSettings(args: Arguments, projectDir: string): Promise<CacheSettings | undefined> {
  const { settings, diagnostics } = await readCacheSettings(projectDir);
  printDiagnostics(diagnostics);
  if (diagnostics.length > 0) return undefined;
  return {
    maxSizeBytes: readLimitFlag(args, 'max-size', parseSizeLimit) ?? settings.maxSizeBytes,
    maxAgeMs: readLimitFlag(args, 'max-age', parseAgeLimit) ?? settings.maxAgeMs,
    keepRuns: readWholeNumber(args, 'keep-runs', 1) ?? settings.keepRuns,
  };
}

async function printStats(args: Arguments, projectDir: string): Promise<number> {
  const settings = await readSettings(args, projectDir);
  if (settings === undefined) return exitCodes.badPipeline;
  const stats = summarizeCache(planCollection({ projectDir, settings, isLoweredToDisk: true }));
  const path = join(cacheDir(), 'downloads');
  const folder = measureFolder(path, 'downloads');
  const downloads = { path, count: folder?.files ?? 0, sizeBytes: folder?.sizeBytes ?? 0 };
  if (args.has('json')) printJson({ ...stats, settings, downloads });
  else print(formatCacheStats(stats, settings, downloads, makeStyle(hasColor(process.stdout))));
  return exitCodes.done;
}

function describeGarbage({ garbage }: CollectPlan): Record<string, unknown> {
  return {
    records: garbage.records.map((record) => ({
      fingerprint: record.fingerprint,
      plugin: record.plugin,
      outputs: record.outputs.map(({ port, digest }) => ({ port, digest })),
    })),
    runs: garbage.runs.map((run) => run.runId),
    scratch: garbage.scratch.map((folder) => folder.name),
    shared: garbage.shared.map((file) => file.path),
    blobs: garbage.blobs.map((blob) => blob.name),
    artifacts: garbage.artifacts.map((artifact) => artifact.name),
    litter: garbage.litter.map((found) => found.path),
  };
}

function printDryRun(args: Arguments, plan: CollectPlan): void {
  const { garbage } = plan;
  if (args.has('json')) {
    const { totalBytes, freedBytes, isOverLimit } = garbage;
    printJson({ state: 'planned', totalBytes, freedBytes, isOverLimit, removes: describeGarbage(plan) });
    return;
  }
  if (garbage.freedBytes === 0) print(['Nothing would be removed.']);
  else
    print([
      `Would remove ${formatBytes(garbage.freedBytes)} of ${formatBytes(garbage.totalBytes)}: ${formatGarbage(plan)}.`,
      ...formatGoing(plan, findOwners(plan.survey), process.stdout.columns || 100),
    ]);
}

async function collect(args: Arguments, projectDir: string): Promise<number> {
  const settings = await readSettings(args, projectDir);
  if (settings === undefined) return exitCodes.badPipeline;
  // A limit that was asked for is taken at its word.
  const options = { projectDir, settings, isLoweredToDisk: args.value('max-size') === undefined };
  const style = makeStyle(hasColor(process.stdout));
  if (args.has('dry-run')) {
    const plan = planCollection(options);
    printDryRun(args, plan);
    if (plan.garbage.isOverLimit && !args.has('json'))
      print([style.yellow(formatOverLimit(formatSizeLimit(plan.maxSizeBytes)))]);
    return exitCodes.done;
  }
  const collected = await collectGarbage({ ...options, waitMs });
  if (collected.state === 'busy') {
    if (args.has('json')) printJson({ state: 'busy' });
    else print(['Another clean-up of this store is at work.']);
    return exitCodes.done;
  }
  const { plan, removal } = collected;
  const { totalBytes, isOverLimit } = plan.garbage;
  if (args.has('json')) {
    printJson({ state: 'done', totalBytes, ...removal, isOverLimit, removes: describeGarbage(plan) });
    return exitCodes.done;
  }
  print([
    removal.freedBytes === 0
      ? `Nothing was removed; ${formatBytes(totalBytes)} stay.`
      : `Removed ${formatBytes(removal.freedBytes)} of ${formatBytes(totalBytes)}: ${formatGarbage(plan)}.`,
  ]);
  if (removal.waitsFor.length > 0)
    print([
      `What run ${removal.waitsFor.join(', ')} may still need goes with the next clean-up after it ends.`,
    ]);
  if (isOverLimit) print([style.yellow(formatOverLimit(formatSizeLimit(plan.maxSizeBytes)))]);
  return exitCodes.done;
}

/** Tells how far reading is, on a terminal. */
function makeProgress(): { onRead(readBytes: number, totalBytes: number): void; clear(): void } {
  let lastMs = 0;
  const isShown = process.stderr.isTTY;
  return {
    onRead: (readBytes, totalBytes) => {
      const nowMs = performance.now();
      if (!isShown || nowMs - lastMs < 200) return;
      lastMs = nowMs;
      process.stderr.write(`\r\x1b[KReading ${formatBytes(readBytes)} of ${formatBytes(totalBytes)}`);
    },
    clear: () => {
      if (isShown && lastMs > 0) process.stderr.write('\r\x1b[K');
    },
  };
}

async function verify(args: Arguments, projectDir: string): Promise<number> {
  const progress = makeProgress();
  const startMs = performance.now();
  const verification = verifyStore(projectDir, progress.onRead);
  progress.clear();
  const { flaws, checked, readBytes } = verification;
  const bad = flaws.filter((flaw) => flaw.flaw !== 'orphaned');
  const repair = args.has('repair') ? await repairStore(verification) : { repaired: [], left: bad };
  const exitCode = repair.left.length > 0 ? exitCodes.stepFailed : exitCodes.done;
  if (args.has('json')) {
    const told = flaws.map((flaw) => ({ ...flaw, isRepaired: repair.repaired.includes(flaw) }));
    printJson({ checked, readBytes, flaws: told });
    return exitCode;
  }
  const style = makeStyle(hasColor(process.stdout));
  for (const flaw of flaws) print(formatFlaw(flaw, repair.repaired.includes(flaw), style));
  const read = `${formatCount(checked.blobs, 'blob')} and ${formatCount(checked.records, 'record')} (${formatBytes(readBytes)} in ${((performance.now() - startMs) / 1000).toFixed(1)} s)`;
  if (bad.length === 0) print([`${style.green('✓')} ${read}: all are as they were written.`]);
  else if (repair.left.length === 0)
    print([`Read ${read}: ${formatCount(bad.length, 'object')} repaired or removed.`]);
  else
    print([
      `Read ${read}: ${formatCount(repair.left.length, 'object')} ${repair.left.length === 1 ? 'is' : 'are'} not as written.`,
      args.has('repair')
        ? '  help: run this as the user who owns these files, when no other clean-up is at work.'
        : '  help: `joyul cache verify --repair` removes what is damaged, so that it is made again.',
    ]);
  return exitCode;
}

/** `joyul cache`. */
export const cache: Command = {
  usage: `joyul cache stats [--json]
joyul cache gc [flags]
joyul cache verify [--repair] [--json]

stats: what the store of this project holds, what must stay, and what a clean-up would remove.

gc: removes what nothing needs, the least recently used first, and what dead processes left. Never removed is
what these need: kept runs (\`joyul runs keep\`), the newest runs of each pipeline, runs at work, interrupted
steps of those, and what a step wrote into the project and is still there. Runs clean up after themselves.

      --max-size SIZE     such as 20GB; the default is 20 GB, and less when the disk is nearly full
      --max-age AGE       since the last use, such as 30d, the default
      --keep-runs N       runs of each pipeline that stay; the default is 10
  -n, --dry-run           only show what would be removed

verify: reads everything, whatever is remembered of it. Leaves with 1 when something is not as it was written.

      --repair            remove what is damaged, with the results that need it, so that it is made again

      --json              for programs
package.json may set the limits: {"joyul": {"cache": {"maxSize": "50GB", "maxAge": "60d", "keepRuns": 20}}}.
JOYUL_CACHE_MAX_SIZE and JOYUL_CACHE_MAX_AGE win over it, flags over both; none means no limit.`,
  async run(argv) {
    const args = parseArguments(argv, flags);
    const [verb, ...rest] = args.positionals;
    if (verb === undefined || !isVerb(verb))
      throw new UsageError(
        `${verb === undefined ? 'Name' : `There is no \`joyul cache ${verb}\`: name`} what to do: \`joyul cache stats\`, \`joyul cache gc\` or \`joyul cache verify\`.`,
      );
    if (rest.length > 0) throw new UsageError(`\`joyul cache ${verb}\` takes no ${rest.join(' ')}.`);
    checkFlags(args, verb);
    const projectDir = findProject(process.cwd());
    if (!existsSync(join(projectDir, '.joyul'))) {
      if (args.has('json')) printJson({ state: 'absent' });
      else print(['This project has no cache yet. `joyul run` makes one.']);
      return exitCodes.done;
    }
    if (verb === 'stats') return printStats(args, projectDir);
    return verb === 'gc' ? collect(args, projectDir) : verify(args, projectDir);
  },
};

const isVerb = (text: string): text is Verb => Object.hasOwn(flagsOf, text);

/** Refuses a flag of another verb: it would change nothing, and nobody would notice. */
function checkFlags(args: Arguments, verb: Verb): void {
  const allowed: readonly string[] = flagsOf[verb];
  for (const [owner, names] of Object.entries(flagsOf))
    for (const name of names)
      if (!allowed.includes(name) && (args.has(name) || args.value(name) !== undefined))
        throw new UsageError(`--${name} belongs to \`joyul cache ${owner}\`.`);
}
