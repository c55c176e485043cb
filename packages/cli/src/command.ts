/** One command of the command line. */
export interface Command {
  /** A few words for the list of commands. */
  readonly summary: string;
  /** The text of --help. */
  readonly usage: string;
  /** Runs it and gives the exit code. */
  run(args: readonly string[]): Promise<number>;
}
