/** Goes on with a run that did not succeed: what `resume` and `retry` share. */
import { join } from 'node:path';
import { forgetScratch } from '@joyul/core';
import type { Graph, RunRecord, StepRecord } from '@joyul/core';
import { exitCodes } from './exit-codes.ts';
import { readRunByName } from './find-run.ts';
import { loadFromArguments, readForce, readPipeline, readVerify } from './pipeline-options.ts';
import type { LoadedPipeline } from './pipeline-options.ts';
import { findProject } from './project.ts';
import { isMasked, mergeFlags, parseRunArguments } from './run-flags.ts';
import { startRun } from './start-run.ts';
import { formatAge } from './terminal/format-cache.ts';
import { UsageError } from './usage-error.ts';

/** What is gone on with, and how. */
interface GoOnRequest {
  /** What was typed after the command; flags are those of `run`. */
  readonly argv: readonly string[];
  /** Steps that had failed run again from nothing. */
  readonly isRetry: boolean;
}

/** True when nothing is left to be done for a step. */
const isDone = ({ end, verified }: StepRecord): boolean =>
  (end === 'succeeded' || end === 'reused') && (verified?.differing ?? 0) === 0;

type Steps = ReadonlySet<string> | boolean;

const toSet = (graph: Graph, steps: Steps): ReadonlySet<string> =>
  typeof steps === 'boolean' ? new Set(steps ? graph.byId.keys() : []) : steps;

/** Steps that a run goes on with in their own way. */
interface Repeated {
  /** They run whatever is stored. */
  readonly force: ReadonlySet<string>;
  /** They run once more to be compared. */
  readonly verify: ReadonlySet<string>;
}

/** What an earlier run was to repeat and has not got to; with `isRetry` also what failed in it. */
function findRest(graph: Graph, run: RunRecord, isRetry: boolean): Repeated {
  const recorded = parseRunArguments(run.flags);
  const done = new Set(run.steps.filter(isDone).map(({ stepId }) => stepId));
  const failed = run.steps.filter(({ stepId, end }) => isRetry && end === 'failed' && graph.byId.has(stepId));
  const force = toSet(graph, readForce({ graph }, recorded)).difference(done);
  return {
    force: force.union(new Set(failed.map(({ stepId }) => stepId))),
    verify: toSet(graph, readVerify({ graph }, recorded)).difference(done),
  };
}

/** What is to be repeated, as flags of the new run. */
const formatRest = ({ force, verify }: Repeated): readonly string[] => [
  ...[...force].map((stepId) => `--force-step=${stepId}`),
  ...[...verify].map((stepId) => `--verify=${stepId}`),
];

/** Removes the checkpoints of steps that are to begin from nothing. */
function forgetCheckpoints(graph: Graph, run: RunRecord, steps: ReadonlySet<string>): void {
  const meant = run.steps.filter(({ stepId }) => steps.has(stepId));
  const byFingerprint = new Map(meant.map(({ fingerprint = '', stepId }) => [fingerprint, stepId]));
  byFingerprint.delete('');
  const busy = forgetScratch(graph.projectDir, [...byFingerprint.keys()]);
  if (busy.length > 0)
    throw new UsageError(
      `Another run is at ${busy.map((item) => byFingerprint.get(item)).join(', ')} now. Wait for it, or end it: \`joyul cancel\`.`,
    );
}

/** True when the pipeline is not what it was when a run began; flags that were added do not count. */
async function hasChanged(run: RunRecord, { graph }: NonNullable<LoadedPipeline['ready']>): Promise<boolean> {
  if (run.graphDigest === undefined || run.graphDigest === graph.digest) return false;
  // What a secret made of the pipeline cannot be made again.
  if (run.flags.some(isMasked)) return false;
  const asBefore = mergeFlags(run, parseRunArguments([]), graph.projectDir);
  const { ready } = await readPipeline(asBefore, join(graph.projectDir, run.file));
  return ready?.graph.digest !== run.graphDigest;
}

const tell = (line: string): void => void process.stderr.write(`${line}\n`);

const countSteps = (count: number): string => `${count} ${count === 1 ? 'step' : 'steps'}`;

function describeRun({ runId, file, end, startedMs, durationMs, steps }: RunRecord): string {
  const age = formatAge(Math.max(0, Date.now() - startedMs - durationMs));
  const words = end === 'checkpointed' ? 'stopped at a checkpoint' : end;
  const done = steps.filter(isDone).length;
  return `run ${runId} of ${file}, ${words} ${age} ago, ${done} of ${countSteps(steps.length)} done`;
}

/** Runs what an earlier run has not done, with its flags and those that were added. */
export async function goOn({ argv, isRetry }: GoOnRequest): Promise<number> {
  const added = parseRunArguments(argv);
  const [name, ...others] = added.positionals;
  if (others.length > 0) throw new UsageError(`Name one run, not ${added.positionals.length}.`);
  const projectDir = findProject(process.cwd());
  const run = readRunByName(projectDir, name);
  const { runId, file, end } = run;
  if (end === 'running')
    throw new UsageError(
      `Run ${runId} is still running. \`joyul logs ${runId} -f\` follows it, \`joyul cancel ${runId}\` ends it.`,
    );
  const asks = added.values('force-from').length > 0 || added.values('force-step').length > 0;
  if (end === 'succeeded' && !asks && !added.has('force')) {
    tell(
      `Run ${runId} succeeded: there is nothing to ${isRetry ? 'retry' : 'resume'}. \`joyul run ${file}\` runs the pipeline as it is now.`,
    );
    return exitCodes.done;
  }
  const args = mergeFlags(run, added, projectDir);
  const loaded = await loadFromArguments(args, join(projectDir, file), {
    mayKeep: !args.has('dry-run'),
    needsFiles: true,
  });
  if (loaded === undefined) return exitCodes.badPipeline;
  const { graph, options } = loaded;
  const rest = findRest(graph, run, isRetry);
  const force = rest.force.union(toSet(graph, options.force ?? false));
  const verify = rest.verify.union(toSet(graph, options.verify ?? false));
  tell(`${isRetry ? 'Retrying' : 'Resuming'} ${describeRun(run)}.`);
  if (await hasChanged(run, loaded)) tell(`! ${file} has changed since; it runs as it is now.`);
  if (isRetry && !args.has('dry-run')) forgetCheckpoints(graph, run, force);
  const ready = { graph, options: { ...options, force, verify } };
  return startRun(ready, { args, flags: formatRest(rest), resumes: runId });
}
