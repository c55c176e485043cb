import { explainSteps, findNearest, selectSteps } from '@joyul/core';
import type { Graph } from '@joyul/core';
import { parseArguments } from '../args.ts';
import type { Command } from '../command.ts';
import { exitCodes } from '../exit-codes.ts';
import { changeHelp, loadFromArguments, pipelineFlags } from '../pipeline-options.ts';
import { formatGroupWhy, formatWhy, makeMarks } from '../terminal/format-why.ts';
import { hasColor, makeStyle } from '../terminal/style.ts';
import { UsageError } from '../usage-error.ts';

/** The steps that a name means: one, all instances of a matrix, or those of a pipeline that is used. */
function findSteps(graph: Graph, name: string): readonly string[] {
  const found = [...(selectSteps(graph, { only: [name] }, () => undefined) ?? [])];
  if (found.length > 0) return found;
  const groups = [...new Set(graph.steps.map((step) => step.group))];
  const nearest = findNearest(name, [...groups, ...graph.byId.keys()]);
  throw new UsageError(
    `The pipeline has no step "${name}".${nearest === undefined ? ` Its steps are ${groups.join(', ')}.` : ` Did you mean "${nearest}"?`}`,
  );
}

/** `joyul why`. */
export const why: Command = {
  usage: `joyul why STEP [FILE] [flags]

Says what changed since a step last succeeded, field by field and down to the step in which it began; of a
reused step, which run made it. A matrix step's name stands for all its instances. A change that is not made
yet can be asked about.

      --json              the changed fields, their causes and the whole record as JSON; a list for a matrix

${changeHelp}

Examples:
  joyul why train                           why train would run, or which run made its result
  joyul why train -s learning_rate=1e-4     why it would run after this change`,
  async run(argv) {
    const args = parseArguments(argv, pipelineFlags);
    const [name, file] = args.positionals;
    if (name === undefined) throw new UsageError('Name a step: `joyul why STEP`.');
    const loaded = await loadFromArguments(args, file);
    if (loaded === undefined) return exitCodes.badPipeline;
    const { graph, options } = loaded;
    const ids = findSteps(graph, name);
    const whys = explainSteps(graph, ids, options);
    const [first] = whys;
    const isOne = graph.byId.has(name) || (ids.length === 1 && name.includes('@'));
    if (args.has('json')) {
      process.stdout.write(`${JSON.stringify(isOne ? first : whys, null, 2)}\n`);
      return exitCodes.done;
    }
    const style = makeStyle(hasColor(process.stdout));
    const marks = makeMarks(style);
    const width = process.stdout.columns || 100;
    const lines =
      isOne && first !== undefined
        ? formatWhy(first, { marks, style, width })
        : formatGroupWhy(whys, { marks, style, width });
    process.stdout.write(`${lines.join('\n')}\n`);
    return exitCodes.done;
  },
};
