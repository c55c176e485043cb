/** Runs a pipeline that is loaded, shows it, and gives the exit code. */
import { writeFileSync } from 'node:fs';
import { availableParallelism } from 'node:os';
import { join } from 'node:path';
import { MissingSecretsError, formatBytes, RunRecorder, renderReport, runPipeline } from '@joyul/core';
import type { AfterRun, Event, RunRecord, RunResult } from '@joyul/core';
import type { Arguments } from './args.ts';
import { readWholeNumber } from './args.ts';
import { exitCodes } from './exit-codes.ts';
import { cancelOnInterrupt } from './interrupts.ts';
import type { LoadedPipeline } from './pipeline-options.ts';
import { printDiagnostics } from './pipeline-options.ts';
import { formatFlags } from './run-flags.ts';
import { makeReporter } from './terminal/reporter.ts';
import { UsageError } from './usage-error.ts';
import { cacheDir } from './user-folders.ts';

type Ready = NonNullable<LoadedPipeline['ready']>;

/** What a run is made of besides its pipeline. */
export interface RunRequest {
  readonly args: Arguments;
  /** Flags that the record has beside those of `args`. */
  readonly flags?: readonly string[];
  /** The run that this one goes on with. */
  readonly resumes?: string;
}

/** Writes the report beside the run's events; a run that did nothing new has nothing new to report. */
function writeReport(projectDir: string, record: RunRecord): void {
  if (record.steps.every((step) => step.end === 'reused' && step.verified === undefined)) return;
  writeFileSync(join(projectDir, '.joyul', 'runs', record.runId, 'report.md'), renderReport(record));
}

/** Tells what keeping the store within its limits came to; nothing when it was nothing. */
function tellCleanUp({ freedBytes, diagnostics, problem }: AfterRun, isJson: boolean): void {
  if (isJson) return;
  if (freedBytes > 0)
    process.stderr.write(
      `  The cache was over its limits: ${formatBytes(freedBytes)} that nothing needs were removed (\`joyul cache stats\`).\n`,
    );
  if (problem !== undefined) process.stderr.write(`! The cache was not cleaned up: ${problem}\n`);
  printDiagnostics(diagnostics);
}

function judgeExit(end: RunResult['end'], record: RunRecord | undefined): number {
  if (end === 'cancelled') return exitCodes.interrupted;
  if (end === 'checkpointed') return exitCodes.checkpointed;
  if (end === 'succeeded') return exitCodes.done;
  const failed = record?.steps.filter((step) => step.end === 'failed') ?? [];
  return failed.some((step) => step.failure?.code === 'GATE') ? exitCodes.gateRefused : exitCodes.stepFailed;
}

/** Runs a pipeline as its arguments say: only its plan, only when it is as locked, or all of it. */
export async function startRun(ready: Ready, request: RunRequest): Promise<number> {
  const { args } = request;
  const jobs = readWholeNumber(args, 'jobs', 1);
  const isJson = args.has('json');
  if (args.has('locked')) {
    const { refuseUnlocked } = await import('./commands/lock.ts');
    if (refuseUnlocked(ready, isJson)) return exitCodes.stepFailed;
  }
  if (!args.has('dry-run')) return execute(ready, request, jobs);
  const { showPlan } = await import('./commands/plan.ts');
  showPlan(ready, { jobs: jobs ?? availableParallelism(), isJson });
  return exitCodes.done;
}

async function execute(
  { graph, options }: Ready,
  { args, flags = [], resumes }: RunRequest,
  jobs: number | undefined,
): Promise<number> {
  const isJson = args.has('json');
  const reporter = makeReporter({ isJson });
  const interrupt = cancelOnInterrupt(
    () => {
      reporter.notify('Cancelling: steps write checkpoints. Press Ctrl-C again to end at once.');
    },
    () => {
      reporter.close();
    },
  );
  const recorder = new RunRecorder();
  try {
    const result = await runPipeline(graph, {
      ...options,
      downloadDir: join(cacheDir(), 'downloads'),
      keepGoing: args.has('keep-going'),
      ...(jobs === undefined ? {} : { jobs }),
      secrets: process.env,
      flags: [...formatFlags(args, graph.projectDir), ...flags],
      ...(resumes === undefined ? {} : { resumes }),
      signal: interrupt.signal,
      onEvent: (event: Event) => {
        recorder.add(event);
        reporter.onEvent(event);
      },
    });
    const { record } = recorder;
    if (record !== undefined) {
      writeReport(graph.projectDir, record);
      reporter.finish(record);
    }
    if (result.cleanUp !== undefined) tellCleanUp(result.cleanUp, isJson);
    return judgeExit(result.end, record);
  } catch (error) {
    if (!(error instanceof MissingSecretsError)) throw error;
    throw new UsageError(
      `${error.message} Give each as an environment variable: \`${error.names[0] ?? ''}=... joyul run\`.`,
    );
  } finally {
    interrupt.stop();
    reporter.close();
  }
}
