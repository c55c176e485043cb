import { parseArgs } from 'node:util';
import type { ParseArgsOptionsConfig } from 'node:util';
import { findNearest } from '@joyul/core';
import { UsageError } from './usage-error.ts';

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

/** What `parseArgs` says about a flag's value, in our words. */
function describeValueProblem(message: string): string {
  const flag = /'(?:-\w, )?(--?[\w-]+)[^']*'/.exec(message)?.[1] ?? 'The flag';
  if (message.includes('does not take an argument')) return `${flag} takes no value.`;
  if (message.includes('ambiguous'))
    return `${flag} needs a value; write ${flag}=VALUE when it begins with a dash.`;
  return `${flag} needs a value.`;
}

/** A whole number that a flag must have, or undefined where the flag is not given. */
export function readWholeNumber(args: Arguments, name: string, least: number): number | undefined {
  const text = args.value(name);
  if (text === undefined) return undefined;
  const value = Number(text);
  if (!/^\d+$/.test(text) || value < least)
    throw new UsageError(`--${name} must be a whole number of at least ${least}, but is ${text}.`);
  return value;
}

/** One of a flag's few values, or undefined where the flag is not given. */
export function readChoice<T extends string>(
  args: Arguments,
  name: string,
  choices: readonly T[],
): T | undefined {
  const text = args.value(name);
  const choice = choices.find((item) => item === text);
  if (text !== undefined && choice === undefined)
    throw new UsageError(`--${name} must be one of ${choices.join(', ')}, but is ${text}.`);
  return choice;
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
    if (code === 'ERR_PARSE_ARGS_INVALID_OPTION_VALUE') throw new UsageError(describeValueProblem(message));
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
