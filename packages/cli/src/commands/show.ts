import { findNearest, renderReport, renderStep } from '@joyul/core';
import type { RunRecord, StepRecord } from '@joyul/core';
import { parseArguments } from '../args.ts';
import type { Command } from '../command.ts';
import { exitCodes } from '../exit-codes.ts';
import { readRunByName } from '../find-run.ts';
import { findProject } from '../project.ts';
import { UsageError } from '../usage-error.ts';

const flags = {
  json: { type: 'boolean' },
  step: { type: 'string' },
  help: { type: 'boolean', short: 'h' },
} as const;

/** The record of one step of a run. */
function findStep(record: RunRecord, name: string): StepRecord {
  const step = record.steps.find((item) => item.stepId === name);
  if (step !== undefined) return step;
  const ids = record.steps.map((item) => item.stepId);
  const nearest = findNearest(name, ids);
  const instances = ids.filter((id) => id.startsWith(`${name}@`));
  const help =
    instances.length > 0
      ? `Its instances are ${instances.slice(0, 10).join(', ')}${instances.length > 10 ? ' and more' : ''}.`
      : nearest === undefined
        ? ''
        : `Did you mean "${nearest}"?`;
  throw new UsageError(`Run ${record.runId} has no step "${name}". ${help}`.trimEnd());
}

/** `joyul show`. */
export const show: Command = {
  usage: `joyul show [RUN] [flags]

Prints the report of a run. RUN is an id from \`joyul runs\`, or its end; the default is the last run.

      --step STEP         only this step, with its failure, its outputs and what it took
      --json              the record as JSON`,
  run(argv) {
    const args = parseArguments(argv, flags);
    const record = readRunByName(findProject(process.cwd()), args.positionals[0]);
    const name = args.value('step');
    const step = name === undefined ? undefined : findStep(record, name);
    const text = step === undefined ? renderReport(record) : renderStep(step);
    process.stdout.write(args.has('json') ? `${JSON.stringify(step ?? record, null, 2)}\n` : text);
    return Promise.resolve(exitCodes.done);
  },
};
