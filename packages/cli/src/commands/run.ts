import { writeFileSync } from 'node:fs';
import { availableParallelism } from 'node:os';
import { join } from 'node:path';
import { MissingSecretsError, formatBytes, RunRecorder, renderReport, runPipeline } from '@joyul/core';
import type { AfterRun, Event, RunRecord } from '@joyul/core';
import { parseArguments, readWholeNumber } from '../args.ts';
import type { Command } from '../command.ts';
import { exitCodes } from '../exit-codes.ts';
import { loadFromArguments, pipelineFlags, pipelineHelp, printDiagnostics } from '../pipeline-options.ts';
import { makeReporter } from '../terminal/reporter.ts';
import { UsageError } from '../usage-error.ts';
import { cacheDir } from '../user-folders.ts';

const flags = {
  ...pipelineFlags,
  'dry-run': { type: 'boolean', short: 'n' },
  'keep-going': { type: 'boolean', short: 'k' },
  jobs: { type: 'string', short: 'j' },
} as const;

/** Ends a run on Ctrl-C: once lets steps write checkpoints, twice ends at once. */
function cancelOnInterrupt(onFirst: () => void): { readonly signal: AbortSignal; stop(): void } {
  const controller = new AbortController();
  const interrupt = (): void => {
    if (controller.signal.aborted) process.exit(exitCodes.interrupted);
    controller.abort(new Error('The run was cancelled.'));
    onFirst();
  };
  process.on('SIGINT', interrupt);
  process.on('SIGTERM', interrupt);
  return {
    signal: controller.signal,
    stop: () => {
      process.off('SIGINT', interrupt).off('SIGTERM', interrupt);
    },
  };
}

/** Writes the report beside the run's events; a run that did nothing new has nothing new to report. */
function writeReport(projectDir: string, record: RunRecord): void {
  if (record.steps.every((step) => step.end === 'reused')) return;
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

/** `joyul run`. */
export const run: Command = {
  usage: `joyul run [FILE] [flags]

Runs what is out of date and reuses the rest. Ctrl-C once ends it gracefully: steps write checkpoints,
and the same command goes on from there.

  -n, --dry-run           show what would run and why; change nothing
  -k, --keep-going        go on with what does not need a failed step
  -j, --jobs N            steps that may run at once; the default is the number of cores
${pipelineHelp}
      --json              events as JSON lines on stdout`,
  async run(argv) {
    const args = parseArguments(argv, flags);
    const loaded = await loadFromArguments(args, args.positionals[0], {
      mayKeep: !args.has('dry-run'),
      needsFiles: true,
    });
    if (loaded === undefined) return exitCodes.badPipeline;
    const { graph, options } = loaded;
    const jobs = readWholeNumber(args, 'jobs', 1);
    if (args.has('dry-run')) {
      const { showPlan } = await import('./plan.ts');
      showPlan(loaded, { jobs: jobs ?? availableParallelism(), isJson: args.has('json') });
      return exitCodes.done;
    }
    const isJson = args.has('json');
    const reporter = makeReporter(graph, { isJson });
    const interrupt = cancelOnInterrupt(() => {
      reporter.notify('Cancelling: steps write checkpoints. Press Ctrl-C again to end at once.');
    });
    const recorder = new RunRecorder();
    try {
      const result = await runPipeline(graph, {
        ...options,
        downloadDir: join(cacheDir(), 'downloads'),
        keepGoing: args.has('keep-going'),
        ...(jobs === undefined ? {} : { jobs }),
        secrets: process.env,
        flags: argv.filter((item) => item !== args.positionals[0]),
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
      if (result.end === 'cancelled') return exitCodes.interrupted;
      if (result.end === 'checkpointed') return exitCodes.checkpointed;
      if (result.end === 'succeeded') return exitCodes.done;
      const isGate =
        record?.steps.some((step) => step.failure?.code === 'GATE' && step.end === 'failed') === true;
      return isGate ? exitCodes.gateRefused : exitCodes.stepFailed;
    } catch (error) {
      if (!(error instanceof MissingSecretsError)) throw error;
      throw new UsageError(
        `${error.message} Give each as an environment variable: \`${error.names[0] ?? ''}=... joyul run\`.`,
      );
    } finally {
      interrupt.stop();
      reporter.close();
    }
  },
};
