/** `npm run bench:training`: fine-tuning beside PyTorch, transformers, PEFT and TRL, on the same tokens. */
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { availableParallelism, cpus, loadavg, tmpdir } from 'node:os';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { cacheDir } from '@joyul/compute';
import { Meter, findPython } from '../shared/measure.ts';
import { writeBatches } from './batches.ts';
import { cases, ours, peersOf } from './cases.ts';
import type { Case, Contestant } from './cases.ts';
import { contestantsOn, formatComparison, probeReleases } from './compare-native.ts';
import { preparePython, pythonVariable } from './environment.ts';
import { judge } from './judge.ts';
import type { Verdict } from './judge.ts';
import { prepareModels } from './models.ts';
import { runCase } from './run-case.ts';
import type { CaseRuns, RunOptions } from './run-case.ts';
import { formatCase, formatMarkdown, formatVerdicts } from './table.ts';

const usage = `npm run bench:training -- [--only NAMES] [--tools NAMES] [--precision LIST] [--repeats N] [--threads N] …

  --only NAMES      only these cases, with commas between: ${cases.map(({ name }) => name).join(', ')};
                    full stands for full-equal and full-ragged, equal for every case with equal batches
  --tools NAMES     only these: ours, plain, compile, generate, trainer, trainer-grouped, sft, sft-plain, sft-packed
  --precision LIST  only float32, bfloat16 or bfloat16-weights
  --repeats N       processes of each; the default is 3
  --iterations N    iterations on equal batches, of which two are not counted; the default is 8
  --threads N       of both sides; the default is one a core
  --compile         torch.compile as well, which needs a C++ compiler and minutes
  --data FILE       conversations of one's own, {"messages": [...]} rows, for the ragged cases
  --tensorflow LIST our side alone, on these releases of TensorFlow, such as 2.15.1,2.21.0
  --json FILE       write every sample there
  --record          write the table into bench/training/results.md

${pythonVariable} names a Python that has the peers; otherwise they are installed once.`;

interface Options {
  readonly cases: readonly Case[];
  readonly isWanted: (contestant: Contestant) => boolean;
  readonly repeats: number;
  readonly iterations: number;
  readonly threads: number;
  readonly isCompiled: boolean;
  readonly isRecorded: boolean;
  readonly releases: readonly string[] | undefined;
  readonly data: string | undefined;
  readonly jsonFile: string | undefined;
}

/** Ends with a word on how the command is used. */
function refuse(message: string): never {
  console.error(`${message}\n\n${usage}`);
  process.exit(2);
}

const flags = {
  only: { type: 'string' },
  tools: { type: 'string' },
  precision: { type: 'string' },
  repeats: { type: 'string', default: '3' },
  iterations: { type: 'string', default: '8' },
  threads: { type: 'string', default: String(availableParallelism()) },
  compile: { type: 'boolean', default: false },
  data: { type: 'string' },
  tensorflow: { type: 'string' },
  json: { type: 'string' },
  record: { type: 'boolean', default: false },
  help: { type: 'boolean', short: 'h', default: false },
} as const;

function parse(): ReturnType<typeof parseArgs<{ options: typeof flags }>>['values'] {
  try {
    return parseArgs({ options: flags }).values;
  } catch (error) {
    return refuse(error instanceof Error ? error.message : String(error));
  }
}

function readOptions(): Options {
  const values = parse();
  if (values.help) {
    console.log(usage);
    process.exit(0);
  }
  const names = values.only?.split(',');
  const isNamed = (item: Case, name: string): boolean => [item.name, item.kind, item.workload].includes(name);
  const unknown = names?.find((name) => !cases.some((item) => isNamed(item, name)));
  if (unknown !== undefined) refuse(`There is no case "${unknown}".`);
  const [tools, precisions] = [values.tools?.split(','), values.precision?.split(',')];
  const count = (text: string): number => {
    const value = Number(text);
    return Number.isInteger(value) && value > 0 ? value : refuse(`"${text}" is no number of at least 1.`);
  };
  return {
    cases: cases.filter((item) => names?.some((name) => isNamed(item, name)) ?? true),
    isWanted: ({ tool, precision }) =>
      (tools?.includes(tool) ?? true) && (precisions?.includes(precision) ?? true),
    repeats: count(values.repeats),
    iterations: count(values.iterations),
    threads: count(values.threads),
    isCompiled: values.compile,
    isRecorded: values.record,
    releases: values.tensorflow?.split(','),
    data: values.data,
    jsonFile: values.json,
  };
}

