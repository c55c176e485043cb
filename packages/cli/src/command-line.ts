/** Finds the command that was named and runs it; nothing else is loaded. */
import { readFileSync } from 'node:fs';
import { findNearest } from '@joyul/core';
import type { Command } from './command.ts';
import { exitCodes } from './exit-codes.ts';
import { UsageError } from './usage-error.ts';

/** A command before it is loaded: the list of commands needs no more than its summary. */
interface CommandEntry {
  readonly summary: string;
  /** True when it writes without the streams of Node, which starting it therefore does not load. */
  readonly isBare?: true;
  load(): Promise<Command>;
}

/** All commands, in the order in which a person meets them. */
const commands: Readonly<Record<string, CommandEntry>> = {
  init: {
    summary: 'make a project with a pipeline that runs',
    load: async () => (await import('./commands/init.ts')).init,
  },
  validate: {
    summary: 'check a pipeline: every problem at once, with its place',
    load: async () => (await import('./commands/validate.ts')).validate,
  },
  plan: {
    summary: 'show what would run and why; changes nothing',
    load: async () => (await import('./commands/plan.ts')).plan,
  },
  run: {
    summary: 'run a pipeline; what is fresh is reused',
    isBare: true,
    load: async () => (await import('./commands/run.ts')).run,
  },
  resume: {
    summary: 'go on with a run that did not succeed, from its checkpoints',
    isBare: true,
    load: async () => (await import('./commands/resume.ts')).resume,
  },
  retry: {
    summary: 'go on with a run; what had failed begins anew',
    isBare: true,
    load: async () => (await import('./commands/retry.ts')).retry,
  },
  cancel: {
    summary: 'end a run that is going on in another process',
    load: async () => (await import('./commands/cancel.ts')).cancel,
  },
  why: {
    summary: 'say why a step would run: what changed since it last succeeded',
    load: async () => (await import('./commands/why.ts')).why,
  },
  runs: {
    summary: 'list the runs of this project, the newest first; keep one for good',
    load: async () => (await import('./commands/runs.ts')).runs,
  },
  show: {
    summary: 'print the report of a run, or of one of its steps',
    load: async () => (await import('./commands/show.ts')).show,
  },
  logs: {
    summary: 'print what the steps of a run wrote; -f follows a run that goes on',
    load: async () => (await import('./commands/logs.ts')).logs,
  },
  diff: {
    summary: 'compare two runs: what was changed, and what came of it',
    load: async () => (await import('./commands/diff.ts')).diff,
  },
  lock: {
    summary: 'write down what a run was made of, to be committed; --check compares with it',
    load: async () => (await import('./commands/lock.ts')).lock,
  },
  lineage: {
    summary: 'export a run as OpenLineage events',
    load: async () => (await import('./commands/lineage.ts')).lineage,
  },
  cache: {
    summary: 'look at the store: its size, what is needed, what is damaged; clean it up',
    load: async () => (await import('./commands/cache.ts')).cache,
  },
  graph: {
    summary: 'draw the steps and what flows between them',
    load: async () => (await import('./commands/graph.ts')).graph,
  },
  schedule: {
    summary: 'run pipelines by themselves: cron, time zones, overlap, catch-up',
    load: async () => (await import('./commands/schedule.ts')).schedule,
  },
  serve: {
    summary: 'answer over HTTP with a deployed model',
    load: async () => (await import('./commands/serve.ts')).serve,
  },
  schema: {
    summary: 'print the JSON Schema of pipeline files, for editors',
    load: async () => (await import('./commands/schema.ts')).schema,
  },
  errors: {
    summary: 'say what the codes of messages mean, and what mends them',
    load: async () => (await import('./commands/errors.ts')).errors,
  },
  completion: {
    summary: 'print a script that completes commands, flags and steps in bash, zsh or fish',
    load: async () => (await import('./commands/completion.ts')).makeCompletion(commands),
  },
  doctor: {
    summary: 'look at this machine: what works, what is missing, what mends it',
    load: async () => (await import('./commands/doctor.ts')).doctor,
  },
};

function readVersion(): string {
  const manifest = JSON.parse(readFileSync(new URL('../package.json', import.meta.url), 'utf8')) as {
    readonly version: string; // npm's format.
  };
  return manifest.version;
}

