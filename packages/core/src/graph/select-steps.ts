import type { Diagnostic } from '../diagnostics/diagnostic.ts';
import { findNearest, quoteNames } from '../util/suggest.ts';
import type { Graph, GraphStep } from './graph.ts';

/** What the command line says about which steps to run; a group's name stands for all its instances. */
export interface Selection {
  /** Only these. */
  readonly only?: readonly string[];
  /** These and everything that needs them. */
  readonly from?: readonly string[];
  /** These and everything that they need. */
  readonly until?: readonly string[];
  /** What needs these, without themselves. */
  readonly downstream?: readonly string[];
  /** The same as `until`: steps that are named as arguments. */
  readonly targets?: readonly string[];
}

type Report = (diagnostic: Diagnostic) => void;

/** Finds ids by the names of steps and groups. */
function makeResolver(graph: Graph, report: Report): (names: readonly string[]) => readonly string[] {
  const groups: ReadonlyMap<string, readonly GraphStep[]> = Map.groupBy(graph.steps, (step) => step.group);
  return (names) =>
    names.flatMap((name) => {
      const group = groups.get(name);
      if (group !== undefined) return group.map((step) => step.id);
      if (graph.byId.has(name)) return [name];
      const nearest = findNearest(name, name.includes('@') ? graph.byId.keys() : groups.keys());
      report({
        code: 'TARGET_UNKNOWN',
        severity: 'error',
        message: `The pipeline has no step "${name}".`,
        help:
          nearest === undefined
            ? `Its steps are ${quoteNames(groups.keys())}.`
            : `Did you mean "${nearest}"?`,
      });
      return [];
    });
}

/** Follows edges from some steps until nothing new is found. */
function reach(start: readonly string[], next: (id: string) => readonly string[]): Set<string> {
  const found = new Set(start);
  // A set's iterator also visits what is added on the way.
  for (const id of found) for (const other of next(id)) found.add(other);
  return found;
}

/** For each step, the ids of those that need it. */
function indexDependents(graph: Graph): ReadonlyMap<string, readonly string[]> {
  const dependents = new Map<string, string[]>();
  for (const step of graph.steps) {
    for (const need of step.needs) {
      const list = dependents.get(need);
      if (list === undefined) dependents.set(need, [step.id]);
      else list.push(step.id);
    }
  }
  return dependents;
}

/** The ids of the steps to run; undefined means all. Several parts of a selection narrow each other. */
export function selectSteps(
  graph: Graph,
  selection: Selection,
  report: Report,
): ReadonlySet<string> | undefined {
  const resolve = makeResolver(graph, report);
  const dependents = indexDependents(graph);
  const needsOf = (id: string): readonly string[] => graph.byId.get(id)?.needs ?? [];
  const dependentsOf = (id: string): readonly string[] => dependents.get(id) ?? [];
  const { only, from, until, downstream, targets } = selection;
  const sets: ReadonlySet<string>[] = [];
  if (only !== undefined) sets.push(new Set(resolve(only)));
  if (from !== undefined) sets.push(reach(resolve(from), dependentsOf));
  if (until !== undefined) sets.push(reach(resolve(until), needsOf));
  if (targets !== undefined) sets.push(reach(resolve(targets), needsOf));
  if (downstream !== undefined) sets.push(reach(resolve(downstream).flatMap(dependentsOf), dependentsOf));
  return sets.length === 0 ? undefined : sets.reduce((left, right) => left.intersection(right));
}
