import { workspaceWrites } from '../plan/inspect-step.ts';
import type { ActionRecord } from '../store/store.ts';
import type { AttemptFailure } from './attempt-failure.ts';
import { compareResults } from './compare-results.ts';
import { performAttempt } from './perform-attempt.ts';
import type { PerformParts } from './perform-attempt.ts';
import type { AttemptContext, AttemptResult } from './run-attempt.ts';

/** What an attempt has given. */
export interface Produced {
  /** The result that counts. */
  readonly stored: ActionRecord;
  /** What it took when it was run to be compared; absent where it was not. */
  readonly again?: AttemptResult;
  /** Whether it then gave exactly what is stored. */
  readonly isSame?: boolean;
}

/** How else an attempt may end. */
type Unfinished = AttemptFailure | 'checkpointed';

/**
 * Runs a step and publishes its result; where it is to be verified, runs it once more and compares the two.
 *
 * With a result that is expected, only the latter is done.
 */
export async function produceResult(
  parts: PerformParts,
  context: AttemptContext,
  publish: (result: AttemptResult) => void,
): Promise<Produced | Unfinished> {
  const { step, inspection } = parts;
  if (inspection.expected !== undefined) return verifyResult(parts, inspection.expected, context);
  const result = await performAttempt(parts, context);
  if (result === 'checkpointed' || result instanceof Error) return result;
  publish(result);
  // One that was cancelled meanwhile has its result all the same.
  if (!context.inspect.isVerified(step) || parts.running.signal.aborted) return { stored: result.action };
  const reason = 'it is run once more, to be compared';
  return verifyResult({ ...parts, inspection: { ...inspection, reason } }, result.action, context);
}

/** The stored result stays the truth: however the attempt ends, the project's files are put back to it. */
async function verifyResult(
  parts: PerformParts,
  stored: ActionRecord,
  context: AttemptContext,
): Promise<Produced | Unfinished> {
  const { step, tail, tell } = parts;
  tail.length = 0;
  const { store, platform, graph } = context;
  // From nothing: a checkpoint of another attempt would hide what differs.
  const scratch = store.makeWorkFolder();
  try {
    const again = await performAttempt({ ...parts, scratch }, context);
    if (again === 'checkpointed' || again instanceof Error) return again;
    const found = compareResults(stored, again.action, context);
    tell({ kind: 'step-verified', stepId: step.id, ...found });
    return { stored, again, isSame: found.differing === 0 };
  } finally {
    for (const [port, path] of Object.entries(workspaceWrites(step, graph.projectDir))) {
      const artifact = stored.outputs[port];
      if (artifact !== undefined && !store.hasContent(path, artifact)) store.restore(artifact, path);
    }
    platform.fs.remove(scratch);
  }
}
