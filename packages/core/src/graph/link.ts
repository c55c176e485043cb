import type { Port, Ports } from '@joyul/plugin-api';
import type { Diagnostic } from '../diagnostics/diagnostic.ts';
import type { SourceRange } from '../diagnostics/source.ts';
import { findNearest } from '../util/suggest.ts';
import type { GraphStep, PortReference } from './graph.ts';

/** A step before its edges are known. */
export interface UnlinkedStep extends Omit<GraphStep, 'inputs' | 'needs'> {
  /** Values of its matrix instance; empty without a matrix. */
  readonly matrix: Readonly<Record<string, unknown>>;
  /** As written: `step.port` by input port, each with its place. */
  readonly wires: Readonly<Record<string, readonly { readonly text: string; readonly range: SourceRange }[]>>;
  readonly portRange: (port: string) => SourceRange;
}

type Report = (diagnostic: Diagnostic) => void;

const quote = (names: Iterable<string>): string => [...names].map((name) => `"${name}"`).join(', ');

/** The instances of a group that an instance is wired to: those that agree on every axis that both have. */
function matchInstances(step: UnlinkedStep, group: readonly UnlinkedStep[]): readonly UnlinkedStep[] {
  return group.filter((other) =>
    Object.entries(other.matrix).every(
      ([axis, value]) =>
        !(axis in step.matrix) || JSON.stringify(step.matrix[axis]) === JSON.stringify(value),
    ),
  );
}

const fits = (input: Port, output: Port): boolean => input.type === 'files' || input.type === output.type;

function resolveWire(
  step: UnlinkedStep,
  portName: string,
  port: Port,
  wire: { readonly text: string; readonly range: SourceRange },
  groups: ReadonlyMap<string, readonly UnlinkedStep[]>,
  report: Report,
): readonly PortReference[] {
  const { text, range } = wire;
  const at = text.lastIndexOf('.');
  if (at <= 0) {
    report({
      code: 'INPUT_FORMAT',
      severity: 'error',
      message: `"${text}" does not name a step and a port.`,
      range,
      help: 'Write `step.port`, such as `prepare.dataset`.',
    });
    return [];
  }
  const [target, output] = [text.slice(0, at), text.slice(at + 1)];
  const group = groups.get(target);
  if (group === undefined) {
    const nearest = findNearest(target, groups.keys());
    report({
      code: 'REFERENCE_STEP',
      severity: 'error',
      message: `There is no step "${target}".`,
      range,
      help: nearest === undefined ? `The steps are ${quote(groups.keys())}.` : `Did you mean "${nearest}"?`,
    });
    return [];
  }
  const outputs: Ports = group[0]?.outputs ?? {};
  const found = outputs[output];
  if (found === undefined) {
    const nearest = findNearest(output, Object.keys(outputs));
    report({
      code: 'REFERENCE_PORT',
      severity: 'error',
      message: `The step "${target}" has no output "${output}".`,
      range,
      help:
        nearest === undefined
          ? `Its outputs are ${quote(Object.keys(outputs))}.`
          : `Did you mean "${target}.${nearest}"?`,
    });
    return [];
  }
  if (!fits(port, found)) {
    const others = Object.entries(outputs)
      .filter(([, candidate]) => fits(port, candidate))
      .map(([name]) => `${target}.${name}`);
    report({
      code: 'PORT_TYPE',
      severity: 'error',
      message: `The input "${portName}" takes "${port.type}", but ${text} gives "${found.type}".`,
      range,
      help:
        others.length === 0
          ? `Wire an output of type "${port.type}".`
          : `Of this step, ${quote(others)} would fit.`,
    });
    return [];
  }
  const instances = matchInstances(step, group);
  if (instances.length > 1 && port.many !== true) {
    report({
      code: 'PORT_COUNT',
      severity: 'error',
      message: `The input "${portName}" takes one artifact, but ${text} stands for ${instances.length} instances.`,
      range,
      help: 'Give this step a matrix with the same axis, or wire a port that takes many.',
    });
    return [];
  }
  return instances.map((instance) => ({ step: instance.id, port: output }));
}

