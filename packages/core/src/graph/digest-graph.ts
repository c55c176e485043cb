import { checksumOf } from '../util/hash.ts';
import type { Graph, GraphStep } from './graph.ts';

/** What a step's file says of it: neither where it stands nor what its plugin is made of. */
function describeStep({ plugin, gates = [], ...step }: GraphStep): unknown {
  const { needs: _needs, outputs: _outputs, workspace: _workspace, ...said } = step;
  const conditions = gates.map(({ check, values, message }) => [check, values, message]);
  return { ...said, uses: plugin.packageName, gates: conditions };
}

/**
 * A digest of what a pipeline's files say: comments, the order of steps, the machine, and the code of plugins do not
 * count.
 */
export function digestGraph({ name, seed, params, steps }: Graph): string {
  const sorted = [...steps].sort((left, right) => (left.id < right.id ? -1 : 1));
  // Not canonical: for thousands of steps that takes ten times as long, and a notice is all that hangs on it.
  const said = JSON.stringify({ name, seed, params, steps: sorted.map(describeStep) });
  return checksumOf(new TextEncoder().encode(said));
}
