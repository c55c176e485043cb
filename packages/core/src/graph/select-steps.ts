import type { Diagnostic } from '../diagnostics/diagnostic.ts';
import { findNearest } from '../util/suggest.ts';
import type { Graph } from './graph.ts';

/** What the command line says about which steps to run; a group's name stands for all its instances. */
export interface Selection {
  /** Only these. */
  readonly only?: readonly string[];
  /** These and everything that needs them. */
  readonly from?: readonly string[];
  /** These and everything that they need. */
  readonly until?: readonly string[];
}

function resolve(
  graph: Graph,
  names: readonly string[],
  report: (diagnostic: Diagnostic) => void,
): readonly string[] {
  const known = [...new Set(graph.steps.flatMap((step) => [step.id, step.group]))];
  return names.flatMap((name) => {
    const ids = graph.steps.filter((step) => step.id === name || step.group === name).map((step) => step.id);
    if (ids.length > 0) return ids;
    const nearest = findNearest(name, known);
    report({
      code: 'TARGET_UNKNOWN',
      severity: 'error',
      message: `The pipeline has no step "${name}".`,
      help: nearest === undefined ? `Its steps are ${known.join(', ')}.` : `Did you mean "${nearest}"?`,
    });
    return [];
  });
}

/** Follows edges from some steps until nothing new is found. */
function reach(start: readonly string[], next: (id: string) => readonly string[]): Set<string> {
  const found = new Set(start);
  for (const id of found) for (const other of next(id)) found.add(other);
  return found;
}

/** The ids of the steps to run; undefined means all. */
export function selectSteps(
  graph: Graph,
  selection: Selection,
  report: (diagnostic: Diagnostic) => void,
): ReadonlySet<string> | undefined {
  const { only, from, until } = selection;
  if (only === undefined && from === undefined && until === undefined) return undefined;
  const sets: ReadonlySet<string>[] = [];
  if (only !== undefined) sets.push(new Set(resolve(graph, only, report)));
  if (from !== undefined) {
    const dependents = new Map<string, string[]>();
    for (const step of graph.steps)
      for (const need of step.needs) dependents.set(need, [...(dependents.get(need) ?? []), step.id]);
    sets.push(reach(resolve(graph, from, report), (id) => dependents.get(id) ?? []));
  }
  if (until !== undefined)
    sets.push(reach(resolve(graph, until, report), (id) => graph.byId.get(id)?.needs ?? []));
  return sets.reduce((left, right) => left.intersection(right));
}
