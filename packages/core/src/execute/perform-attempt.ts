import type { GraphStep } from '../graph/graph.ts';
import type { Clock } from '../util/platform.ts';
import type { AttemptFailure } from './attempt-failure.ts';
import { makeTimeout, toFailure } from './attempt-failure.ts';
import type { AttemptContext, AttemptParts, AttemptResult } from './run-attempt.ts';
import { runAttempt } from './run-attempt.ts';

/** One attempt of a step, and who is told of it. */
export interface PerformParts extends Omit<AttemptParts, 'signal' | 'listener'> {
  /** From 1. */
  readonly attempt: number;
  /** Aborting it stops the attempt. */
  readonly running: AbortController;
  /** Filled with the last lines that the step writes. */
  readonly tail: string[];
}

const logTailLines = 20;
/** Why an attempt was stopped when it took too long. */
const timedOut = Symbol('timed out');
/** The exit code by which a program says that it stopped at a checkpoint (EX_TEMPFAIL). */
const checkpointExitCode = 75;

/** Runs one attempt within its time, tells what it tells, and gives its result or how else it ended. */
export async function performAttempt(
  parts: PerformParts,
  context: AttemptContext,
): Promise<AttemptResult | AttemptFailure | 'checkpointed'> {
  const { step, inspection, attempt, running, tell } = parts;
  const { fingerprint, reason } = inspection;
  const ended = new AbortController();
  void limit(step, running, { clock: context.platform.clock, ended: ended.signal });
  const hasTimedOut = (): boolean => running.signal.reason === timedOut;
  try {
    tell({ kind: 'step-started', stepId: step.id, attempt, fingerprint, reason });
    const result = await runAttempt({ ...parts, signal: running.signal, listener: listen(parts) }, context);
    return hasTimedOut() ? makeTimeout(step) : result;
  } catch (error) {
    const failure = toFailure(error);
    if (failure.code === 'CHECKPOINTED' || failure.exitCode === checkpointExitCode) return 'checkpointed';
    return hasTimedOut() ? makeTimeout(step) : failure;
  } finally {
    ended.abort();
  }
}

/** Stops an attempt that takes longer than it may. */
async function limit(
  { timeoutMs }: GraphStep,
  running: AbortController,
  { clock, ended }: { readonly clock: Clock; readonly ended: AbortSignal },
): Promise<void> {
  if (timeoutMs === undefined) return;
  await clock.sleep(timeoutMs, ended);
  if (!ended.aborted) running.abort(timedOut);
}

/** Takes what an attempt tells. */
function listen({ step, attempt, tail, tell }: PerformParts): AttemptParts['listener'] {
  const stepId = step.id;
  const keep = (text: string): void => {
    tail.push(text);
    if (tail.length > logTailLines) tail.shift();
  };
  return {
    onEvent: (event) => {
      if (event.type === 'log') keep(event.message);
      tell({ kind: 'step-event', stepId, attempt, event });
    },
    onOutput: (stream, text) => {
      keep(text);
      tell({ kind: 'step-output', stepId, stream, text });
    },
  };
}
