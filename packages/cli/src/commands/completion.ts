import { listRunIds, readStepIds } from '@joyul/core';
import { parseArguments } from '../args.ts';
import type { Command } from '../command.ts';
import { exitCodes } from '../exit-codes.ts';
import { readPipeline } from '../pipeline-options.ts';
import { findProject } from '../project.ts';
import { parseRunArguments } from '../run-flags.ts';
import { UsageError } from '../usage-error.ts';

/** Scripts by shell; all ask `joyul completion suggest -- WORDS`, the last word being the one that is typed. */
const scripts: Readonly<Record<string, string>> = {
  bash: `_joyul() {
  local IFS=$'\\n'
  COMPREPLY=($(joyul completion suggest -- "\${COMP_WORDS[@]:1:COMP_CWORD}" 2>/dev/null))
}
complete -o default -F _joyul joyul
`,
  zsh: `#compdef joyul
_joyul() {
  local -a found
  found=("\${(@f)$(joyul completion suggest -- "\${(@)words[2,$CURRENT]}" 2>/dev/null)}")
  if [[ -n "$found" ]]; then compadd -a found; else _files; fi
}
compdef _joyul joyul
`,
  fish: `function __joyul
  joyul completion suggest -- (commandline -opc)[2..-1] (commandline -ct) 2>/dev/null
end
complete -c joyul -a '(__joyul)'
`,
};

/** Values of flags that have a few. */
const choices: Readonly<Record<string, readonly string[]>> = {
  '--cache': ['rw', 'ro', 'wo', 'off'],
  '--backend': ['tensorflow', 'wasm', 'cpu'],
  '--format': ['mermaid', 'dot', 'svg'],
};

const maxRuns = 20;

/** A flag as a command's help has it: its names, and what its value is called. */
interface Flag {
  readonly names: readonly string[];
  readonly value: string;
}

function parseFlags(usage: string): readonly Flag[] {
  return [...usage.matchAll(/^ {2}(?:(-\w), | {4})(--[\w-]+)(?: (\[?[A-Z=]+\]?))?/gm)].map(
    ([, short, long = '', value = '']) => ({ names: [short ?? [], long].flat(), value }),
  );
}

/** Names of the steps of the pipeline that is named, or of the only one; none when it has errors. */
async function listSteps(words: readonly string[]): Promise<readonly string[]> {
  try {
    const file = words.find((word) => /\.ya?ml$/.test(word));
    const { ready } = await readPipeline(parseRunArguments([]), file, { mayBePart: true });
    return [...new Set(ready?.graph.steps.map((step) => step.group))];
  } catch {
    return [];
  }
}

function listRuns(): readonly string[] {
  return [...listRunIds(findProject(process.cwd()))].reverse().slice(0, maxRuns);
}

function listStepsOfLastRun(): readonly string[] {
  const [last] = listRuns();
  return last === undefined ? [] : readStepIds(findProject(process.cwd()), last);
}

/** What may stand where a help has this word. */
async function listValues(word: string, words: readonly string[]): Promise<readonly string[]> {
  if (word.includes('STEP')) return listSteps(words);
  return word.includes('RUN') ? listRuns() : [];
}

/** What the last of some words may become. */
async function suggest(
  words: readonly string[],
  commands: Readonly<Record<string, { load(): Promise<Command> }>>,
): Promise<readonly string[]> {
  const typed = words.at(-1) ?? '';
  const [name = '', ...before] = words.slice(0, -1);
  const fit = (values: readonly string[], prefix = ''): readonly string[] =>
    values.map((value) => `${prefix}${value}`).filter((value) => value.startsWith(typed));
  if (words.length < 2) return fit(Object.keys(commands));
  const { usage } = (await commands[name]?.load()) ?? { usage: '' };
  const flags = parseFlags(usage);
  const last = flags.find(({ names, value }) => value !== '' && names.includes(before.at(-1) ?? ''));
  if (last !== undefined) {
    const long = last.names.at(-1) ?? '';
    // Of a list, what stands after the last comma.
    const done = typed.slice(0, typed.lastIndexOf(',') + 1);
    return fit(choices[long] ?? (await listValues(last.value, before)), done);
  }
  if (typed.startsWith('-'))
    return fit(flags.flatMap(({ names }) => names.filter((item) => item.startsWith('--'))));
  const verbs = [...usage.matchAll(new RegExp(`^joyul ${name} ([a-z]+)`, 'gm'))].map(([, verb = '']) => verb);
  if (before.length === 0 && verbs.length > 0) return fit(verbs);
  const [synopsis = ''] = usage.split('\n');
  const places = [...synopsis.matchAll(/\b[A-Z]+\b/g)].map(([place]) => place);
  // A run may be followed by one of its steps.
  if (places.includes('RUN') && places.includes('STEP')) return fit([...listRuns(), ...listStepsOfLastRun()]);
  return fit(await listValues(places[before.length] ?? places[0] ?? '', before));
}

/** `joyul completion`, which knows of all commands. */
export const makeCompletion = (
  commands: Readonly<Record<string, { load(): Promise<Command> }>>,
): Command => ({
  usage: `joyul completion bash
joyul completion zsh
joyul completion fish

Prints a script that completes commands, flags, steps and runs.

Examples:
  source <(joyul completion bash)           in ~/.bashrc
  source <(joyul completion zsh)            in ~/.zshrc, after compinit
  joyul completion fish | source            in ~/.config/fish/config.fish`,
  async run(argv) {
    const [shell, mark, ...words] = argv;
    if (shell === 'suggest' && mark === '--') {
      const found = await suggest(words, commands);
      if (found.length > 0) process.stdout.write(`${found.join('\n')}\n`);
      return exitCodes.done;
    }
    const { positionals } = parseArguments(argv, { help: { type: 'boolean', short: 'h' } });
    const script = Object.hasOwn(scripts, positionals[0] ?? '') ? scripts[positionals[0] ?? ''] : undefined;
    if (script === undefined)
      throw new UsageError(
        `Name a shell: \`joyul completion ${Object.keys(scripts).join('`, `joyul completion ')}\`.`,
      );
    process.stdout.write(script);
    return exitCodes.done;
  },
});
