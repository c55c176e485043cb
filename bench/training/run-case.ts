/** Runs one case with everyone, in rounds, and checks that all computed the same thing. */
import { mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { availableParallelism } from 'node:os';
import { join } from 'node:path';
import type { Meter } from '../shared/measure.ts';
import type { BatchFile } from './batches.ts';
import type { Case, Contestant } from './cases.ts';
import type { CaseResult, CaseSpec } from './spec.ts';

/** How cases are run. */
export interface RunOptions {
  readonly meter: Meter;
  readonly python: string;
  readonly folder: string;
  readonly repeats: number;
  readonly threads: number;
  /** Seconds that one process may take. */
  readonly limitS: number;
  /** Of all processes. */
  readonly env: Readonly<Record<string, string>>;
  readonly signal: AbortSignal;
}

/** All runs of one contestant. */
export interface Entrant extends Contestant {
  readonly results: readonly CaseResult[];
  /** Why it has none. */
  readonly problem?: string;
}

/** The runs of one case. */
export interface CaseRuns extends Case {
  readonly entrants: readonly Entrant[];
}

/** Tokens of one packed sequence: as many as four texts of the equal workload. */
const packedLength = 512;
/** Tokens that are generated after each prompt. */
const newTokens = 64;

async function runOnce(
  item: Case,
  contestant: Contestant,
  batches: BatchFile,
  options: RunOptions,
): Promise<CaseResult> {
  const { folder, python, meter, threads } = options;
  const scratch = join(folder, 'scratch');
  rmSync(scratch, { recursive: true, force: true });
  mkdirSync(scratch, { recursive: true });
  const file = join(folder, 'spec.json');
  const spec: CaseSpec = {
    ...contestant,
    kind: item.kind,
    model: batches.model,
    batches: batches.file,
    pad: batches.pad,
    classes: batches.classes,
    isRagged: item.workload === 'ragged',
    packedLength,
    newTokens,
    threads,
    started: Date.now() / 1000,
    scratch,
    out: join(scratch, 'result.json'),
  };
  writeFileSync(file, JSON.stringify(spec));
  const argv =
    contestant.tool === 'ours'
      ? [process.execPath, join(import.meta.dirname, 'ours.ts'), file]
      : [
          python,
          join(import.meta.dirname, 'python', contestant.tool === 'generate' ? 'generate.py' : 'train.py'),
          file,
        ];
  const isLimited = threads < availableParallelism();
  const env = {
    ...options.env,
    OMP_NUM_THREADS: String(threads),
    ...(contestant.tensorflow === undefined ? {} : { JOYUL_TENSORFLOW: contestant.tensorflow }),
    ...(isLimited ? { TF_NUM_INTRAOP_THREADS: String(threads) } : {}),
  };
  await meter.run({ argv, env }, folder, options.limitS);
  return JSON.parse(readFileSync(spec.out, 'utf8')) as CaseResult; // Written by ours.ts or train.py.
}

/** Runs everyone once in each round, so that what disturbs the machine disturbs all of them. */
export async function runCase(
  item: Case,
  contestants: readonly Contestant[],
  batches: BatchFile,
  options: RunOptions,
): Promise<CaseRuns> {
  const results = new Map<Contestant, CaseResult[]>(contestants.map((contestant) => [contestant, []]));
  const problems = new Map<Contestant, string>();
  for (let round = 0; round < options.repeats; round++) {
    for (const contestant of contestants) {
      if (problems.has(contestant)) continue;
      console.error(
        `  ${item.name} ${round + 1}: ${contestant.tool} ${contestant.tensorflow ?? ''} ${contestant.precision}`,
      );
      try {
        results.get(contestant)?.push(await runOnce(item, contestant, batches, options));
      } catch (error) {
        options.signal.throwIfAborted();
        problems.set(contestant, error instanceof Error ? error.message : String(error));
      }
    }
  }
  const entrants = contestants.map((contestant) => {
    const problem = problems.get(contestant);
    return {
      ...contestant,
      results: results.get(contestant) ?? [],
      ...(problem === undefined ? {} : { problem }),
    };
  });
  return { ...item, entrants };
}
