import type { Graph, GraphStep } from './graph.ts';
import { orderSteps } from './order-steps.ts';

/** What is drawn as one: a step, or all instances of a matrix. */
export interface StepGroup {
  readonly name: string;
  readonly plugin: string;
  /** One for a step without a matrix. */
  readonly steps: readonly GraphStep[];
}

/** What flows from one group to another. */
export interface GroupEdge {
  /** Numbers of groups. */
  readonly from: number;
  readonly to: number;
  /** Output ports, in the order in which they are first used. */
  readonly ports: readonly string[];
  /**
   * How instances are joined: each instance reads one of the other group, or all of them, or some. Absent where the
   * group before is a single step.
   */
  readonly spread?: 'each' | 'all' | 'some';
}

/** A graph of groups. Their numbers go up along almost every edge; only groups that need each other have others. */
export interface GroupedGraph {
  readonly groups: readonly StepGroup[];
  readonly edges: readonly GroupEdge[];
}

interface Wires {
  readonly ports: Set<string>;
  /** How many instances of the other group each instance reads. */
  readonly needs: Map<string, Set<string>>;
}

/** Puts the instances of each matrix together. */
export function groupGraph(graph: Graph): GroupedGraph {
  const byName: ReadonlyMap<string, readonly GraphStep[]> = Map.groupBy(graph.steps, (step) => step.group);
  const groupOf = (stepId: string): string => graph.byId.get(stepId)?.group ?? stepId;
  const orderable = [...byName].map(([id, steps]) => ({
    id,
    needs: [...new Set(steps.flatMap((step) => step.needs.map(groupOf)))].filter((need) => need !== id),
  }));
  const names = orderSteps(orderable).sorted.map((group) => group.id);
  const numbers = new Map(names.map((name, number) => [name, number]));
  const groups = names.map((name): StepGroup => {
    const steps = byName.get(name) ?? [];
    return { name, plugin: steps[0]?.plugin.name ?? '', steps };
  });
  const wires = new Map<string, Wires>();
  for (const step of graph.steps) {
    for (const { step: need, port } of Object.values(step.inputs).flat()) {
      const from = numbers.get(groupOf(need));
      const name = `${from} ${numbers.get(step.group)}`;
      const wire: Wires = wires.get(name) ?? { ports: new Set(), needs: new Map() };
      wires.set(name, wire);
      wire.ports.add(port);
      const needs = wire.needs.get(step.id) ?? new Set();
      wire.needs.set(step.id, needs.add(need));
    }
  }
  const edges = [...wires].flatMap(([name, { ports, needs }]): readonly GroupEdge[] => {
    const [from = 0, to = 0] = name.split(' ').map(Number);
    if (from === to) return [];
    const size = groups[from]?.steps.length ?? 1;
    const counts = [...needs.values()].map((set) => set.size);
    const spread = counts.every((count) => count === size)
      ? 'all'
      : counts.every((count) => count === 1)
        ? 'each'
        : 'some';
    return [{ from, to, ports: [...ports], ...(size === 1 ? {} : { spread }) }];
  });
  return { groups, edges };
}
