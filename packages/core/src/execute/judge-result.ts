import type { Problem } from '@joyul/plugin-api';
import type { Gate, GraphStep } from '../graph/graph.ts';
import type { GateRefusal } from '../plan/gates.ts';
import { readMetrics } from '../plan/metrics.ts';
import type { Metrics } from '../plan/metrics.ts';
import type { ActionRecord, Store } from '../store/store.ts';
import { AttemptFailure } from './attempt-failure.ts';

/** Says which gates refuse what was measured. */
export type Judge = (gates: readonly Gate[], metrics: Metrics) => readonly GateRefusal[];

/** What a step's gates say against its result, which stays stored: the next run judges it again at once. */
export function judgeResult(
  step: GraphStep,
  action: ActionRecord,
  { store, judge }: { readonly store: Store; readonly judge: Judge },
): AttemptFailure | undefined {
  if (step.gates === undefined) return undefined;
  const refusals = judge(step.gates, readMetrics(store, action));
  if (refusals.length === 0) return undefined;
  return new AttemptFailure({
    code: 'GATE',
    message: refusals.length === 1 ? 'A gate said no.' : `${refusals.length} gates said no.`,
    problems: refusals.map(toProblem),
    help: 'What needs this step does not run. Make its result better, or change the gate.',
  });
}

function toProblem({ gate, message }: GateRefusal): Problem {
  const [, file, line, column] = /^(.*):(\d+):(\d+)$/.exec(gate.place) ?? [];
  return file === undefined ? { message } : { file, line: Number(line), column: Number(column), message };
}
