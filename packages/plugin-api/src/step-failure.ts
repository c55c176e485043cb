/** One thing that is wrong, at one place in a user's file. */
export interface Problem {
  /** The file, relative to the project where it lies inside it. */
  readonly file?: string;
  /** From 1. */
  readonly line?: number;
  /** From 1. */
  readonly column?: number;
  /** The field or JSON pointer inside the row, such as `/messages/3/content`. */
  readonly field?: string;
  /** What is wrong, in the user's words, and what was found. */
  readonly message: string;
}

/**
 * A step cannot go on because of something the user can mend; thrown by `run`.
 *
 * The engine prints it without a stack trace, as `plugin/CODE`.
 */
export class StepFailure extends Error {
  /** Permanent and in capitals, such as `ROW_MALFORMED`. */
  readonly code: string;
  /** Every place that was found wrong, not only the first. */
  readonly problems: readonly Problem[];
  /** What to type or change; absent where nothing is known to help. */
  readonly help: string | undefined;

  constructor(
    code: string,
    message: string,
    options: {
      readonly problems?: readonly Problem[];
      readonly help?: string;
      readonly cause?: unknown;
    } = {},
  ) {
    super(message, options.cause === undefined ? undefined : { cause: options.cause });
    this.name = 'StepFailure';
    this.code = code;
    this.problems = options.problems ?? [];
    this.help = options.help;
  }
}