function linkInputs(
  step: UnlinkedStep,
  groups: ReadonlyMap<string, readonly UnlinkedStep[]>,
  report: Report,
): Readonly<Record<string, readonly PortReference[]>> {
  const ports = step.plugin.plugin.inputs;
  const result: Record<string, readonly PortReference[]> = {};
  for (const [name, wires] of Object.entries(step.wires)) {
    const port = ports[name];
    if (port === undefined) {
      const nearest = findNearest(name, Object.keys(ports));
      const known =
        Object.keys(ports).length === 0
          ? 'It takes no inputs.'
          : `Its inputs are ${quote(Object.keys(ports))}.`;
      report({
        code: 'INPUT_UNKNOWN_PORT',
        severity: 'error',
        message: `The plugin "${step.plugin.plugin.name}" has no input "${name}".`,
        range: step.portRange(name),
        help: nearest === undefined ? known : `Did you mean "${nearest}"?`,
      });
      continue;
    }
    const references = wires.flatMap((wire) => resolveWire(step, name, port, wire, groups, report));
    if (wires.length > 1 && port.many !== true) {
      report({
        code: 'PORT_COUNT',
        severity: 'error',
        message: `The input "${name}" takes one artifact, but a list of ${wires.length} is wired.`,
        range: step.portRange(name),
        help: 'Wire one of them.',
      });
    }
    result[name] = references;
  }
  for (const [name, port] of Object.entries(ports)) {
    if (port.optional === true || name in step.wires) continue;
    const offers = [...groups].flatMap(([group, [first]]) =>
      group === step.group
        ? []
        : Object.entries(first?.outputs ?? {})
            .filter(([, output]) => output.type === port.type)
            .map(([output]) => `${group}.${output}`),
    );
    report({
      code: 'INPUT_MISSING',
      severity: 'error',
      message: `The step "${step.group}" needs the input "${name}" of type "${port.type}", and nothing is wired to it.`,
      range: step.range,
      help:
        offers.length === 0
          ? `No step gives "${port.type}".`
          : `Add \`inputs: { ${name}: ${offers[0] ?? ''} }\`.`,
    });
  }
  return result;
}

/** Orders steps so that each comes after what it needs; the declared order decides between equals. */
function sortSteps(steps: readonly GraphStep[]): {
  readonly sorted: readonly GraphStep[];
  readonly rest: readonly GraphStep[];
} {
  const byId = new Map(steps.map((step) => [step.id, step]));
  const missing = new Map(steps.map((step) => [step.id, step.needs.length]));
  const dependents = new Map<string, GraphStep[]>();
  for (const step of steps) {
    for (const need of step.needs) {
      const list = dependents.get(need);
      if (list === undefined) dependents.set(need, [step]);
      else list.push(step);
    }
  }
  const sorted: GraphStep[] = [];
  const ready = steps.filter((step) => step.needs.length === 0);
  for (let at = 0; at < ready.length; at++) {
    const step = ready[at];
    if (step === undefined) continue;
    sorted.push(step);
    for (const dependent of dependents.get(step.id) ?? []) {
      const left = (missing.get(dependent.id) ?? 1) - 1;
      missing.set(dependent.id, left);
      if (left === 0) ready.push(dependent);
    }
  }
  const done = new Set(sorted.map((step) => step.id));
  return { sorted, rest: [...byId.values()].filter((step) => !done.has(step.id)) };
}

/** One circle among steps that cannot be ordered. */
function findCycle(rest: readonly GraphStep[]): readonly GraphStep[] {
  const byId = new Map(rest.map((step) => [step.id, step]));
  const path: GraphStep[] = [];
  let step = rest[0];
  while (step !== undefined && !path.includes(step)) {
    path.push(step);
    step = step.needs.map((need) => byId.get(need)).find((candidate) => candidate !== undefined);
  }
  return step === undefined ? path : path.slice(path.indexOf(step));
}

function reportCycle(
  rest: readonly GraphStep[],
  wires: ReadonlyMap<string, UnlinkedStep>,
  report: Report,
): void {
  const cycle = findCycle(rest);
  const [first] = cycle;
  if (first === undefined) return;
  const wireRange = (from: GraphStep, to: GraphStep): SourceRange =>
    Object.values(wires.get(from.id)?.wires ?? {})
      .flat()
      .find((wire) => wire.text.startsWith(`${to.group}.`))?.range ?? from.range;
  const hops = cycle.map((step, index) => ({ step, next: cycle[(index + 1) % cycle.length] ?? first }));
  report({
    code: 'CYCLE',
    severity: 'error',
    message: `Steps need each other in a circle: ${[...cycle, first].map((step) => step.id).join(' → ')}.`,
    range: wireRange(first, hops[0]?.next ?? first),
    notes: hops.slice(1).map(({ step, next }) => ({
      message: `"${step.id}" needs "${next.id}" here.`,
      range: wireRange(step, next),
    })),
    help: 'Remove one of these inputs.',
  });
}

/** Wires steps to each other, checks the ports, and orders the steps. */
export function linkSteps(steps: readonly UnlinkedStep[], report: Report): readonly GraphStep[] {
  const groups = new Map<string, UnlinkedStep[]>();
  for (const step of steps) {
    const group = groups.get(step.group);
    if (group === undefined) groups.set(step.group, [step]);
    else group.push(step);
  }
  const linked = steps.map((step): GraphStep => {
    const inputs = linkInputs(step, groups, report);
    const needs = [
      ...new Set(
        Object.values(inputs).flatMap((references) => references.map((reference) => reference.step)),
      ),
    ].sort();
    const { matrix: _matrix, wires: _wires, portRange: _range, ...rest } = step;
    return { ...rest, inputs, needs };
  });
  const { sorted, rest } = sortSteps(linked);
  if (rest.length > 0) reportCycle(rest, new Map(steps.map((step) => [step.id, step])), report);
  return sorted;
}