/** What a processor can do that matters here. */
function readProcessorFlags(): string {
  const wanted = ['avx2', 'avx512f', 'avx512_bf16', 'amx_bf16'];
  try {
    const known = /^flags\s*:(.*)$/m.exec(readFileSync('/proc/cpuinfo', 'utf8'))?.[1]?.split(' ') ?? [];
    return wanted.filter((flag) => known.includes(flag)).join(' ');
  } catch {
    return 'flags unknown';
  }
}

const formatLoad = (): string => loadavg().map((value) => value.toFixed(1)).join(' '); // prettier-ignore

function describeMachine({ threads }: Options): string {
  const model = cpus()[0]?.model.trim() ?? 'unknown processor';
  return `${model} x ${cpus().length} (${readProcessorFlags()}), ${threads} threads each, load ${formatLoad()}`;
}

async function measureAll(options: Options, run: RunOptions, cache: string): Promise<readonly CaseRuns[]> {
  const models = await prepareModels(cache);
  const all: CaseRuns[] = [];
  for (const item of options.cases) {
    const batches = await writeBatches({ ...options, folder: run.folder }, models, item);
    const everyone =
      options.releases === undefined
        ? [...ours, ...peersOf(item, options.isCompiled)]
        : contestantsOn(item, options.releases);
    const runs = await runCase(item, everyone.filter(options.isWanted), batches, run);
    console.log(options.releases === undefined ? formatCase(judge(runs)) : formatComparison(runs));
    all.push(runs);
  }
  return all;
}

/** Versions and the like of every contestant. */
function describeContestants(verdicts: readonly Verdict[]): string {
  const facts = verdicts.flatMap(({ summaries }) =>
    summaries.filter(({ facts: text }) => text !== '').map(({ tool, facts: text }) => `${tool === 'ours' ? 'ours' : 'peers'}: ${text}`),
  ); // prettier-ignore
  return [...new Set(facts)].join('\n');
}

function report(options: Options, all: readonly CaseRuns[], before: string): number {
  const verdicts = all.map(judge);
  const facts = describeContestants(verdicts);
  console.log(formatVerdicts(verdicts));
  console.log(`${before}\nload afterwards ${formatLoad()}\n${facts}`);
  if (options.jsonFile !== undefined)
    writeFileSync(options.jsonFile, `${JSON.stringify({ machine: before, cases: all }, undefined, 1)}\n`);
  if (options.isRecorded) {
    const text = `# The last recorded run\n\n${before}; ${options.repeats} repeats; load afterwards ${formatLoad()}\n\n${formatMarkdown(verdicts)}\n\n${facts}\n`;
    writeFileSync(join(import.meta.dirname, 'results.md'), text);
  }
  const hasFailed = verdicts.some(({ problems, summaries }) =>
    [...problems, ...summaries.flatMap(({ problem }) => problem ?? [])].length > 0,
  ); // prettier-ignore
  return hasFailed ? 1 : 0;
}

async function main(): Promise<number> {
  const options = readOptions();
  const base = findPython();
  if (base === undefined) refuse('The bench measures with Python 3.9 or later, and found none.');
  const cache = join(cacheDir(), 'bench');
  mkdirSync(cache, { recursive: true });
  const { releases } = options;
  // Our side needs no peers to be compared with itself.
  const python = releases === undefined ? await preparePython(cache, base) : base;
  const folder = mkdtempSync(join(tmpdir(), 'joyul-bench-training-'));
  const meter = new Meter(base, join(folder, 'log'));
  const controller = new AbortController();
  const interrupt = (): void => {
    controller.abort(new Error('interrupted'));
    void meter.close();
  };
  process.on('SIGINT', interrupt).on('SIGTERM', interrupt);
  try {
    const before = describeMachine(options);
    console.log(`${before}\n`);
    const env = Object.fromEntries(
      Object.entries(process.env).filter((entry): entry is [string, string] => entry[1] !== undefined),
    );
    const { repeats, threads } = options;
    const limitS = 1800;
    const run = { meter, python, folder, repeats, threads, limitS, env, signal: controller.signal };
    if (releases !== undefined) console.log(await probeReleases(releases, repeats));
    const all = await measureAll(options, run, cache);
    return releases === undefined ? report(options, all, before) : 0;
  } catch (error) {
    if (!controller.signal.aborted) throw error;
    console.error('Interrupted.');
    return 130;
  } finally {
    await meter.close();
    rmSync(folder, { recursive: true, force: true });
  }
}

process.exitCode = await main();
