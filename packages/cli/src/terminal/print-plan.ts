import type { Plan } from '@joyul/core';
import { hasColor, makeStyle, padTo, widthOf } from './style.ts';

/** Prints what a run would do. */
export function printPlan(plan: Plan, isJson: boolean): void {
  if (isJson) {
    process.stdout.write(`${JSON.stringify(plan, null, 2)}\n`);
    return;
  }
  const style = makeStyle(hasColor(process.stdout));
  const colors = {
    reuse: style.green,
    run: style.cyan,
    unknown: style.cyan,
    blocked: style.red,
    disabled: style.dim,
  };
  const words = { reuse: 'reuse', run: 'run', unknown: 'run?', blocked: 'blocked', disabled: 'left out' };
  const width = Math.max(...plan.steps.map((step) => widthOf(step.stepId)));
  for (const step of plan.steps) {
    process.stdout.write(
      `${padTo(step.stepId, width)}  ${colors[step.action](padTo(words[step.action], 8))}  ${style.dim(step.reason)}\n`,
    );
  }
  const reused = plan.steps.filter((step) => step.action === 'reuse').length;
  process.stdout.write(`\n${reused} of ${plan.steps.length} steps would be reused. Nothing was changed.\n`);
}
