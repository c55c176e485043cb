import type { Diagnostic } from '../diagnostics/diagnostic.ts';
import type { SourceRange } from '../diagnostics/source.ts';
import { InputChecker } from './check-inputs.ts';
import type { GraphStep, PortReference } from './graph.ts';
import { orderSteps } from './order-steps.ts';
import { PipelineIndex } from './pipeline-index.ts';
import type { StepPlace, StepPlaces } from './places.ts';
import { lookUpWire } from './resolve-wire.ts';
import type { UnlinkedPipeline } from './unlinked-step.ts';
import { isPipeline } from './unlinked-step.ts';

type Report = (diagnostic: Diagnostic) => void;
type Inputs = Readonly<Record<string, readonly PortReference[]>>;

/** The steps of a graph, and where they stand. */
export interface LinkedPipeline {
  /** In an order in which each step comes after all that it needs. */
  readonly steps: readonly GraphStep[];
  readonly places: StepPlaces;
}

/** Wires steps to each other, checks the ports, and orders the steps; pipelines inside of others are laid flat. */
export function linkPipeline(root: UnlinkedPipeline, report: Report): LinkedPipeline {
  const linker = new Linker(report);
  linker.link(new PipelineIndex(root));
  const { sorted, cycles } = orderSteps(linker.steps);
  for (const cycle of cycles) reportCycle(cycle, linker, report);
  return { steps: cycles.length > 0 ? sorted : leaveOutDisabled(sorted), places: linker.places };
}

class Linker {
  readonly steps: GraphStep[] = [];
  readonly places = new Map<string, StepPlace>();
  readonly #report: Report;
  /** By step: where each step that it needs is wired. */
  readonly #wired = new Map<string, ReadonlyMap<string, SourceRange>>();

  constructor(report: Report) {
    this.#report = report;
  }

  link(index: PipelineIndex): void {
    for (const part of index.pipeline.parts) {
      const linked = new InputChecker(part, index, this.#report).link();
      if (isPipeline(part)) this.link(index.child(part));
      else {
        const inputs = Object.fromEntries([...linked].map(([name, { references }]) => [name, references]));
        this.steps.push({ ...part.step, inputs, needs: needsOf(inputs) });
        this.places.set(part.id, { range: part.range, reads: part.reads });
        this.#wired.set(part.id, new Map([...linked.values()].flatMap(({ places }) => [...places])));
      }
    }
    this.#checkOutputs(index);
  }

  /** Where a step is wired to another. */
  placeOf(step: GraphStep, need: GraphStep): SourceRange {
    const range = this.#wired.get(step.id)?.get(need.id);
    if (range === undefined) throw new Error(`Internal error: ${step.id} is not wired to ${need.id}.`);
    return range;
  }

  #checkOutputs(index: PipelineIndex): void {
    for (const [name, { from, type, range }] of Object.entries(index.pipeline.outputs)) {
      const found = lookUpWire(from, index, this.#report);
      if (found === undefined || type === undefined || type === found.port.type || type === 'files') continue;
      this.#report({
        code: 'PORT_TYPE',
        severity: 'error',
        message: `The output "${name}" is declared as "${type}", but ${from.text} gives "${found.port.type}".`,
        range: from.range,
        notes: [{ message: `"${name}" is declared here.`, range }],
        help: `Write \`type: ${found.port.type}\`, or name another output.`,
      });
    }
  }
}

const needsOf = (inputs: Inputs): readonly string[] =>
  [...new Set(Object.values(inputs).flatMap((references) => references.map(({ step }) => step)))].sort();

function reportCycle(cycle: readonly GraphStep[], linker: Linker, report: Report): void {
  const [first] = cycle;
  if (first === undefined) return;
  const hops = cycle.map((step, at) => ({ step, next: cycle[(at + 1) % cycle.length] ?? first }));
  report({
    code: 'CYCLE',
    severity: 'error',
    message:
      cycle.length === 1
        ? `The step "${first.id}" needs its own output.`
        : `Steps need each other in a circle: ${[...cycle, first].map((step) => step.id).join(' → ')}.`,
    range: linker.placeOf(first, hops[0]?.next ?? first),
    notes: hops.slice(1).map(({ step, next }) => ({
      message: `"${step.id}" needs "${next.id}" here.`,
      range: linker.placeOf(step, next),
    })),
    help: cycle.length === 1 ? 'Wire the output of another step.' : 'Remove one of these inputs.',
  });
}

/**
 * Leaves out what needs a step whose `if:` was false.
 *
 * An input that is optional, or takes many and still has one, goes without it: so branches come together again.
 */
function leaveOutDisabled(sorted: readonly GraphStep[]): readonly GraphStep[] {
  if (sorted.every((step) => step.isEnabled)) return sorted;
  const disabled = new Set<string>();
  return sorted.map((step) => {
    const isTouched = step.needs.some((need) => disabled.has(need));
    if (!isTouched) {
      if (!step.isEnabled) disabled.add(step.id);
      return step;
    }
    const ports = step.plugin.inputs;
    const kept = Object.entries(step.inputs).map(
      ([name, references]) =>
        [name, references.filter((reference) => !disabled.has(reference.step))] as const,
    );
    const lacks = kept.some(
      ([name, references]) => references.length === 0 && ports[name]?.optional !== true,
    );
    if (lacks || !step.isEnabled) {
      disabled.add(step.id);
      return { ...step, isEnabled: false };
    }
    const inputs = Object.fromEntries(kept.filter(([, references]) => references.length > 0));
    return { ...step, inputs, needs: needsOf(inputs) };
  });
}
