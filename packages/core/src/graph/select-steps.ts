import type { Diagnostic } from '../diagnostics/diagnostic.ts';
import { findNearest, quoteNames } from '../util/suggest.ts';
import type { Graph, GraphStep } from './graph.ts';
import type { StepPlaces } from './places.ts';
import { groupNames, makeTargetMatcher } from './step-id.ts';

/** What the command line says about which steps to run; a name stands for all instances and all steps inside. */
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

/** Finds ids by targets: names of steps and of pipelines that are used as a step, ids, and some of the values. */
function makeResolver(
  graph: Graph,
  report: Report,
  places: StepPlaces | undefined,
): (targets: readonly string[]) => readonly string[] {
  const groups: ReadonlyMap<string, readonly GraphStep[]> = Map.groupBy(graph.steps, (step) => step.group);
  return (targets) =>
    targets.flatMap((target) => {
      // The usual case needs no look at every step.
      const group = groups.get(target);
      if (group !== undefined) return group.map((step) => step.id);
      if (graph.byId.has(target)) return [target];
      const isMeant = makeTargetMatcher(target);
      const found = graph.steps.filter((step) => isMeant(step.id));
      if (found.length > 0) return found.map((step) => step.id);
      const names = groupNames(groups.keys());
      const nearest = findNearest(target, target.includes('@') ? graph.byId.keys() : names);
      const meant = nearest === undefined ? undefined : makeTargetMatcher(nearest);
      const step = graph.steps.find(({ id }) => meant?.(id) === true);
      const place = places?.get(step?.id ?? '')?.range;
      report({
        code: 'TARGET_UNKNOWN',
        severity: 'error',
        message: `The pipeline has no step "${target}".`,
        ...(place === undefined || nearest === undefined
          ? {}
          : { notes: [{ message: `"${nearest}" is declared here.`, range: place }] }),
        help: nearest === undefined ? `Its steps are ${quoteNames(names)}.` : `Did you mean "${nearest}"?`,
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

/**
 * The ids of the steps to run; undefined means all. Several parts of a selection narrow each other. `places` let
 * messages show the step that was meant.
 */
export function selectSteps(
  graph: Graph,
  selection: Selection,
  report: Report,
  places?: StepPlaces,
): ReadonlySet<string> | undefined {
  const resolve = makeResolver(graph, report, places);
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
