/** One command of the command line. */
export interface Command {
  /** The text of --help. */
  readonly usage: string;
  /** Runs it and gives the exit code. */
  run(args: readonly string[]): Promise<number>;
}
