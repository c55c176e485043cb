import { parseArgs } from 'node:util';
import type { ParseArgsOptionsConfig } from 'node:util';
import { findNearest } from '@joyul/core';

/** The command line cannot be understood; the message says what to type. */
export class UsageError extends Error {
  constructor(message: string) {
    super(message);
    this.name = 'UsageError';
  }
}

/** What was typed after a command's name. */
export interface Arguments {
  readonly positionals: readonly string[];
  /** True when a flag was given. */
  has(name: string): boolean;
  /** A flag's value. */
  value(name: string): string | undefined;
  /** All values of a flag that may stand several times. */
  values(name: string): readonly string[];
}

/** Parses a command's arguments; unknown flags are refused with the nearest known one. */
export function parseArguments(args: readonly string[], options: ParseArgsOptionsConfig): Arguments {
  let parsed: ReturnType<typeof parseArgs>;
  try {
    parsed = parseArgs({ args: [...args], options, allowPositionals: true, strict: true });
  } catch (error) {
    const code = error instanceof Error && 'code' in error ? error.code : undefined;
    if (code !== 'ERR_PARSE_ARGS_UNKNOWN_OPTION' && code !== 'ERR_PARSE_ARGS_INVALID_OPTION_VALUE')
      throw error;
    const message = error instanceof Error ? error.message : '';
    const flag = /'(-[^'\s,]*)/.exec(message)?.[1] ?? '';
    if (code === 'ERR_PARSE_ARGS_INVALID_OPTION_VALUE')
      throw new UsageError(`${message.split('\n')[0] ?? message}`);
    const nearest = findNearest(flag.replace(/^-+/, ''), Object.keys(options));
    throw new UsageError(
      `There is no flag ${flag}.${nearest === undefined ? '' : ` Did you mean --${nearest}?`}`,
    );
  }
  const { values, positionals } = parsed;
  return {
    positionals,
    has: (name) => values[name] === true,
    value: (name) => {
      const value = values[name];
      return typeof value === 'string' ? value : undefined;
    },
    values: (name) => {
      const value = values[name];
      return Array.isArray(value) ? value.map(String) : [];
    },
  };
}
