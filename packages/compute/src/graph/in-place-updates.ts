import type { Node } from '../ir.ts';
import type { Entry, Update } from '../program.ts';
import { tensorsOf } from '../program.ts';

/** Where a result of a fused function goes: to the variable that is one of its inputs. */
interface Target {
  /** Which input of the node is the variable. */
  readonly input: number;
  /** Which output of the node is its new value. */
  readonly result: number;
}

/** A fused function that changes variables. */
export interface InPlaceUpdate {
  readonly node: Node;
  readonly targets: readonly Target[];
}

type Assign = Extract<Update, { kind: 'assign' }>;

/** One target for each assignment, or undefined where the function cannot do them all itself. */
function matchTargets(node: Node, assigns: readonly Assign[]): readonly Target[] | undefined {
  const targets = assigns.map(({ variable, value }): Target => ({
    input: node.inputs.findIndex((tensor) => tensor.node === variable.node),
    result: value.index,
  }));
  const isWhole =
    targets.every(({ input }) => input !== -1) &&
    new Set(targets.map(({ input }) => input)).size === node.outputs.length &&
    new Set(targets.map(({ result }) => result)).size === node.outputs.length;
  const variables = node.inputs.filter((tensor) => tensor.node.op === 'Variable');
  const isRepeated = new Set(variables.map((tensor) => tensor.node)).size !== variables.length;
  return isWhole && !isRepeated ? targets : undefined;
}

/**
 * The fused functions of an entry whose results are nothing but new values of variables they read.
 *
 * Such a function can be given the variables themselves. XLA then writes the new values over the old
 * ones. Otherwise weights and moments are there twice for a while, and as they move in memory with each
 * iteration, gaps open between them.
 */
export function findInPlaceUpdates(entry: Entry, nodes: readonly Node[]): readonly InPlaceUpdate[] {
  const assigns = Map.groupBy(
    entry.updates.filter((update): update is Assign => update.kind === 'assign'),
    (update) => update.value.node,
  );
  const readElsewhere = new Set<Node>();
  for (const node of nodes) for (const tensor of node.inputs) readElsewhere.add(tensor.node);
  for (const { tensor } of entry.outputs) readElsewhere.add(tensor.node);
  for (const update of entry.updates)
    if (update.kind !== 'assign') for (const tensor of tensorsOf(update)) readElsewhere.add(tensor.node);
  return [...assigns].flatMap(([node, list]) => {
    if (node.op !== 'Fused' || readElsewhere.has(node)) return [];
    const targets = matchTargets(node, list);
    return targets === undefined ? [] : [{ node, targets }];
  });
}
