import type { Problem } from '@joyul/plugin-api';
import type { FailureSummary } from '../events/event.ts';
import type { GraphStep } from '../graph/graph.ts';
import { MissingFilesError } from '../plan/fingerprint.ts';
import { describeError } from './run-order.ts';
import type { SentFailure } from './worker-protocol.ts';

/** An attempt failed; everything that is known about it. */
export class AttemptFailure extends Error {
  readonly code: string;
  readonly problems: readonly Problem[];
  readonly help: string | undefined;
  readonly exitCode: number | undefined;
  /** Where the step itself threw. */
  readonly origin: string | undefined;

  constructor(details: {
    readonly code: string;
    readonly message: string;
    readonly problems?: readonly Problem[];
    readonly help?: string;
    readonly exitCode?: number;
    readonly origin?: string;
  }) {
    super(details.message);
    this.name = 'AttemptFailure';
    this.code = details.code;
    this.problems = details.problems ?? [];
    this.help = details.help;
    this.exitCode = details.exitCode;
    this.origin = details.origin;
  }

  /** From an error that a step threw, here or in a worker. */
  static from(sent: SentFailure): AttemptFailure {
    const exitCode = /^EXIT_(\d+)$/.exec(sent.code ?? '')?.[1];
    const isFull = sent.code === 'ENOSPC';
    return new AttemptFailure({
      code: isFull ? 'DISK_FULL' : (sent.code ?? 'STEP_THREW'),
      message: isFull ? 'The disk is full; nothing half-written was kept.' : sent.message,
      problems: sent.problems,
      ...(isFull
        ? { help: 'Free some space, then run again.' }
        : sent.help === undefined
          ? {}
          : { help: sent.help }),
      ...(exitCode === undefined ? {} : { exitCode: Number(exitCode) }),
      ...(sent.stack === undefined || sent.name === 'StepFailure' ? {} : { origin: sent.stack }),
    });
  }

  summarize(logTail: readonly string[]): FailureSummary {
    return {
      code: this.code,
      message: this.message,
      problems: this.problems,
      logTail,
      ...(this.help === undefined ? {} : { help: this.help }),
      ...(this.exitCode === undefined ? {} : { exitCode: this.exitCode }),
      ...(this.origin === undefined ? {} : { stack: this.origin }),
    };
  }
}

/** An attempt took longer than it may. */
export function makeTimeout({ id, timeoutMs = 0 }: GraphStep): AttemptFailure {
  return new AttemptFailure({
    code: 'TIMEOUT',
    message: `${id} did not end within ${timeoutMs / 1000} s.`,
    help: 'Raise timeout, or give the step less to do.',
  });
}

/** What went wrong, in a form that can be told. */
export function toFailure(error: unknown): AttemptFailure {
  if (error instanceof AttemptFailure) return error;
  if (error instanceof MissingFilesError)
    return new AttemptFailure({
      code: 'FILE_MISSING',
      message: error.message,
      help: 'Create the file, or change the path in the pipeline.',
    });
  return AttemptFailure.from(describeError(error));
}
