import { describeChange, explainStep, findNearest, leftOutOnPurpose } from '@joyul/core';
import { parseArguments } from '../args.ts';
import type { Command } from '../command.ts';
import { exitCodes } from '../exit-codes.ts';
import { loadFromArguments, pipelineFlags, pipelineHelp } from '../pipeline-options.ts';
import { hasColor, makeStyle } from '../terminal/style.ts';
import { UsageError } from '../usage-error.ts';

/** `joyul why`. */
export const why: Command = {
  usage: `joyul why STEP [FILE] [flags]

Says what changed since a step last succeeded, field by field. A change that is not made yet can be asked
about: \`joyul why train -s learning_rate=1e-4\`.

${pipelineHelp}
      --json              the changed fields and the whole record as JSON`,
  async run(argv) {
    const args = parseArguments(argv, pipelineFlags);
    const [stepId, file] = args.positionals;
    if (stepId === undefined) throw new UsageError('Name a step: `joyul why STEP`.');
    const loaded = await loadFromArguments(args, file);
    if (loaded === undefined) return exitCodes.badPipeline;
    const { graph, options } = loaded;
    if (!graph.byId.has(stepId)) {
      const nearest = findNearest(stepId, graph.byId.keys());
      throw new UsageError(
        `The pipeline has no step "${stepId}".${nearest === undefined ? ` Its steps are ${[...graph.byId.keys()].join(', ')}.` : ` Did you mean "${nearest}"?`}`,
      );
    }
    const explanation = explainStep(graph, stepId, options);
    if (args.has('json')) {
      process.stdout.write(`${JSON.stringify(explanation, null, 2)}\n`);
      return exitCodes.done;
    }
    const style = makeStyle(hasColor(process.stdout));
    const { step, changes, fingerprint } = explanation;
    const verdicts = {
      reuse: 'would be reused',
      run: 'would run',
      unknown: 'cannot be known yet',
      blocked: 'cannot run',
      disabled: 'is left out',
    };
    const lines = [`${style.bold(stepId)} ${verdicts[step.action]}: ${step.reason}.`];
    if (changes.length > 0)
      lines.push(
        '',
        'Since it last succeeded:',
        ...changes.map((change) => `  ${style.cyan(change.field)}  ${describeChange(change)}`),
      );
    if (step.action === 'unknown') {
      const cause = step.needs
        .map((need) => explainStep(graph, need, options).step)
        .find((need) => need.action !== 'reuse');
      if (cause !== undefined)
        lines.push(
          '',
          `${style.bold(cause.stepId)} ${verdicts[cause.action]}: ${cause.reason}. If it gives the same bytes, ${stepId} is reused.`,
        );
    }
    if (fingerprint !== undefined) lines.push('', style.dim(`fingerprint ${fingerprint.slice(0, 16)}`));
    lines.push(style.dim(`Never part of it: ${leftOutOnPurpose.join('; ')}.`));
    process.stdout.write(`${lines.join('\n')}\n`);
    return exitCodes.done;
  },
};