/** Commands by what a person is about; those of none stand at the end. */
const groups: Readonly<Record<string, readonly string[]>> = {
  'Begin and check': ['init', 'validate', 'plan', 'graph'],
  Run: ['run', 'resume', 'retry', 'cancel'],
  'Look back': ['runs', 'show', 'logs', 'why', 'diff', 'lineage'],
  'Keep and use': ['lock', 'cache', 'serve'],
};

function formatHelp(): string {
  const grouped = Object.values(groups).flat();
  const others = Object.keys(commands).filter((name) => !grouped.includes(name));
  const sections = Object.entries({ ...groups, More: others }).map(([title, names]) => {
    const lines = names.map((name) => `  ${name.padEnd(12)}${commands[name]?.summary ?? ''}`);
    return `${title}:\n${lines.join('\n')}`;
  });
  return `joyul: fine-tunes pretrained models by declared pipelines

usage: joyul COMMAND [ARGUMENT...] [FLAG...]

${sections.join('\n\n')}

\`joyul COMMAND --help\` tells more. NO_COLOR, CI and FORCE_COLOR are honoured.
Exit codes: 0 done, 1 a step failed or something differs, 2 bad usage or pipeline, 3 a gate refused,
10 something would run (\`plan --exit-code\`), 75 stopped at a checkpoint, 130 interrupted.
`;
}

/** A reader that ends early, such as `| head`, is no failure. */
function endWithReader(): void {
  process.stdout.on('error', (error: NodeJS.ErrnoException) => {
    if (error.code === 'EPIPE') process.exit(exitCodes.done);
    throw error;
  });
}

async function findCommand(name: string): Promise<Command> {
  const entry = Object.hasOwn(commands, name) ? commands[name] : undefined;
  if (entry !== undefined) return entry.load();
  const nearest = findNearest(name, Object.keys(commands));
  throw new UsageError(
    `There is no command "${name}". ${nearest === undefined ? '`joyul --help` lists them.' : `Did you mean "${nearest}"?`}`,
  );
}

async function dispatch(argv: readonly string[]): Promise<number> {
  const [name = '--help', ...rest] = argv;
  if (name === '--version' || name === '-v') {
    process.stdout.write(`${readVersion()}\n`);
    return exitCodes.done;
  }
  if (name === '--help' || name === '-h' || (name === 'help' && rest.length === 0)) {
    process.stdout.write(formatHelp());
    return exitCodes.done;
  }
  const end = rest.indexOf('--');
  const flags = end === -1 ? rest : rest.slice(0, end);
  const isHelp = name === 'help' || flags.some((item) => item === '--help' || item === '-h');
  const command = await findCommand(name === 'help' ? (rest[0] ?? '') : name);
  if (isHelp || commands[name]?.isBare !== true) endWithReader();
  if (!isHelp) return command.run(rest);
  process.stdout.write(`${command.usage}\n`);
  return exitCodes.done;
}

/** What the operating system refused, in words; undefined for errors that are not its. */
function describeSystemError(error: unknown): string | undefined {
  if (!(error instanceof Error) || !('code' in error) || !('syscall' in error)) return undefined;
  const place = 'path' in error && typeof error.path === 'string' ? ` (${error.path})` : '';
  switch (error.code) {
    case 'ENOSPC':
    case 'EDQUOT':
      return `The disk is full${place}; nothing half-written is used. Free some space, then run again.`;
    case 'EROFS':
    case 'EACCES':
    case 'EPERM':
      return `This user may not write here${place}. Make the folder writable, then run again.`;
    case 'EMFILE':
    case 'ENFILE':
      return `Too many files are open${place}. Raise the limit (\`ulimit -n 4096\`), then run again.`;
    default:
      return undefined;
  }
}

/** Runs a command line and gives the exit code; what the user mistyped is told in one line. */
export async function runCommandLine(argv: readonly string[]): Promise<number> {
  try {
    return await dispatch(argv);
  } catch (error) {
    if (error instanceof UsageError) {
      process.stderr.write(`${error.message}\n`);
      return exitCodes.badPipeline;
    }
    const told = describeSystemError(error);
    if (told === undefined) throw error;
    process.stderr.write(`${told}\n`);
    return exitCodes.stepFailed;
  }
}
