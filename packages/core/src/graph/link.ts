import type { Port } from '@joyul/plugin-api';
import type { Diagnostic } from '../diagnostics/diagnostic.ts';
import type { SourceRange } from '../diagnostics/source.ts';
import { findNearest, quoteNames } from '../util/suggest.ts';
import type { GraphStep, PluginFacts, PortReference, ResolvedPlugin } from './graph.ts';
import { orderSteps } from './order-steps.ts';
import { StepIndex, findWireRange, fitsPort, resolveWire } from './resolve-wire.ts';
import type { UnlinkedStep } from './unlinked-step.ts';

type Report = (diagnostic: Diagnostic) => void;
type Inputs = Readonly<Record<string, readonly PortReference[]>>;

/** Wires steps to each other, checks the ports, and orders the steps. `declared` are the names in the file. */
export function linkSteps(
  steps: readonly UnlinkedStep[],
  report: Report,
  declared: Iterable<string> = [],
): readonly GraphStep[] {
  const index = new StepIndex(steps, new Set([...steps.map((step) => step.group), ...declared]));
  const linked = steps.map((step) => linkStep(step, index, report));
  const { sorted, cycles } = orderSteps(linked);
  for (const cycle of cycles) reportCycle(cycle, index, report);
  return cycles.length > 0 ? sorted : leaveOutDisabled(sorted);
}

function linkStep(step: UnlinkedStep, index: StepIndex, report: Report): GraphStep {
  const inputs = linkInputs(step, index, report);
  const {
    axes: _axes,
    wires: _wires,
    portRange: _portRange,
    isBroken: _broken,
    range: _range,
    ...rest
  } = step;
  return { ...rest, plugin: factsOf(step.plugin), inputs, needs: needsOf(inputs) };
}

const facts = new WeakMap<ResolvedPlugin, PluginFacts>();

/** What is kept of a plugin; the steps that use it share it. */
function factsOf(resolved: ResolvedPlugin): PluginFacts {
  const known = facts.get(resolved);
  if (known !== undefined) return known;
  const { plugin, ...found } = resolved;
  const { name, revision, inputs, runsIn, usesTensors, cacheable } = plugin;
  const made: PluginFacts = {
    ...found,
    name,
    revision,
    inputs,
    ...(runsIn === undefined ? {} : { runsIn }),
    ...(usesTensors === undefined ? {} : { usesTensors }),
    ...(cacheable === undefined ? {} : { cacheable }),
  };
  facts.set(resolved, made);
  return made;
}

const needsOf = (inputs: Inputs): readonly string[] =>
  [...new Set(Object.values(inputs).flatMap((references) => references.map(({ step }) => step)))].sort();

function linkInputs(step: UnlinkedStep, index: StepIndex, report: Report): Inputs {
  const ports = step.plugin.plugin.inputs;
  const result: Record<string, readonly PortReference[]> = {};
  for (const [name, wires] of Object.entries(step.wires)) {
    const port = Object.hasOwn(ports, name) ? ports[name] : undefined;
    if (port === undefined) {
      reportUnknownPort(step, name, report);
      continue;
    }
    if (wires.length > 1 && port.many !== true)
      report({
        code: 'PORT_COUNT',
        severity: 'error',
        message: `The input "${name}" takes one artifact, but a list of ${wires.length} is wired.`,
        range: step.portRange(name),
        help: 'Wire one of them.',
      });
    const parts = { step, portName: name, port, index, report };
    result[name] = wires.flatMap((wire) => resolveWire(wire, parts));
  }
  for (const [name, port] of Object.entries(ports))
    if (port.optional !== true && !(name in step.wires)) reportMissing(step, name, port, index, report);
  return result;
}

function reportUnknownPort(step: UnlinkedStep, name: string, report: Report): void {
  const known = Object.keys(step.plugin.plugin.inputs);
  const nearest = findNearest(name, known);
  report({
    code: 'INPUT_UNKNOWN_PORT',
    severity: 'error',
    message: `The plugin "${step.plugin.plugin.name}" has no input "${name}".`,
    range: step.portRange(name),
    help:
      nearest !== undefined
        ? `Did you mean "${nearest}"?`
        : known.length === 0
          ? 'It takes no inputs.'
          : `Its inputs are ${quoteNames(known)}.`,
  });
}

// oxlint-disable-next-line max-params -- one caller, and each is another thing
function reportMissing(step: UnlinkedStep, name: string, port: Port, index: StepIndex, report: Report): void {
  const offers = [...index.groups].flatMap(([group, [first]]) =>
    group === step.group
      ? []
      : Object.entries(first?.outputs ?? {})
          .filter(([, output]) => fitsPort(port, output))
          .map(([output]) => `${group}.${output}`),
  );
  report({
    code: 'INPUT_MISSING',
    severity: 'error',
    message: `The step "${step.group}" needs the input "${name}" of type "${port.type}", and nothing is wired to it.`,
    range: step.range,
    help:
      offers.length === 0
        ? `No step gives "${port.type}"; add one that does.`
        : `Add \`inputs: { ${name}: ${offers[0] ?? ''} }\`.`,
  });
}

function reportCycle(cycle: readonly GraphStep[], index: StepIndex, report: Report): void {
  const [first] = cycle;
  if (first === undefined) return;
  const rangeOf = (step: GraphStep, next: GraphStep): SourceRange =>
    findWireRange(index.get(step.id), index.get(next.id));
  const hops = cycle.map((step, at) => ({ step, next: cycle[(at + 1) % cycle.length] ?? first }));
  report({
    code: 'CYCLE',
    severity: 'error',
    message:
      cycle.length === 1
        ? `The step "${first.id}" needs its own output.`
        : `Steps need each other in a circle: ${[...cycle, first].map((step) => step.id).join(' → ')}.`,
    range: rangeOf(first, hops[0]?.next ?? first),
    notes: hops.slice(1).map(({ step, next }) => ({
      message: `"${step.id}" needs "${next.id}" here.`,
      range: rangeOf(step, next),
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
