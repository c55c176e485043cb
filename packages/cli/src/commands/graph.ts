import { writeFileSync } from 'node:fs';
import { extname } from 'node:path';
import { formatDot, formatDuration, formatMermaid, formatSvg, readRunRecord } from '@joyul/core';
import type { DrawnRun, Graph } from '@joyul/core';
import { parseArguments } from '../args.ts';
import type { Command } from '../command.ts';
import { exitCodes } from '../exit-codes.ts';
import { changeHelp, loadFromArguments, pipelineFlags } from '../pipeline-options.ts';
import { formatTime } from '../terminal/format-why.ts';
import { UsageError } from '../usage-error.ts';

const flags = {
  ...pipelineFlags,
  format: { type: 'string' },
  output: { type: 'string', short: 'o' },
  run: { type: 'string' },
} as const;

const formats = ['mermaid', 'dot', 'svg'] as const;
type Format = (typeof formats)[number];

/** Formats by the end of a file's name. */
const extensions: Readonly<Record<string, Format>> = {
  '.svg': 'svg',
  '.dot': 'dot',
  '.gv': 'dot',
  '.mmd': 'mermaid',
  '.mermaid': 'mermaid',
};

/** `--run` may stand alone: it then means the last run. */
const completeRun = (argv: readonly string[]): readonly string[] =>
  argv.map((item, at) =>
    item === '--run' && (argv[at + 1] === undefined || argv[at + 1]?.startsWith('-') === true)
      ? '--run=last'
      : item,
  );

function readRun(graph: Graph, name: string): DrawnRun {
  const record = readRunRecord(graph.projectDir, name);
  if (record === undefined)
    throw new UsageError(
      name === 'last'
        ? 'There are no runs yet. `joyul run` makes one.'
        : `There is no run ${name}. \`joyul runs\` lists them.`,
    );
  return {
    title: `run ${record.runId} of ${formatTime(record.startedMs)}, ${record.end} in ${formatDuration(record.durationMs)}`,
    steps: new Map(
      record.steps.map(({ stepId, end, durationMs }) => [
        stepId,
        { end, ...(durationMs === 0 ? {} : { took: formatDuration(durationMs) }) },
      ]),
    ),
  };
}

/** `joyul graph`. */
export const graph: Command = {
  usage: `joyul graph [FILE] [flags]

Draws the steps and what flows between them.

      --format NAME       mermaid (the default), dot or svg; with -o the end of FILE decides
  -o, --output FILE       write it to a file
      --run [RUN]         svg: colour it by how each step of a run ended; the default is the last run

${changeHelp}

Examples:
  joyul graph                               Mermaid, to be pasted into Markdown
  joyul graph -o graph.svg --run            a picture of how the last run went`,
  async run(argv) {
    const args = parseArguments(completeRun(argv), flags);
    const output = args.value('output');
    const runName = args.value('run');
    const guess = output === undefined ? undefined : extensions[extname(output).toLowerCase()];
    const named = args.value('format') ?? guess ?? (runName === undefined ? 'mermaid' : 'svg');
    const format = formats.find((item) => item === named);
    if (format === undefined)
      throw new UsageError(`--format must be one of ${formats.join(', ')}, but is ${named}.`);
    if (runName !== undefined && format !== 'svg') throw new UsageError('--run goes with --format svg.');
    const loaded = await loadFromArguments(args, args.positionals[0], { mayBePart: true });
    if (loaded === undefined) return exitCodes.badPipeline;
    const run = runName === undefined ? undefined : readRun(loaded.graph, runName);
    const draw = { mermaid: formatMermaid, dot: formatDot, svg: (item: Graph) => formatSvg(item, run) };
    const text = draw[format](loaded.graph);
    if (output === undefined) process.stdout.write(text);
    else writeFileSync(output, text);
    return exitCodes.done;
  },
};
